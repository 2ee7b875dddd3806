//! Whether a thread computes or sleeps: from the kernel's files about it, which are kept open, or,
//! if there are none, from elapsed time alone.

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

/// The state of a thread at some moment.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// Waiting in the kernel, as opposed to ready to run but without a core.
    pub(super) sleeps: bool,
    /// Its CPU time so far.
    pub(super) computed: Duration,
}

/// How to find out, chosen once.
pub(super) enum Probe {
    /// Ask the kernel.
    Kernel(kernel::Files),
    /// There is no way to ask: presume that a task that takes long is blocked.
    Time,
}

impl Probe {
    pub(super) fn choose() -> Self {
        kernel::Files::open().map_or(Self::Time, Self::Kernel)
    }

    /// The state of the thread. `None` if it cannot be read: there is no such file, or no
    /// descriptor left.
    pub(super) fn read(&mut self, thread: u32) -> Option<Reading> {
        match self {
            Self::Kernel(files) => files.read(thread),
            Self::Time => None,
        }
    }

    /// Closes the files of threads that were not read since the last call.
    pub(super) fn close_unread(&mut self) {
        if let Self::Kernel(files) = self {
            files.close_unread();
        }
    }
}
