//! The line before a worker with state: calls run one at a time, in the order in which they were
//! made, and between two of them the value is made, made anew or dropped. Where there are several
//! copies, so many run at a time: one line is before all of them, and whichever is free takes the
//! next call.
//!
//! A call in line is pending: it is in no engine's queue and holds no thread. Whoever ends a call
//! passes the turn on, to the next call or to the [`Home`] of the value, so the next one runs where
//! this one ran and nothing is kept awake for the line. One lock, held for a few instructions and
//! never while foreign code runs, decides who has the turns; `loom` checks it (`line/model.rs`).
//!
//! A process runs what it is sent in order, and waits for what comes next. So calls of one value
//! that need nothing but it ([`Admit::goes_ahead`]) are sent ahead, up to [`MAX_AHEAD`] behind the
//! one that runs. Each has a turn. One thread at a time sends them, so that they arrive in order:
//! whoever comes meanwhile leaves it to that one. A call that was sent ahead and has not begun when
//! the value is lost, or is to be dropped, comes back ([`Turn::come_back`]).

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use self::bid::{Bid, Held};
pub(crate) use super::supervision::Making;
use super::supervision::{Limits, Stage, Supervision};
use crate::error::ErrorKind;
use crate::function::Function;
use crate::limit::{Admission, Admit, MAX_GIVEN_UP};
use crate::relay::{self, Observer};
use crate::sync::{Mutex, MutexGuard};
use crate::{forks, sequential};

mod ahead;
mod bid;
#[cfg(all(test, trine_loom))]
mod model;
mod orders;
mod places;
#[cfg(feature = "process")]
mod second_wait;
mod taker;
mod ticket;
mod turn;

pub(crate) use self::ticket::Ticket;

/// How many calls may be sent ahead behind the one that runs.
const MAX_AHEAD: usize = if cfg!(trine_loom) { 2 } else { 256 };
/// More are sent once there are no more than these, several at a time. Whoever ends one of those
/// before passes its turn on to nobody, and the process has enough to do meanwhile.
const ENOUGH: usize = if cfg!(trine_loom) { 1 } else { 192 };

/// Where a value is; what an engine implements. What `make` and `clear` start has the turn, and
/// passes it on when it has ended, as a call does.
pub(crate) trait Home: Send + Sync {
    /// Starts making the value, in place of the one that there may be. It reports [`Turn::made`].
    fn make(&self, turn: Turn);

    /// Starts dropping the value. It will not be made anew if it `is_last`.
    fn clear(&self, turn: Turn, is_last: bool);

    /// Whether the value is gone, since a call has ended that had it.
    fn is_lost(&self) -> bool;

    /// Whether the value is there, and another call may be sent to it before one has ended.
    fn takes_more(&self) -> bool {
        !self.is_lost()
    }

    /// Whether the value has served for long enough, and nothing is done about it yet.
    fn is_worn(&self) -> bool {
        false
    }

    /// Starts making another value while this one serves. It reports [`Turn::prepared`] if there
    /// is one; whose turn it is meanwhile does not matter.
    fn prepare(&self, _turn: Turn) {}

    /// Puts that in place of the value, unless that has ended, and has the other one dropped. The
    /// next call does not wait for it.
    fn renew(&self, _turn: Turn, _is_alive: bool) {}

    /// No call that comes from now on begins, until the value has been made anew. Under the lock of
    /// the line: a value that is made after this is another.
    fn close(&self) {}

    /// Takes back what was sent ahead, after that.
    fn call_back(&self) {}
}

pub(crate) struct Line {
    /// Of each copy.
    homes: Box<[Box<dyn Home>]>,
    limits: Limits,
    /// The process that they are in.
    generation: u32,
    state: Mutex<State>,
}

struct State {
    /// Of each copy. While a call waits, none is idle that could run it, unless what the call waits
    /// for is a place under its limit.
    copies: Box<[Supervision]>,
    waiting: VecDeque<Arc<dyn Admit>>,
    /// How many of those were given up; less than none for a moment, as in `limit`.
    given_up: isize,
    /// How many turns calls have had.
    given: u64,
    /// In the lines for places that those need which could begin otherwise.
    bids: Vec<Arc<Bid>>,
    /// The last handle is gone.
    is_abandoned: bool,
}

/// The right to run next at one copy. Whoever has it passes it on with [`Self::leave`].
#[derive(Clone)]
pub(crate) struct Turn {
    line: Arc<Line>,
    copy: usize,
}

/// A call that has got a turn.
struct Given {
    call: Arc<dyn Admit>,
    order: u64,
    is_leading: bool,
    /// The one that got the last turn before.
    last: Option<Arc<dyn Admit>>,
}

