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
    /// Sends it again.
    again: Again,
}

type Again = Box<dyn Fn(Request) + Send + Sync>;

impl Pool {
    /// Gives back the turn of a call that has not begun, since its value is gone.
    pub(super) fn displace(&'static self, request: Request) {
        displace(request, |request| {
            self.change(|state, chores| {
                state.put_back(vec![request]);
                self.hand_out(state, chores);
            });
        });
    }
}

/// The same, where it is sent again by other means.
pub(crate) fn displace(mut request: Request, again: impl Fn(Request) + Send + Sync + 'static) {
    let Some(turn) = request.call.turn() else { return request.call.withdraw() };
    request.come_back();
    // Where the value is made anew, its time counts from its new start.
    drop(request.set_alarm(None));
    request.has_place = false;
    // It takes another place with its next turn.
    drop(request.limiter().map(Admission::taken));
    let (request, again) = (Lock::new(Some(request)), Box::new(again));
    turn.come_back(Arc::new(Displaced { request, again }));
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
        (self.again)(request);
        true
    }

    fn refuse(self: Arc<Self>, why: ErrorKind) -> bool {
        let Some(request) = self.take() else { return false };
        request.limiter().iter().for_each(|limiter| limiter.uncount_elsewhere());
        request.call.fail(Error::new(request.call.function().name(), why));
        true
    }
}
