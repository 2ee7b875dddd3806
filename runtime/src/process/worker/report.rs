//! What a worker reports about its end: panics, and allocations beyond its memory limit.
//!
//! Backtraces need care under a limit. Before it aborts for lack of memory, the standard library
//! prints one if `RUST_BACKTRACE` says so, which takes seconds and memory that is not available. So
//! a limited worker prints none. Its panics still carry them; the limit is lifted to capture these.

#![allow(unsafe_code, reason = "calls of the C library in a signal handler")]

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::{backtrace, env, panic};

use crate::error::message_of;
use crate::panic::drop_quietly;
use crate::process::channel::{Cause, WorkerEnd};
use crate::process::job::Panic;
use crate::process::platform;
use crate::process::value::output::{Finished, MAX_INLINE, Output};
use crate::process::value::wire;

/// Each shortened to what fits if the process aborts.
fn shortened(panic: &Panic) -> Panic {
    let cut = |text: &String, most: usize| {
        let end = (0..=most.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
        text[..end.unwrap_or(0)].to_owned()
    };
    Panic {
        message: cut(&panic.message, MAX_MESSAGE),
        location: panic.location.as_ref().map(|location| cut(location, MAX_LOCATION)),
        backtrace: panic.backtrace.as_ref().map(|backtrace| cut(backtrace, MAX_BACKTRACE)),
    }
}

const MAX_MESSAGE: usize = 8 << 10;
const MAX_LOCATION: usize = 4 << 10;
const MAX_BACKTRACE: usize = 16 << 10;
// Anything longer would need a segment, which could not be announced. Lengths take a few bytes.
const _: () = assert!(MAX_MESSAGE + MAX_LOCATION + MAX_BACKTRACE + 64 <= MAX_INLINE);

thread_local! {
    /// Whether this thread is in a body.
    static IN_BODY: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// The channel, for hooks and signal handlers, which have no other access to it.
static CHANNEL: OnceLock<&'static WorkerEnd> = OnceLock::new();

/// Records why this process is about to die. A child that a body forked does not have the channel's
/// memory, and something else may lie at its addresses.
fn set_cause(cause: Cause) {
    if let Some(channel) = CHANNEL.get().filter(|_| !platform::is_forked_child()) {
        channel.set_cause(cause);
    }
}

/// Records panics of bodies before the existing hook prints them.
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
    let ends_all = cfg!(panic = "abort") || cannot_unwind(&noted.message);
    if ends_all && !platform::is_forked_child() {
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

/// The exit code of a program that a panic has ended.
const PANICKED: i32 = 101;

/// Runs a body; returns its panic as it was recorded. That is boxed, so that the usual result fits
/// into registers: behind what a body has just written to the ring, memory is slow.
#[inline]
pub(crate) fn catch<T>(body: impl FnOnce() -> T) -> Result<T, Box<Panic>> {
    IN_BODY.set(true);
    // State that the body broke stays in this process for later calls to find, as with any thread.
    let result = panic::catch_unwind(panic::AssertUnwindSafe(body));
    IN_BODY.set(false);
    platform::end_forked_child(if result.is_ok() { 0 } else { PANICKED });
    result.map_err(noted)
}

#[cold]
fn noted(payload: Box<dyn Any + Send>) -> Box<Panic> {
    let noted = LAST.take().unwrap_or_default();
    let panic = Panic { message: message_of(&*payload), ..noted };
    // Its destructor may panic too, outside of any body.
    drop_quietly(payload);
    Box::new(panic)
}

/// Records an overflow of this thread's stack.
pub(crate) fn note_overflows() {
    platform::watch_stack(|| set_cause(Cause::StackOverflow));
}

/// Limits what this process may allocate. Call it before any body runs, and after [`note_panics`].
pub(crate) fn limit_memory(bytes: u64) {
    platform::limit_memory(bytes, || set_cause(Cause::MemoryLimit));
    print_no_backtraces();
}

/// Keeps backtraces for errors only: `RUST_LIB_BACKTRACE` controls those, and if it is not set,
/// `RUST_BACKTRACE` controls both.
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

pub(super) fn encode(panic: &Panic, output: &mut Output) {
    // A panic without a message is better than none.
    if wire::encode(panic, output).is_err() {
        output.clear();
        let _ = wire::encode(&Panic::default(), output);
    }
}
