//! What a line does about places: which call is next that has one, or needs none.

use std::sync::Arc;

use super::bid::{Bid, Bidder, Held};
use super::{Line, State};
use crate::error::ErrorKind;
use crate::limit::{Admission, Admit, Limited, take_wanted};

/// How far behind calls that wait for places one is looked for that does not.
const MAX_AHEAD: usize = 64;

impl State {
    fn forget_bid(&mut self, limited: Limited) {
        self.bids.retain(|bid| !bid.is_for(limited));
    }
}

impl Line {
    /// Takes the call that is next out of the line, with the place that it needs; that may be the
    /// one that is held. None may be that has all it needs.
    pub(super) fn take_next(
        self: &Arc<Self>,
        state: &mut State,
        held: &mut Option<Held>,
    ) -> Option<(Arc<dyn Admit>, Option<Admission>)> {
        let ahead = if self.is_single() { 1 } else { MAX_AHEAD };
        for position in 0..ahead.min(state.waiting.len()) {
            let call = &state.waiting[position];
            // One that was given up needs none.
            let limited = call.limited().filter(|_| call.is_pending());
            let place = match limited {
                None => None,
                Some(limited) => match self.place_for(limited, state, held) {
                    None => continue,
                    place => place,
                },
            };
            return state.waiting.remove(position).map(|call| (call, place));
        }
        None
    }

    fn place_for(
        self: &Arc<Self>,
        limited: Limited,
        state: &mut State,
        held: &mut Option<Held>,
    ) -> Option<Admission> {
        if let Some((_, place)) = held.take_if(|(of, _)| of.is(limited)) {
            return Some(place);
        }
        if state.bids.iter().any(|bid| bid.is_for(limited)) {
            // It stands in line for the next one.
            return None;
        }
        limited.take_or_stand(|| {
            let bid = Bid::new(self.clone(), limited);
            state.bids.push(Arc::clone(&bid));
            bid
        })
    }

    /// Ends the calls in line whose results somebody wants: nobody can run what they wait for.
    pub(crate) fn refuse_wanted(&self, why: &ErrorKind) {
        let refused = take_wanted(&mut self.lock().waiting);
        for call in refused {
            if !call.refuse(why.clone()) {
                self.lock().given_up -= 1;
            }
        }
    }
}

impl Bidder for Line {
    /// The call that is next gets the place, if a copy is idle that runs it.
    fn offer(self: Arc<Self>, held: Held) {
        let mut state = self.lock();
        state.forget_bid(held.0);
        let Some(copy) = self.taker(&state) else {
            // Unlocked, since others get the place.
            drop(state);
            return drop(held);
        };
        state.copies[copy].take();
        drop(state);
        self.pass_on(copy, Some(held));
    }

    /// Ends what waits here and is wanted.
    fn refuse_at_place(self: Arc<Self>, limited: Limited, why: ErrorKind) {
        let mut state = self.lock();
        state.forget_bid(limited);
        let taker = self.taker(&state);
        taker.iter().for_each(|copy| _ = state.copies[*copy].take());
        drop(state);
        self.refuse_wanted(&why);
        if let Some(copy) = taker {
            // The others wait on.
            self.turn(copy).leave();
        }
    }
}
