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
use crate::nesting;
use crate::sync::Lock;

thread_local! {
    /// The number of the body that this thread is inside of. Outside of any, which is 0, the hook
    /// records nothing.
    static BODY: Cell<u64> = const { Cell::new(0) };
    /// How many bodies this thread has begun.
    static BEGUN: Cell<u64> = const { Cell::new(0) };
    /// Where it panicked last, and in which body: one that resumes a panic does not say where.
    static LOCATION: RefCell<Option<(u64, String)>> = const { RefCell::new(None) };
}

/// Runs a body; its panic becomes the task's error.
#[inline]
pub(crate) fn catch<T>(function: &'static str, body: impl FnOnce() -> T) -> Result<T, Error> {
    if !INSTALLED.load(Ordering::Relaxed) {
        install_hook();
    }
    let body_number = BEGUN.get() + 1;
    BEGUN.set(body_number);
    let outer = BODY.replace(body_number);
    // A body that panicked has dropped its arguments while unwinding and shares nothing with us. If
    // it shares state with others through `Arc` or statics, they must make that unwind safe, as
    // with `std::thread::spawn`.
    let result = catch_unwind(AssertUnwindSafe(|| nesting::afresh(body)));
    BODY.set(outer);
    result.map_err(|payload| {
        let last = LOCATION.try_with(RefCell::take).ok().flatten();
        let is_its_own = |last: &(u64, String)| last.0 == body_number;
        Error::panicked(function, payload, last.filter(is_its_own).map(|last| last.1))
    })
}

/// Drops a value that nobody waits for.
pub(crate) fn drop_quietly<T>(value: T) {
    if std::mem::needs_drop::<T>() {
        quietly(|| drop(value));
    }
}

/// The same for several: a panic while another one unwinds would end the program.
pub(crate) fn drop_each<T>(values: impl IntoIterator<Item = T>) {
    values.into_iter().for_each(drop_quietly);
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
        let body = BODY.try_with(Cell::get).unwrap_or(0);
        if body > 0 {
            let location = info.location().map(|location| (body, location.to_string()));
            // Already destroyed if a thread-local's destructor panics: then there is no location.
            let _ = LOCATION.try_with(|slot| *slot.borrow_mut() = location);
        }
        previous(info);
    }));
    INSTALLED.store(true, Ordering::Relaxed);
}
