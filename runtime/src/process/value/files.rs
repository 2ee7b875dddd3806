//! Files that travel with a value: [`Shared`](super::Shared) attaches them here while it is
//! encoded; they are sent along with the message, and are available here while it is decoded.

#![allow(unsafe_code, reason = "a thread-local list, lent while a value is read or written")]

use std::cell::Cell;
use std::ops::Deref;
use std::ptr;
use std::sync::Arc;

use crate::process::platform::Handle;
use crate::process::value::wire::WireError;

/// A file on its way.
pub(crate) type File = Arc<Handle>;

/// The files of a message. Few have any, and all are moved, so this is one pointer. A clone shares
/// them.
#[derive(Clone)]
pub(crate) struct Files(Option<Arc<Vec<File>>>);

impl From<Vec<File>> for Files {
    fn from(files: Vec<File>) -> Self {
        Self((!files.is_empty()).then(|| Arc::new(files)))
    }
}

impl Deref for Files {
    type Target = [File];

    fn deref(&self) -> &[File] {
        self.0.as_ref().map_or(&[], |files| files)
    }
}

/// Received files, each until it is taken.
type Arrived = Vec<Option<Handle>>;

// Every value passes here but few have files, so each thread stores only one pointer each: to the
// vector of the innermost call below, or null.
thread_local! {
    static LEAVING: Cell<*mut Vec<File>> = const { Cell::new(ptr::null_mut()) };
    static ARRIVED: Cell<*mut Arrived> = const { Cell::new(ptr::null_mut()) };
}

/// What is encoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// The arguments of a call.
    Arguments,
    /// Of one that may be made again with the same.
    Repeated,
    Other,
}

thread_local! {
    static WHAT: Cell<What> = const { Cell::new(What::Other) };
}

/// Runs an encoder of arguments.
pub(crate) fn in_arguments<R>(what: What, encode: impl FnOnce() -> R) -> R {
    struct Restore(What);
    impl Drop for Restore {
        fn drop(&mut self) {
            WHAT.set(self.0);
        }
    }
    let _restore = Restore(WHAT.replace(what));
    encode()
}

/// What this thread encodes.
pub(crate) fn what() -> What {
    WHAT.get()
}

/// Sets a thread's pointer, and restores the previous one when dropped.
struct Within<T: 'static> {
    key: &'static std::thread::LocalKey<Cell<*mut T>>,
    here: *mut T,
    outer: *mut T,
}

impl<T> Within<T> {
    fn new(key: &'static std::thread::LocalKey<Cell<*mut T>>, here: *mut T) -> Self {
        Self { key, here, outer: key.replace(here) }
    }
}

impl<T> Drop for Within<T> {
    fn drop(&mut self) {
        if self.key.replace(self.outer) != self.here {
            out_of_order();
        }
    }
}

/// Of two values, the one whose encoding or decoding began first was finished first, or on another
/// thread. Files may have gone to the wrong one.
#[cold]
fn out_of_order() -> ! {
    eprintln!(
        "trine: coroutines that are suspended while they encode or decode a value have to go on in \
         reverse order, on the same thread"
    );
    std::process::abort();
}

/// Runs an encoder, whose values attach their files here.
#[inline]
pub(crate) fn collect<R>(files: &mut Vec<File>, encode: impl FnOnce() -> R) -> R {
    // A `Serialize` may itself call a process task.
    let _within = Within::new(&LEAVING, files);
    encode()
}

/// Runs a decoder, whose values may take these files.
#[inline]
pub(crate) fn supply<R>(files: Vec<Handle>, decode: impl FnOnce() -> R) -> R {
    let mut files: Arrived = files.into_iter().map(Some).collect();
    let _within = Within::new(&ARRIVED, &raw mut files);
    decode()
}

/// The same files once more, as if they had arrived.
pub(crate) fn duplicate(files: &[File]) -> Result<Vec<Handle>, WireError> {
    let copies = files.iter().map(|file| file.try_clone()).collect::<Result<_, _>>();
    copies.map_err(|error| WireError::new(error.to_string()))
}

/// Attaches a file to the value that is being encoded; `None` outside of an encoder.
pub(crate) fn attach(file: File) -> Option<u32> {
    // SAFETY: the vector belongs to a `collect` that this thread is in, and nobody else uses it
    // until `encode` returns.
    let leaving = unsafe { LEAVING.get().as_mut() }?;
    leaving.push(file);
    u32::try_from(leaving.len() - 1).ok()
}

/// Takes an attached file, once; `None` if there is no such file.
pub(crate) fn take(index: u32) -> Option<Handle> {
    // SAFETY: the vector belongs to a `supply` that this thread is in, and nobody else uses it
    // until `decode` returns.
    let arrived = unsafe { ARRIVED.get().as_mut() }?;
    arrived.get_mut(index as usize)?.take()
}
