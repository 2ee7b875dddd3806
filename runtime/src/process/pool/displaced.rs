//! A call whose process has ended before the call had begun: it goes back to the front of its line,
//! and to the process in which the value is made anew.

use std::sync::Arc;

use super::books::Pool;
use super::request::Request;
use crate::error::{Error, ErrorKind};
use crate::limit::{Admission, Admit, Limited};
use crate::sync::Lock;
use crate::worker::line::Ticket;

/// It waits for its turn a second time, unless whoever ends it meanwhile tells the line.
struct Displaced {
    request: Lock<Option<Request>>,
    /// The number of its turn.
    order: u64,
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
    let call = Arc::clone(&request.call);
    let Some(ticket) = call.ticket() else { return call.withdraw() };
    request.come_back();
    // Where the value is made anew, its time counts from its new start.
    drop(request.set_alarm(None));
    if !ticket.come_back(|| call.is_finished()) {
        // Dropping it passes the turn on.
        return;
    }
    request.has_place = false;
    // It takes another place with its next turn.
    drop(request.limiter().map(Admission::taken));
    let (request, again) = (Lock::new(Some(request)), Box::new(again));
    let order = ticket.order();
    ticket.turn().come_back(Arc::new(Displaced { request, order, again }));
}

impl Displaced {
    /// Takes it out of the line, if it is still there.
    fn take(&self) -> Option<Request> {
        let request = self.request.lock().take()?;
        request.call.ticket().is_some_and(Ticket::leave_again).then_some(request)
    }
}

impl Admit for Displaced {
    fn limited(&self) -> Option<Limited> {
        self.request.lock().as_ref()?.call.limited()
    }

    fn assign(&self, copy: usize, order: u64) {
        if let Some(request) = &*self.request.lock() {
            request.call.assign(copy, order);
        }
    }

    fn order(&self) -> Option<u64> {
        Some(self.order)
    }

    fn is_pending(&self) -> bool {
        let request = self.request.lock();
        let ticket = request.as_ref().and_then(|request| request.call.ticket());
        ticket.is_some_and(Ticket::is_back)
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
