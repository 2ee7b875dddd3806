//! Where the value of a worker with state lives: a process that gets the calls of this value, and
//! no others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::link::Link;
use crate::function::Function;
use crate::options::Options;
use crate::sync::Lock;

/// Where one value lives, as often as it is made anew.
pub(crate) struct Residence {
    value: Value,
    own: Lock<Own>,
    /// After so many calls another is made, or where its process is larger than that.
    renew_after: Option<u32>,
    renew_beyond: Option<u64>,
    /// How many calls have been answered since it was made.
    answered: AtomicU32,
    is_grown: AtomicBool,
}

/// The value that is there.
struct Own {
    place: Place,
    admits: Admits,
    /// How many there have been, with this one, which may still be being made.
    number: u32,
}

/// Which calls may begin there. What is said of one value is not said of the next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Admits {
    All,
    /// None any more: the value is dropped after the call that runs.
    None,
    /// None, and nobody may look at the value: a call has ended in the middle of a change.
    Nobody,
}

/// Those of all copies.
pub(crate) type Residences = Arc<[Arc<Residence>]>;

/// What a worker with state calls its value, in whatever process a copy of that is.
#[derive(Clone, Copy)]
pub(crate) struct Value {
    pub(crate) number: u64,
    /// The value is kept in this process, where all its calls run inline.
    pub(crate) is_here: bool,
    /// It is on another machine.
    pub(crate) is_far: bool,
}

impl Value {
    pub(crate) fn new(is_here: bool, is_far: bool) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // In a worker there is a value as well that its parent counted.
        let first = if is_here { 1 << 63 } else { 0 };
        Self { number: first | COUNT.fetch_add(1, Ordering::Relaxed), is_here, is_far }
    }
}

enum Place {
    Nowhere,
    Here,
    In(Arc<Link>),
    #[cfg(feature = "cluster")]
    On(Arc<Far>),
}

/// A value on another machine, and the number of the call there that keeps it.
#[cfg(feature = "cluster")]
pub(crate) struct Far {
    number: u64,
    /// Ends it.
    end: fn(u64),
    is_gone: AtomicBool,
    is_worn: AtomicBool,
}

#[cfg(feature = "cluster")]
impl Far {
    pub(crate) fn new(number: u64, end: fn(u64)) -> Self {
        Self { number, end, is_gone: AtomicBool::new(false), is_worn: AtomicBool::new(false) }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// It has served for as long as `renew` says.
    pub(crate) fn wear(&self) {
        self.is_worn.store(true, Ordering::Relaxed);
    }

    /// There is none any more.
    pub(crate) fn end(&self) {
        self.is_gone.store(true, Ordering::Release);
    }

    fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    /// Nobody may have it any more.
    pub(crate) fn kill(&self) {
        if !self.is_gone.swap(true, Ordering::AcqRel) {
            (self.end)(self.number);
        }
    }
}

/// What a call does to the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    Makes,
    Uses,
    Drops,
}

impl Residence {
    /// Of a value that this constructor makes.
    pub(crate) fn new(value: Value, constructor: &Function) -> Arc<Self> {
        let &Options { renew_after, renew_beyond, .. } = constructor.options();
        Arc::new(Self {
            value,
            own: Lock::new(Own { place: Place::Nowhere, admits: Admits::All, number: 0 }),
            renew_after,
            renew_beyond,
            answered: AtomicU32::new(0),
            is_grown: AtomicBool::new(false),
        })
    }

    pub(crate) fn value(&self) -> Value {
        self.value
    }

    pub(crate) fn is_here(&self) -> bool {
        self.value.is_here
    }

    /// Whether there is no value, or one that nobody may look at.
    pub(crate) fn is_lost(&self) -> bool {
        let own = self.own.lock();
        own.admits == Admits::Nobody || !own.place.is_occupied()
    }

    /// Whether another call may be sent there before one has ended.
    pub(crate) fn takes_more(&self) -> bool {
        let own = self.own.lock();
        let is_full = |link: &Link| link.is_retired() || link.is_full.load(Ordering::Relaxed);
        own.admits == Admits::All && matches!(&own.place, Place::In(link) if !is_full(link))
    }

    /// Whether there is a value to drop.
    pub(crate) fn is_occupied(&self) -> bool {
        self.own.lock().place.is_occupied()
    }

    /// Has the value replaced, or the worker stopped, before the next call. By a call that has not
    /// passed its turn on: there is no other value yet.
    pub(crate) fn spoil(&self) {
        self.own.lock().admits = Admits::Nobody;
    }

    /// No call begins there any more, until the value has been made anew. Under the lock of the
    /// line, which has yet to say that it is: there is no other value yet.
    pub(crate) fn close(&self) {
        let mut own = self.own.lock();
        if own.admits == Admits::All {
            own.admits = Admits::None;
        }
    }

    /// Whether a call that has not begun there has to go back to its line.
    pub(super) fn is_shut(&self) -> bool {
        self.own.lock().admits != Admits::All
    }

