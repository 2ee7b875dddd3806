//! A job that another thread runs, and what its body is stopped by: one end for each call, whoever
//! comes first of the body, a cancel, a deadline and the runtime that drops it.

use crate::cell::JobCell;
use crate::error::Error;
use crate::sync::Mutex;

#[cfg(all(test, trine_loom))]
mod model;

pub(super) struct Stoppable<J, T, H> {
    pub(super) job: JobCell<J, T>,
    handle: Mutex<Option<H>>,
}

impl<J: Send + 'static, T, H> Stoppable<J, T, H> {
    pub(super) fn new(job: JobCell<J, T>) -> Self {
        Self { job, handle: Mutex::new(None) }
    }

    /// Starts what runs it. Locked meanwhile, so that a cancel which sees that it runs finds what
    /// to stop.
    pub(super) fn start(&self, start: impl FnOnce() -> H) {
        let mut handle = self.handle.lock();
        *handle = Some(start());
    }

    /// Keeps what the body will be stopped by, before it claims the job.
    pub(super) fn keep(&self, handle: H) {
        *self.handle.lock() = Some(handle);
    }

    /// Ends the job if it has not started. A running body is told, and `stop` taken from its handle
    /// is returned, for the caller to use without the lock.
    pub(super) fn cancel<S>(&self, why: Error, stop: impl FnOnce(&H) -> S) -> Option<S> {
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
        self.handle.lock().as_ref().map(stop)
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
