//! What a claimed call holds until its body has ended: a place that others wait for.

use crate::limit::Limiter;
use crate::worker::line::Turn;

/// Passed on when it is dropped.
pub(crate) struct Place(Of);

enum Of {
    /// Nobody waits for it.
    Nothing,
    /// One of those under the function's `limit`.
    Limit(&'static Limiter),
    /// The turn of a worker with state, and its place under the `limit` of the method.
    Turn(Turn, Option<&'static Limiter>),
}

impl Place {
    pub(crate) const FREE: Self = Self(Of::Nothing);

    pub(crate) const fn under(limiter: &'static Limiter) -> Self {
        Self(Of::Limit(limiter))
    }

    pub(crate) const fn turn(turn: Turn, limiter: Option<&'static Limiter>) -> Self {
        Self(Of::Turn(turn, limiter))
    }

    /// Keeps it beyond this: whoever claimed it passes it on by another one.
    pub(crate) fn keep(mut self) {
        self.0 = Of::Nothing;
    }
}

impl Drop for Place {
    #[inline]
    fn drop(&mut self) {
        match std::mem::replace(&mut self.0, Of::Nothing) {
            Of::Nothing => {}
            Of::Limit(limiter) => limiter.leave(),
            Of::Turn(turn, limiter) => {
                if let Some(limiter) = limiter {
                    limiter.uncount_elsewhere();
                    limiter.leave();
                }
                turn.leave();
            }
        }
    }
}
