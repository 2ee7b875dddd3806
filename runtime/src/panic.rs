//! Catching a body's panic with its message and its place.
//!
//! The place is told only to the panic hook, so there is one that notes it for this thread and
//! then calls the hook that was there: what is printed stays as the user set it. A program that
//! sets another hook drops this one, which says so, and the next body that starts puts it in front
//! again. A body that runs at that moment may panic without a place.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;
use crate::sync::Lock;

thread_local! {
    /// How many bodies this thread is inside of: outside, the hook has nothing to note.
    static BODIES: Cell<usize> = const { Cell::new(0) };
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a body; its panic becomes the task's error.
pub(crate) fn catch<T>(function: &'static str, body: impl FnOnce() -> T) -> Result<T, Error> {
    if !INSTALLED.load(Ordering::Relaxed) {
        install_hook();
    }
    BODIES.set(BODIES.get() + 1);
    // A body that panicked has dropped its arguments while unwinding and shares nothing with us;
    // what it shares with others by `Arc` or statics is theirs to make unwind safe, as with
    // `std::thread::spawn`.
    let result = catch_unwind(AssertUnwindSafe(body));
    BODIES.set(BODIES.get() - 1);
    result.map_err(|payload| {
        let location = LOCATION.try_with(RefCell::take).ok().flatten();
        Error::panicked(function, payload, location)
    })
}

/// Drops a value that nobody waits for.
pub(crate) fn drop_quietly<T>(value: T) {
    if std::mem::needs_drop::<T>() {
        quietly(|| drop(value));
    }
}

/// Runs what may run code of others, on a thread that has to go on whatever that does. A panic was
/// printed by the hook and has nobody to go to: then there is no value.
pub(crate) fn quietly<R>(run: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(run)).map_err(discard).ok()
}

/// Drops the payload of a panic, which is a value of others too.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(next) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // Payloads that panic as they are dropped may go on like that without end.
        mem::forget(next);
    }
}

/// Whether the hook that notes places is there.
static INSTALLED: AtomicBool = AtomicBool::new(false);

/// Owned by the hook, and dropped with it.
struct Installed;

impl Drop for Installed {
    fn drop(&mut self) {
        INSTALLED.store(false, Ordering::Relaxed);
    }
}

#[cold]
fn install_hook() {
    static ONE_AT_A_TIME: Lock<()> = Lock::new(());
    let _one_at_a_time = ONE_AT_A_TIME.lock();
    // The hook cannot be replaced while this thread unwinds: do without the places.
    if std::thread::panicking() || INSTALLED.load(Ordering::Relaxed) {
        return;
    }
    let (previous, installed) = (take_hook(), Installed);
    set_hook(Box::new(move |info| {
        let _owned = &installed;
        if BODIES.try_with(Cell::get).is_ok_and(|bodies| bodies > 0) {
            let location = info.location().map(ToString::to_string);
            // Not there any more when a thread-local's destructor panics: then there is no place.
            let _ = LOCATION.try_with(|slot| *slot.borrow_mut() = location);
        }
        previous(info);
    }));
    INSTALLED.store(true, Ordering::Relaxed);
}
