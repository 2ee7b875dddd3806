//! A job that another thread runs, and what its body is stopped by: one end for each call, whoever
//! comes first of the body, a cancel, a deadline and the runtime that drops it.

use crate::cell::JobCell;
use crate::error::Error;
use crate::sync::Mutex;

#[cfg(all(test, trine_loom))]
mod model;

pub(super) struct Stoppable<J, T, H> {
    pub(super) job: JobCell<J, T>,
    /// What tells whoever runs the body to look whether it is to stop. There once it has waited.
    handle: Mutex<Option<H>>,
}

impl<J: Send + 'static, T, H: Clone> Stoppable<J, T, H> {
    // Always: it would be copied.
    #[inline(always)]
    pub(super) fn new(job: JobCell<J, T>) -> Self {
        Self { job, handle: Mutex::new(None) }
    }

    /// Keeps what tells whoever runs the body, which now waits, and returns whether it may: a
    /// cancel either finds the handle or is seen here.
    pub(super) fn keep(&self, handle: H) -> bool {
        *self.handle.lock() = Some(handle);
        !self.is_stopped()
    }

    /// Whether the body is to stop when it waits.
    pub(super) fn is_stopped(&self) -> bool {
        self.job.cell().is_cancel_requested()
    }

    /// Ends the job if it has not started. A running body is told, by the handle that is returned,
    /// for the caller to use without the lock.
    pub(super) fn cancel(&self, why: Error) -> Option<H> {
        let why = self.job.revoke(why).err()?;
        let cell = self.job.cell();
        if cell.is_finished() {
            return None;
        }
        if why.is_timeout() {
            // First: a body that sees the request may return at once, after its deadline.
            cell.finish(Err(why));
        }
        cell.request_cancel();
        self.handle.lock().clone()
    }

    /// What was to run it is dropped: the call ends, unless it has ended. If the job was neither
    /// claimed here nor is still there, whoever revoked it ends it, with an error of its own.
    pub(super) fn let_go(&self, has_claimed: bool) {
        let cell = self.job.cell();
        if cell.is_finished() {
            return;
        }
        let why = Error::cancelled(self.job.function().name());
        if has_claimed {
            cell.finish(Err(why));
        } else {
            let _ = self.job.revoke(why);
        }
    }
}
