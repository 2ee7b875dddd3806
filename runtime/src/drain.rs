//! Waiting for what nobody waits for, at the end of a service.

use std::thread;
use std::time::{Duration, Instant};

use crate::{stats, wait};

/// The longest time between two looks. An end of the program need not be told to the microsecond,
/// and no call then pays for telling it.
const LOOK_EACH: Duration = Duration::from_millis(5);

/// Waits until no call is queued or running in this program, that long at most; says whether it
/// came to that.
///
/// For a clean end of a service: after it has stopped to take requests, what it
/// [detached](crate::Task::detach) ends too. Calls that are made meanwhile are waited for as well.
/// What was cancelled or went past its deadline has ended, though in `threads` its body may still
/// be on its way out. Inside of a body it waits in vain, since that has not ended.
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
        while stats::unfinished() > 0 {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return false;
            }
            thread::sleep(left.map_or(pause, |left| left.min(pause)));
            pause = (pause * 2).min(LOOK_EACH);
        }
        true
    })
}
