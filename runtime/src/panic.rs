//! Catching a body's panic with its message and its place.
//!
//! The place is told only to the panic hook, so the first caught body adds one that notes it for
//! this thread and then calls the hook that was there: what is printed stays as the user set it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::error::Error;

thread_local! {
    /// How many bodies this thread is inside of: outside, the hook has nothing to note.
    static BODIES: Cell<usize> = const { Cell::new(0) };
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a body; its panic becomes the task's error.
pub(crate) fn catch<T>(function: &'static str, body: impl FnOnce() -> T) -> Result<T, Error> {
    static HOOK: Once = Once::new();
    if !HOOK.is_completed() {
        HOOK.call_once(note_locations);
    }
    BODIES.set(BODIES.get() + 1);
    // A body that panicked has dropped its arguments while unwinding and shares nothing with us;
    // what it shares with others by `Arc` or statics is theirs to make unwind safe, as with
    // `std::thread::spawn`.
    let result = catch_unwind(AssertUnwindSafe(body));
    BODIES.set(BODIES.get() - 1);
    result.map_err(|payload| {
        let location = LOCATION.with_borrow_mut(Option::take);
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

fn note_locations() {
    if std::thread::panicking() {
        // The hook cannot be replaced while this thread unwinds: do without the places.
        return;
    }
    let previous = take_hook();
    set_hook(Box::new(move |info| {
        if BODIES.try_with(Cell::get).is_ok_and(|bodies| bodies > 0) {
            let location = info.location().map(ToString::to_string);
            // Not there any more when a thread-local's destructor panics: then there is no place.
            let _ = LOCATION.try_with(|slot| *slot.borrow_mut() = location);
        }
        previous(info);
    }));
}
