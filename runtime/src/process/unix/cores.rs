//! The core that a thread runs on: nobody says.

/// Unknown.
pub(crate) fn current() -> Option<u32> {
    None
}

pub(crate) fn note_program() {}

pub(crate) fn as_program<R>(run: impl FnOnce() -> R) -> R {
    run()
}

pub(crate) fn leave(_: u32) {}
