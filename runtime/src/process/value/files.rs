//! Files that travel with a value: what [`Shared`](super::Shared) leaves here while it is encoded
//! goes along with the message, and is here again while it is decoded.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::process::value::wire::WireError;

/// A file on its way.
pub(crate) type File = Arc<OwnedFd>;

thread_local! {
    static LEAVING: RefCell<Option<Vec<File>>> = const { RefCell::new(None) };
    static ARRIVED: RefCell<Option<Vec<Option<OwnedFd>>>> = const { RefCell::new(None) };
}

/// Runs an encoder; returns also the files that its values attached.
pub(crate) fn collect<R>(encode: impl FnOnce() -> R) -> (R, Vec<File>) {
    struct Restore(Option<Option<Vec<File>>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            if let Some(outer) = self.0.take() {
                LEAVING.set(outer);
            }
        }
    }
    // A `Serialize` may call a process task of its own.
    let mut restore = Restore(Some(LEAVING.replace(Some(Vec::new()))));
    let result = encode();
    let outer = restore.0.take().flatten();
    (result, LEAVING.replace(outer).unwrap_or_default())
}

/// Runs a decoder, whose values may take these files.
pub(crate) fn supply<R>(files: Vec<OwnedFd>, decode: impl FnOnce() -> R) -> R {
    struct Restore(Option<Vec<Option<OwnedFd>>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            ARRIVED.set(self.0.take());
        }
    }
    let _restore = Restore(ARRIVED.replace(Some(files.into_iter().map(Some).collect())));
    decode()
}

/// The same files once more, as if they had arrived.
pub(crate) fn duplicate(files: &[File]) -> Result<Vec<OwnedFd>, WireError> {
    let copies = files.iter().map(|file| file.try_clone()).collect::<Result<_, _>>();
    copies.map_err(|error| WireError::new(error.to_string()))
}

/// Attaches a file to the value that is being encoded; `None` outside of that.
pub(crate) fn attach(file: File) -> Option<u32> {
    LEAVING.with_borrow_mut(|leaving| {
        let leaving = leaving.as_mut()?;
        leaving.push(file);
        u32::try_from(leaving.len() - 1).ok()
    })
}

/// Takes an attached file, once; `None` if there is no such file.
pub(crate) fn take(index: u32) -> Option<OwnedFd> {
    ARRIVED.with_borrow_mut(|arrived| arrived.as_mut()?.get_mut(index as usize)?.take())
}
