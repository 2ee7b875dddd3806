//! Whether a thread computes or sleeps, from the kernel's files about it, kept open; or, where
//! there are none, from nothing but time.

use std::time::Duration;

#[cfg(target_os = "linux")]
mod kernel;
#[cfg(not(target_os = "linux"))]
mod kernel {
    //! No such files here.
    pub(in crate::threads) struct Files;
    impl Files {
        pub(in crate::threads) fn open() -> Option<Self> {
            None
        }
        pub(in crate::threads) fn read(&mut self, _: u32) -> Option<super::Reading> {
            None
        }
        pub(in crate::threads) fn close_unread(&mut self) {}
    }
}

/// What a thread looks like at a moment.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// In the kernel, waiting for something. Not: ready to run, but without a core.
    pub(super) sleeps: bool,
    /// The time it has computed since it exists.
    pub(super) computed: Duration,
}

/// The way to find out, chosen once.
pub(super) enum Probe {
    /// Ask the kernel.
    Kernel(kernel::Files),
    /// There is nobody to ask: presume that a task that takes long is blocked.
    Time,
}

impl Probe {
    pub(super) fn choose() -> Self {
        kernel::Files::open().map_or(Self::Time, Self::Kernel)
    }

    /// What the thread looks like. `None` if nobody says: there is nobody to ask, or no descriptor
    /// left to ask with.
    pub(super) fn read(&mut self, thread: u32) -> Option<Reading> {
        match self {
            Self::Kernel(files) => files.read(thread),
            Self::Time => None,
        }
    }

    /// Closes the files of threads that were not read since the last time.
    pub(super) fn close_unread(&mut self) {
        if let Self::Kernel(files) = self {
            files.close_unread();
        }
    }
}
