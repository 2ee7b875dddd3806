//! A worker without a request: it spins, sleeps, or rests while the parent takes its replies.

use std::time::Duration;

use super::Worker;
use crate::process::spin;
use crate::process::value::shared;

/// How long shared slices stay mapped while idle.
const SEEN_FOR: Duration = Duration::from_millis(500);
/// How long to wait for replies to be taken before looking for requests again.
const MAX_REST: Duration = Duration::from_millis(10);

impl Worker {
    /// Waits until there may be a request.
    pub(super) fn idle(&mut self) {
        let (channel, head, tail) = (self.channel, self.head, self.tail);
        self.crowding.note(channel.core());
        if channel.is_ahead(tail) {
            // Who takes replies, and then sends more requests, may need this core for that.
            self.tell_dispatcher();
            return channel.sleep(true, Some(MAX_REST), || !channel.is_ahead(tail));
        }
        if spin::until(|| channel.core(), || channel.has_requests(head)) {
            return;
        }
        self.tell_dispatcher();
        self.patience.wait(
            || channel.core(),
            || channel.has_requests(head),
            || {
                let most = shared::has_seen().then_some(SEEN_FOR);
                channel.sleep(false, most, || channel.has_requests(head));
                if most.is_some() && !channel.has_requests(head) {
                    shared::forget_seen();
                }
            },
        );
    }
}