/// Who gets the turn.
enum Next {
    Call(Given, Option<Admission>),
    Make,
    Clear(bool),
    Prepare,
    Renew(bool),
    Refuse(VecDeque<Arc<dyn Admit>>, ErrorKind),
    /// This copy's is over, and that of another begins.
    Other(usize),
    Nobody,
}

impl Line {
    /// A line before values that are still to be made, with the options of their constructor.
    pub(crate) fn new(constructor: &Function, homes: Box<[Box<dyn Home>]>) -> Arc<Self> {
        let copies = homes.iter().map(|_| Supervision::new()).collect();
        let (waiting, bids) = (VecDeque::new(), Vec::new());
        let state = State { copies, waiting, given_up: 0, given: 0, bids, is_abandoned: false };
        Arc::new(Self {
            homes,
            limits: Limits::of(constructor),
            generation: forks::generation(),
            state: Mutex::new(state),
        })
    }

    /// Makes the values for the first time.
    pub(crate) fn begin(self: &Arc<Self>) {
        if forks::is_child() && !sequential::is_on() {
            // Nobody would make them.
            return;
        }
        for (copy, home) in self.homes.iter().enumerate() {
            home.make(self.turn(copy));
        }
    }

    /// Whether the values are in the process that this one was forked from.
    pub(crate) fn is_parents(&self) -> bool {
        self.generation != forks::generation()
    }

    /// Whether calls run one at a time.
    pub(crate) fn is_single(&self) -> bool {
        self.homes.len() == 1
    }

    /// Admits the call when all before it have had a turn; now if there are none and a copy is
    /// idle. Refuses it if too many wait already.
    pub(crate) fn enter(self: &Arc<Self>, call: Arc<dyn Admit>) {
        let limited = call.limited();
        if limited.is_some_and(|limited| !limited.limiter.count_elsewhere(limited.options)) {
            call.refuse(ErrorKind::Busy);
            return;
        }
        let mut state = self.lock();
        let taker = self.taker(&state);
        if taker.is_none() && !self.is_any_open(&state) {
            // Now, for whoever has the turn may wait for this: a destructor of the value.
            let why = state.copies[0].refusal();
            drop(state);
            call.refuse(why);
            return;
        }
        let is_next = state.waiting.is_empty() && limited.is_none();
        let begins = match taker {
            Some(copy) => is_next && self.is_ready(&state, copy),
            None => {
                let is_free = call.goes_ahead() && !state.copies[0].is_passing;
                is_next && is_free && self.may_follow(&state, 0)
            }
        };
        if begins {
            let copy = taker.unwrap_or(0);
            let given = state.give_turn(call, copy);
            drop(state);
            let is_leading = given.is_leading;
            if !given.admit(copy) {
                self.turn(copy).leave();
            }
            if is_leading {
                self.go_on(self.lock(), copy, None);
            }
            return;
        }
        state.waiting.push_back(call);
        let Some(copy) = taker else { return };
        state.copies[copy].take();
        drop(state);
        self.turn(copy).leave();
    }

    fn turn(self: &Arc<Self>, copy: usize) -> Turn {
        Turn { line: Arc::clone(self), copy }
    }

    /// What had a turn at this copy has ended. With a place that was waited for, if there is one.
    fn pass_on(self: &Arc<Self>, copy: usize, held: Option<Held>) {
        let mut state = self.lock();
        let own = &mut state.copies[copy];
        own.turns -= 1;
        if own.turns <= ENOUGH && !mem::replace(&mut own.is_passing, true) {
            self.go_on(state, copy, held);
        }
    }

