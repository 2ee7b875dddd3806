//! Waiting for detached tasks, when a service shuts down.
//!
//! Calls are counted anyway, for the statistics. During the pause before a retry, and until the
//! closures of `map` and `then` have run, there is no call, so what follows one is counted here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::{stats, timer, wait};

/// The longest interval between two checks. Shutdown need not be noticed to the microsecond, and
/// this way calls do not pay for signalling it.
const LOOK_EACH: Duration = Duration::from_millis(5);

/// Waits until all calls of this program have ended, up to the timeout; returns whether they have.
///
/// None is queued, running or to be tried again then, and what was to follow one by
/// [`map`](crate::Task::map) or [`then`](crate::Task::then) has run.
///
/// Use it for a clean shutdown: after a service has stopped accepting requests, its
/// [detached](crate::Task::detach) tasks can finish. Calls made in the meantime are waited for as
/// well. Tasks that were cancelled or missed their deadline count as ended, although in `threads`
/// their bodies may still be running. Inside a body it waits in vain, since that body has not
/// ended.
///
/// ```
/// use std::time::Duration;
/// use trine::concurrent;
///
/// #[concurrent(threads)]
/// fn write_log(line: String) {
///     println!("{line}");
/// }
///
/// write_log("the last line".into()).detach();
/// assert!(trine::drain(Duration::from_secs(10)));
/// ```
#[must_use = "false: calls are still going on"]
pub fn drain(timeout: Duration) -> bool {
    let deadline = Instant::now().checked_add(timeout);
    wait::blocking(|| {
        let mut pause = Duration::from_micros(50);
        while !has_nothing_to_do() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return false;
            }
            thread::sleep(left.map_or(pause, |left| left.min(pause)));
            if timer::needs_stand_in() {
                timer::stand_in();
            }
            pause = (pause * 2).min(LOOK_EACH);
        }
        true
    })
}

static FOLLOWING: AtomicU64 = AtomicU64::new(0);
static FOLLOWED: AtomicU64 = AtomicU64::new(0);

/// Something is to follow a call, until this is dropped.
pub(crate) struct Following(());

impl Following {
    pub(crate) fn new() -> Self {
        FOLLOWING.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        FOLLOWED.fetch_add(1, Ordering::SeqCst);
    }
}

/// Whether there was a moment just now with neither calls nor anything to follow one.
fn has_nothing_to_do() -> bool {
    let following = FOLLOWING.load(Ordering::SeqCst);
    FOLLOWED.load(Ordering::SeqCst) == following
        && stats::all_ended()
        && FOLLOWING.load(Ordering::SeqCst) == following
}
