//! A call whose process has ended before the call had begun: it goes back to the front of its line,
//! and to the process in which the value is made anew.

use std::sync::Arc;

use super::books::Pool;
use super::request::Request;
use crate::error::{Error, ErrorKind};
use crate::limit::{Admission, Admit, Limited};
use crate::sync::Lock;

/// It waits for its turn a second time. Whoever cancels it meanwhile ends it, but not its wait.
struct Displaced {
    request: Lock<Option<Request>>,
    pool: &'static Pool,
}

impl Pool {
    /// Gives back the turn of a call that has not begun, since its value is gone.
    pub(super) fn displace(&'static self, mut request: Request) {
        let Some(turn) = request.call.turn() else { return };
        request.come_back();
        // Where the value is made anew, its time counts from its new start.
        drop(request.set_alarm(None));
        request.has_place = false;
        // It takes another place with its next turn.
        drop(request.limiter().map(Admission::taken));
        turn.come_back(Arc::new(Displaced { request: Lock::new(Some(request)), pool: self }));
    }
}

impl Displaced {
    fn take(&self) -> Option<Request> {
        self.request.lock().take()
    }
}

impl Admit for Displaced {
    fn limited(&self) -> Option<Limited> {
        self.request.lock().as_ref()?.call.limited()
    }

    fn assign(&self, copy: usize) {
        if let Some(request) = &*self.request.lock() {
            request.call.assign(copy);
        }
    }

    fn is_pending(&self) -> bool {
        // It was not counted as given up.
        true
    }

    fn admit(self: Arc<Self>) -> bool {
        let Some(mut request) = self.take() else { return false };
        request.has_place = true;
        self.pool.change(|state, chores| {
            state.put_back(vec![request]);
            self.pool.hand_out(state, chores);
        });
        true
    }

    fn refuse(self: Arc<Self>, why: ErrorKind) -> bool {
        let Some(request) = self.take() else { return false };
        request.limiter().iter().for_each(|limiter| limiter.uncount_elsewhere());
        request.call.fail(Error::new(request.call.function().name(), why));
        true
    }
}
