//! What follows the end of a call that makes a value or drops one.

/// What follows its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The next turn.
    Leave,
    /// The value is made anew.
    Remake,
    /// The value waits to take the place of the one that has served meanwhile. It has no turn.
    Succeed,
    /// The same for one whose place was taken.
    Nothing,
}

impl Then {
    pub(super) fn has_turn(self) -> bool {
        matches!(self, Self::Leave | Self::Remake)
    }
}
