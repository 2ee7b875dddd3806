//! `limit` on methods: how a line waits for a place for the call whose turn it is.
//!
//! A call has a place only while it runs. It asks for one at the front of its line; if there is
//! none, it stays there and the line stands among those that wait for places, with a **bid**. The
//! copy that would run it stays idle meanwhile: it has no turn, so the value can be made anew or
//! dropped as ever, and nothing but the place is waited for. A place that comes when no copy is
//! idle goes on to the next bid, and the line asks again: if it were kept, calls of other workers
//! would wait for one that does not run.
//!
//! Behind a single value, all calls wait for that at the front: they are in order. Of several
//! copies those that are free run what needs no such place.

use std::sync::Arc;

use crate::error::ErrorKind;
use crate::limit::{Admission, Admit, Limited};
use crate::sync::Lock;

/// A place that was waited for, and under what.
pub(super) type Held = (Limited, Admission);

/// The line that bids.
pub(super) trait Bidder: Send + Sync {
    /// There is a place, and the bid is over.
    fn offer(self: Arc<Self>, held: Held);

    /// Nobody can run what has the places, and the bid is over.
    fn refuse_at_place(self: Arc<Self>, limited: Limited, why: ErrorKind);
}

/// Stands in line for a place, for whichever call of this function is next at this worker.
pub(super) struct Bid {
    limited: Limited,
    /// Whoever takes it has ended the bid: a place that has come, or the line itself. What is left
    /// of a bid holds nothing of the worker.
    bidder: Lock<Option<Arc<dyn Bidder>>>,
}

impl Bid {
    pub(super) fn new(bidder: Arc<dyn Bidder>, limited: Limited) -> Arc<Self> {
        Arc::new(Self { limited, bidder: Lock::new(Some(bidder)) })
    }

    /// Whether it is for a place under this.
    pub(super) fn is_for(&self, limited: Limited) -> bool {
        self.limited.is(limited)
    }

    fn end(&self) -> Option<Arc<dyn Bidder>> {
        self.bidder.lock().take()
    }

    /// No call needs the place any more.
    pub(super) fn withdraw(&self) {
        if self.end().is_some() {
            self.limited.limiter.give_up();
        }
    }
}

impl Admit for Bid {
    fn admit(self: Arc<Self>) -> bool {
        let bidder = self.end();
        bidder.is_some_and(|bidder| {
            bidder.offer((self.limited, Admission::taken(self.limited.limiter)));
            true
        })
    }

    fn refuse(self: Arc<Self>, why: ErrorKind) -> bool {
        let bidder = self.end();
        bidder.is_some_and(|bidder| {
            bidder.refuse_at_place(self.limited, why);
            true
        })
    }

    fn is_pending(&self) -> bool {
        self.bidder.lock().is_some()
    }
}
