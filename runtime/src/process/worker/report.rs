//! What a worker tells of its end: panics, and allocations over its memory limit.
//!
//! Backtraces need care below a limit. Before it aborts for want of memory, the standard library
//! prints one if `RUST_BACKTRACE` says so, which takes seconds and memory that is not there. So a
//! limited worker prints none. Its panics still carry them, for which the limit is lifted.

use std::cell::{Cell, RefCell};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::{backtrace, env, panic};

use crate::error::message_of;
use crate::process::channel::{Cause, WorkerEnd};
use crate::process::job::Panic;
use crate::process::platform;
use crate::process::value::output::{Finished, INLINE_MAX, Output};
use crate::process::value::wire;

/// With no more of each than there is room for where the process aborts.
fn shortened(panic: &Panic) -> Panic {
    let cut = |text: &String, most: usize| {
        let end = (0..=most.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
        text[..end.unwrap_or(0)].to_owned()
    };
    Panic {
        message: cut(&panic.message, MESSAGE_MAX),
        location: panic.location.as_ref().map(|location| cut(location, LOCATION_MAX)),
        backtrace: panic.backtrace.as_ref().map(|backtrace| cut(backtrace, BACKTRACE_MAX)),
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
        message: message_of(info.payload()),
        location: info.location().map(ToString::to_string),
        backtrace: platform::beyond_limit(|| {
            let backtrace = backtrace::Backtrace::capture();
            let is_there = backtrace.status() == backtrace::BacktraceStatus::Captured;
            is_there.then(|| backtrace.to_string())
        }),
    };
    if cfg!(panic = "abort") || cannot_unwind(&noted.message) {
        let mut output = Output::in_vector(Vec::new());
        if wire::encode(&shortened(&noted), &mut output).is_ok()
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

/// Has an overflow of this thread's stack noted.
pub(crate) fn note_overflows() {
    platform::watch_stack(|| {
        if let Some(channel) = CHANNEL.get() {
            channel.set_cause(Cause::StackOverflow);
        }
    });
}

/// Bounds what this process may allocate. Before any body runs, and after [`note_panics`].
pub(crate) fn limit_memory(bytes: u64) {
    platform::limit_memory(bytes, || {
        if let Some(channel) = CHANNEL.get() {
            channel.set_cause(Cause::MemoryLimit);
        }
    });
    print_no_backtraces();
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