    /// Passes turns on at this copy, until nobody can have one.
    fn go_on<'a>(
        self: &'a Arc<Self>,
        mut state: MutexGuard<'a, State>,
        mut copy: usize,
        mut held: Option<Held>,
    ) {
        let mut ahead = 0;
        loop {
            let own = &mut state.copies[copy];
            let ended = (own.turns == 0).then(|| (own.current.take(), own.take_making()));
            let next = if ahead > MAX_AHEAD && own.turns > 0 {
                // Whoever ends one of those goes on: this thread has other things to do.
                own.is_passing = false;
                Next::Nobody
            } else {
                self.next(&mut state, copy, &mut held)
            };
            let vain =
                if state.waiting.is_empty() { mem::take(&mut state.bids) } else { Vec::new() };
            // Unlocked, since all of these may run any code.
            drop(state);
            drop(ended);
            drop(held.take());
            vain.iter().for_each(|bid| bid.withdraw());
            match next {
                Next::Call(given, place) => {
                    let is_leading = given.is_leading;
                    if given.admit(copy) {
                        place.into_iter().for_each(Admission::keep);
                        if !is_leading {
                            return;
                        }
                        ahead += 1;
                    } else {
                        let mut state = self.lock();
                        state.given_up -= 1;
                        let own = &mut state.copies[copy];
                        (own.turns, own.is_passing) = (own.turns - 1, true);
                    }
                }
                Next::Make => return self.homes[copy].make(self.turn(copy)),
                Next::Clear(is_last) => return self.homes[copy].clear(self.turn(copy), is_last),
                Next::Prepare => self.homes[copy].prepare(self.turn(copy)),
                Next::Renew(is_alive) => self.homes[copy].renew(self.turn(copy), is_alive),
                Next::Refuse(calls, why) => {
                    return calls.into_iter().for_each(|call| _ = call.refuse(why.clone()));
                }
                Next::Other(other) => copy = other,
                Next::Nobody => return,
            }
            state = self.lock();
        }
    }

    fn next(self: &Arc<Self>, state: &mut State, copy: usize, held: &mut Option<Held>) -> Next {
        if state.copies[copy].turns > 0 {
            return self.next_ahead(state, copy);
        }
        let is_needed = !state.is_abandoned || !state.waiting.is_empty();
        let own = &mut state.copies[copy];
        if own.is_made_next(&self.limits, is_needed, || self.homes[copy].is_lost()) {
            own.keep_turn();
            return Next::Make;
        }
        if let Some(is_alive) = own.is_renewed_next() {
            return Next::Renew(is_alive);
        }
        if own.stage == Stage::Alive {
            if !state.is_abandoned && self.homes[copy].is_worn() {
                return Next::Prepare;
            }
            if let Some((call, place)) = self.take_next(state, held) {
                return Next::Call(state.give_turn(call, copy), place);
            }
            if state.is_abandoned && state.waiting.is_empty() {
                state.copies[copy].stage = Stage::Stopped;
            }
        }
        let own = &mut state.copies[copy];
        let is_over = own.stage != Stage::Alive;
        if is_over && mem::take(&mut own.has_value) {
            own.keep_turn();
            return Next::Clear(state.is_abandoned);
        }
        own.is_passing = false;
        if !is_over {
            return Next::Nobody;
        }
        if state.waiting.is_empty() {
            // Another one may have been idle while the last calls waited for places.
            let is_left = |copy: &Supervision| !copy.is_taken() && copy.stage == Stage::Alive;
            let left = state.copies.iter().position(is_left).filter(|_| state.is_abandoned);
            let Some(left) = left else { return Next::Nobody };
            state.copies[left].is_passing = true;
            return Next::Other(left);
        }
        // Others run what waits, as long as there are any.
        match self.taker(state) {
            Some(other) if self.is_open(state, other) => {
                state.copies[other].is_passing = true;
                Next::Other(other)
            }
            Some(_) => {
                state.given_up = 0;
                Next::Refuse(mem::take(&mut state.waiting), state.copies[copy].refusal())
            }
            None => Next::Nobody,
        }
    }

    /// Runs whatever has the turn on this thread; returns whether it did. Only where there is one
    /// turn: what has another might not be what the joiner waits for.
    pub(crate) fn assist(&self) -> bool {
        let current = self.lock().copies.iter().find_map(|copy| copy.current.clone());
        current.is_some_and(Admit::assist)
    }

    /// A call that waited in line has been given up.
    pub(crate) fn give_up(self: &Arc<Self>) {
        let mut state = self.lock();
        state.given_up += 1;
        let called_off = state.call_off_if_over();
        drop(state);
        called_off.interrupt();
        let mut state = self.lock();
        if !state.bids.is_empty()
            && let Some(copy) = self.taker(&state)
        {
            // What is behind it may need no place.
            state.copies[copy].take();
            drop(state);
            self.turn(copy).leave();
            state = self.lock();
        }
        if state.given_up <= MAX_GIVEN_UP.max(state.waiting.len().cast_signed() / 2) {
            return;
        }
        let (waiting, given_up): (VecDeque<_>, VecDeque<_>) =
            state.waiting.drain(..).partition(|call| call.is_pending());
        state.waiting = waiting;
        state.given_up -= given_up.len().cast_signed();
        // Unlocked, since their destructors may run any code.
        drop(state);
        relay::discard(given_up);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Observer for Line {
    /// What had the turn at this copy has ended.
    fn finished(self: Arc<Self>, copy: usize) {
        self.pass_on(copy, None);
    }

    fn is_brief(&self) -> bool {
        true
    }
}
