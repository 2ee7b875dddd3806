//! Catching a body's panic with its message and location.
//!
//! Only the panic hook sees the location, so we install one that records it for this thread and
//! then calls the previous hook, which prints as before. If the program sets another hook, ours is
//! dropped and records that, and the next body that starts reinstalls it in front. A panic in
//! between may have no location.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;
use crate::sync::Lock;

thread_local! {
    /// How many bodies this thread is inside of. Outside of any, the hook records nothing.
    static BODIES: Cell<usize> = const { Cell::new(0) };
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a body; its panic becomes the task's error.
pub(crate) fn catch<T>(function: &'static str, body: impl FnOnce() -> T) -> Result<T, Error> {
    if !INSTALLED.load(Ordering::Relaxed) {
        install_hook();
    }
    BODIES.set(BODIES.get() + 1);
    // A body that panicked has dropped its arguments while unwinding and shares nothing with us. If
    // it shares state with others through `Arc` or statics, they must make that unwind safe, as
    // with `std::thread::spawn`.
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

/// Runs code that may call foreign code, on a thread that has to carry on regardless. A panic has
/// been printed by the hook and goes nowhere else; the result is then `None`.
pub(crate) fn quietly<R>(run: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(run)).map_err(discard).ok()
}

/// Drops the payload of a panic, whose destructor is foreign code too.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(next) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // The payload of a panicking destructor may itself panic when dropped, without end.
        mem::forget(next);
    }
}

/// Whether the hook that records locations is installed.
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
    // The hook cannot be replaced while this thread unwinds: do without locations.
    if std::thread::panicking() || INSTALLED.load(Ordering::Relaxed) {
        return;
    }
    let (previous, installed) = (take_hook(), Installed);
    set_hook(Box::new(move |info| {
        let _owned = &installed;
        if BODIES.try_with(Cell::get).is_ok_and(|bodies| bodies > 0) {
            let location = info.location().map(ToString::to_string);
            // Already destroyed if a thread-local's destructor panics: then there is no location.
            let _ = LOCATION.try_with(|slot| *slot.borrow_mut() = location);
        }
        previous(info);
    }));
    INSTALLED.store(true, Ordering::Relaxed);
}
