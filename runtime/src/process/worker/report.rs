//! What a worker tells of its end: panics, and allocations over its memory limit.
//!
//! Backtraces need care below a limit. Before it aborts for want of memory, the standard library
//! prints one if `RUST_BACKTRACE` says so, which takes seconds and memory that is not there. So a
//! limited worker prints none. Its panics still carry them, for which the limit is lifted.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::{backtrace, env, fs, panic, ptr};

use rustix::process::{Resource, Rlimit};
use serde::{Deserialize, Serialize};

use crate::error::{Error, message_of};
use crate::process::channel::WorkerEnd;
use crate::process::value::output::{Finished, INLINE_MAX, Output};
use crate::process::value::wire::{self, Reader};

/// A panic, on its way to the parent.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Panic {
    pub(crate) message: String,
    pub(crate) location: Option<String>,
    pub(crate) backtrace: Option<String>,
}

impl Panic {
    pub(crate) fn into_error(self, function: &'static str) -> Error {
        Error::panicked(function, Box::new(self.message), self.location)
            .with_backtrace(self.backtrace)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        wire::decode(Reader::new(bytes)).ok()
    }

    /// With no more of each than there is room for where the process aborts.
    fn shortened(&self) -> Self {
        let cut = |text: &String, most| text[..text.floor_char_boundary(most)].to_owned();
        Self {
            message: cut(&self.message, MESSAGE_MAX),
            location: self.location.as_ref().map(|location| cut(location, LOCATION_MAX)),
            backtrace: self.backtrace.as_ref().map(|backtrace| cut(backtrace, BACKTRACE_MAX)),
        }
    }
}

const MESSAGE_MAX: usize = 8 << 10;
const LOCATION_MAX: usize = 4 << 10;
const BACKTRACE_MAX: usize = 16 << 10;
// What is longer would go to a segment, which nobody could be told of. Lengths take a few bytes.
const _: () = assert!(MESSAGE_MAX + LOCATION_MAX + BACKTRACE_MAX + 64 <= INLINE_MAX);

thread_local! {
    /// Whether this thread is in a body.
    static IN_BODY: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// The channel, for those that have no other way to it: hooks and handlers.
static CHANNEL: OnceLock<&'static WorkerEnd> = OnceLock::new();

/// Has panics of bodies noted before the hook that is there prints them.
pub(crate) fn note_panics(channel: &'static WorkerEnd) {
    let _ = CHANNEL.set(channel);
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if IN_BODY.get() {
            note(channel, info);
        }
        previous(info);
    }));
}

fn note(channel: &WorkerEnd, info: &PanicHookInfo<'_>) {
    let noted = Panic {
        message: info.payload_as_str().unwrap_or("Box<dyn Any>").to_owned(),
        location: info.location().map(ToString::to_string),
        backtrace: beyond_limit(|| {
            let backtrace = backtrace::Backtrace::capture();
            let is_there = backtrace.status() == backtrace::BacktraceStatus::Captured;
            is_there.then(|| backtrace.to_string())
        }),
    };
    if cfg!(panic = "abort") || cannot_unwind(&noted.message) {
        let mut output = Output::in_vector(Vec::new());
        if wire::encode(&noted.shortened(), &mut output).is_ok()
            && let Finished::Heap(bytes) = output.finish()
        {
            channel.leave_report(&bytes);
        }
    }
    LAST.set(Some(noted));
}

/// The panics after which the standard library aborts.
fn cannot_unwind(message: &str) -> bool {
    message.starts_with("panic in a function that cannot unwind")
        || message.starts_with("panic in a destructor during cleanup")
}

/// Runs a body; its panic comes back as it was noted.
pub(crate) fn catch<T>(body: impl FnOnce() -> T) -> Result<T, Panic> {
    IN_BODY.set(true);
    // What the body broke is in this process, whose next call may find it, as with any thread.
    let result = panic::catch_unwind(panic::AssertUnwindSafe(body));
    IN_BODY.set(false);
    result.map_err(|payload| {
        let noted = LAST.take().unwrap_or_default();
        Panic { message: message_of(&*payload), ..noted }
    })
}

/// Where an abort for want of memory is noted.
static OVER_LIMIT: AtomicPtr<WorkerEnd> = AtomicPtr::new(ptr::null_mut());

