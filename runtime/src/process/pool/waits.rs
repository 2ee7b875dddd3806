//! Which calls may wait for others, and keep their workers from them.

/// What a call in a worker may wait for, and keeps its worker meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// For no other call.
    Never,
    /// For the other end of a channel or stream that it was given, which says so.
    ForEnds,
    /// For the reader of what it yields. It is given a worker without asking.
    ForReader,
}