    /// Whether the value is replaced between calls.
    pub(crate) fn is_renewed(&self) -> bool {
        self.renew_after.is_some() || self.renew_beyond.is_some()
    }

    /// The value is made in this process.
    pub(crate) fn settle_here(&self) {
        self.settle(Place::Here);
    }

    /// The value is made in the process at the end of this link.
    pub(super) fn settle_in(&self, link: &Arc<Link>) {
        self.settle(Place::In(Arc::clone(link)));
    }

    /// The value is made on another machine.
    #[cfg(feature = "cluster")]
    pub(crate) fn settle_on(&self, far: &Arc<Far>) {
        self.settle(Place::On(Arc::clone(far)));
    }

    /// The value on another machine, if there is one.
    #[cfg(feature = "cluster")]
    pub(crate) fn far(&self) -> Option<Arc<Far>> {
        match &self.own.lock().place {
            Place::On(far) if !far.is_gone() => Some(Arc::clone(far)),
            _ => None,
        }
    }

    fn settle(&self, place: Place) {
        self.serve_on();
        let mut own = self.own.lock();
        let number = own.number.wrapping_add(1);
        let former = std::mem::replace(&mut *own, Own { place, admits: Admits::All, number });
        drop(own);
        // Unlocked, since it may be the last to hold its link.
        drop(former);
    }

    /// How large its process may be, if that is bounded by `renew`.
    pub(super) fn renew_beyond(&self) -> Option<u64> {
        self.renew_beyond
    }

    /// A call of it has been answered. Without `renew` the value is not to be lost, whatever its
    /// process has used up.
    pub(super) fn count(&self, is_grown: bool) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.is_grown.fetch_or(is_grown && self.is_renewed(), Ordering::Relaxed);
    }

    /// Whether it has served for as long as `renew` says.
    pub(crate) fn is_worn(&self) -> bool {
        let answered = self.answered.load(Ordering::Relaxed);
        self.renew_after.is_some_and(|most| answered >= most)
            || self.is_grown.load(Ordering::Relaxed)
            || self.is_worn_there()
    }

    #[cfg(feature = "cluster")]
    fn is_worn_there(&self) -> bool {
        self.far().is_some_and(|far| far.is_worn.load(Ordering::Relaxed))
    }

    #[cfg(not(feature = "cluster"))]
    fn is_worn_there(&self) -> bool {
        false
    }

    /// It counts from now on.
    pub(crate) fn serve_on(&self) {
        self.answered.store(0, Ordering::Relaxed);
        self.is_grown.store(false, Ordering::Relaxed);
        #[cfg(feature = "cluster")]
        self.far().into_iter().for_each(|far| far.is_worn.store(false, Ordering::Relaxed));
    }

    /// The value of the other from now on, and the other has this one.
    pub(crate) fn exchange(&self, other: &Self) {
        let theirs = other.own.lock().take();
        let ours = self.own.lock().put(theirs);
        other.own.lock().put(ours);
        self.serve_on();
    }

    /// There is no value any more. A process that is still there ends.
    pub(crate) fn vacate(&self) {
        self.vacate_if(|_| true);
    }

    /// How many values there have been, with the one that is there or is being made.
    pub(crate) fn settled(&self) -> u32 {
        self.own.lock().number
    }

    /// The same, if that is still the one.
    pub(crate) fn vacate_of(&self, settled: u32) {
        self.vacate_if(|now| now == settled);
    }

    fn vacate_if(&self, is_it: impl FnOnce(u32) -> bool) {
        let mut own = self.own.lock();
        if !is_it(own.number) {
            return;
        }
        let (former, _) = own.take();
        drop(own);
        match former {
            Place::In(link) if !link.is_doomed() => link.kill(),
            #[cfg(feature = "cluster")]
            Place::On(far) => far.kill(),
            _ => {}
        }
    }

    pub(super) fn link(&self) -> Option<Arc<Link>> {
        self.own.lock().place.link()
    }

    /// The process that a call may be sent to.
    pub(super) fn open_link(&self) -> Option<Arc<Link>> {
        let own = self.own.lock();
        if own.admits == Admits::All { own.place.link() } else { None }
    }
}

impl Own {
    /// Leaves nothing there. What was said of the value is said still, for whoever looks for it.
    fn take(&mut self) -> (Place, Admits) {
        (std::mem::replace(&mut self.place, Place::Nowhere), self.admits)
    }

    /// Puts another value there; returns the one before.
    fn put(&mut self, (place, admits): (Place, Admits)) -> (Place, Admits) {
        let admits = std::mem::replace(&mut self.admits, admits);
        (std::mem::replace(&mut self.place, place), admits)
    }
}

impl Place {
    fn is_occupied(&self) -> bool {
        match self {
            Self::Nowhere => false,
            Self::Here => true,
            Self::In(link) => !link.is_retired(),
            #[cfg(feature = "cluster")]
            Self::On(far) => !far.is_gone(),
        }
    }

    fn link(&self) -> Option<Arc<Link>> {
        match self {
            Self::In(link) => Some(Arc::clone(link)),
            _ => None,
        }
    }
}