/// Bounds what this process may allocate. Before any body runs.
pub(crate) fn limit_memory(channel: &'static WorkerEnd, bytes: u64) {
    let hard = rustix::process::getrlimit(Resource::Data).maximum;
    let bytes = hard.map_or(bytes, |hard| hard.min(bytes));
    let limit = Rlimit { current: Some(bytes), maximum: hard };
    let _ = rustix::process::setrlimit(Resource::Data, limit);
    OVER_LIMIT.store(ptr::from_ref(channel).cast_mut(), Ordering::Release);
    print_no_backtraces();
    // SAFETY: the handler does only what a signal handler may.
    unsafe { libc::signal(libc::SIGABRT, on_abort as *const () as libc::sighandler_t) };
}

/// Leaves backtraces to errors: `RUST_LIB_BACKTRACE` is for those, and as far as it is not set,
/// `RUST_BACKTRACE` is for both.
fn print_no_backtraces() {
    const PRINTED: &str = "RUST_BACKTRACE";
    const KEPT: &str = "RUST_LIB_BACKTRACE";
    let Some(style) = env::var_os(PRINTED) else { return };
    // SAFETY: no other thread exists before `main`, unless a constructor of others started one
    // that reads the environment right now.
    unsafe {
        if env::var_os(KEPT).is_none() {
            env::set_var(KEPT, style);
        }
        env::set_var(PRINTED, "0");
    }
}

/// Runs something of the engine's that may take more memory than the limit leaves, and goes on
/// with a limit that is higher by what it keeps.
fn beyond_limit<R>(run: impl FnOnce() -> R) -> R {
    if OVER_LIMIT.load(Ordering::Acquire).is_null() {
        return run();
    }
    let limit = rustix::process::getrlimit(Resource::Data);
    let set = |current| {
        let limit = Rlimit { current, maximum: limit.maximum };
        let _ = rustix::process::setrlimit(Resource::Data, limit);
    };
    set(limit.maximum);
    let before = data();
    let result = run();
    let kept = data().saturating_sub(before);
    let higher = limit.current.map(|bytes| bytes.saturating_add(kept));
    set(match (higher, limit.maximum) {
        (Some(bytes), Some(most)) => Some(bytes.min(most)),
        (bytes, _) => bytes,
    });
    result
}

/// The bytes that count against the limit, and the stack; 0 where `/proc` is not there.
fn data() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(5).and_then(|pages| pages.parse().ok()).unwrap_or(0_u64);
    pages * rustix::param::page_size() as u64
}

/// A failed allocation ends in an abort: of `handle_alloc_error` in Rust, which lies on the stack
/// then, or elsewhere right after the system said ENOMEM.
extern "C" fn on_abort(_signal: i32) {
    // SAFETY: the thread's errno is always there, and `abort` has not touched it.
    let error = unsafe { *libc::__errno_location() };
    let channel = OVER_LIMIT.load(Ordering::Acquire);
    if !channel.is_null() && (error == libc::ENOMEM || is_in_alloc_error()) {
        // SAFETY: the channel lives as long as the process.
        unsafe { &*channel }.set_over_limit();
    }
    // SAFETY: back to the default; `abort` raises the signal again when this returns.
    unsafe { libc::signal(libc::SIGABRT, libc::SIG_DFL) };
}

// Of the unwinder that the standard library links.
unsafe extern "C" {
    fn _Unwind_Backtrace(
        look: extern "C" fn(*mut c_void, *mut bool) -> i32,
        found: *mut bool,
    ) -> i32;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
    fn _Unwind_FindEnclosingFunction(address: usize) -> usize;
}

fn is_in_alloc_error() -> bool {
    extern "C" fn look(context: *mut c_void, found: *mut bool) -> i32 {
        let handler: fn(std::alloc::Layout) -> ! = std::alloc::handle_alloc_error;
        // SAFETY: the unwinder passes its context, and the pointer that it was given. A return
        // address may lie behind its function's last instruction; the one before it does not.
        unsafe {
            let address = _Unwind_GetIP(context).wrapping_sub(1);
            *found |= _Unwind_FindEnclosingFunction(address) == handler as usize;
        }
        0
    }
    let mut found = false;
    // SAFETY: the callback gets back the pointer to `found`, which outlives the call.
    unsafe { _Unwind_Backtrace(look, &raw mut found) };
    found
}
