//! A seat is what one thread shows to all others: a deque of queued tasks, and the oldest of its
//! branches. Every thread that spawns or joins gets one, inside the pool and outside.
//!
//! Outside too, because the thread that spawns is usually also the one that joins, and a joiner
//! that claims its task can remove the empty shell from the end of its own deque. In a shared queue
//! the shells would pile up while all workers are busy.
//!
//! Seats are never freed, so a reference to one is always valid. A seat whose thread has ended
//! keeps its tasks for thieves, and becomes the next new thread's seat; there are never more of
//! them than there were threads at once.

use std::cell::{Cell, UnsafeCell};
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, OnceLock};

use crossbeam_deque::{Steal, Stealer, Worker as Deque};
use crossbeam_utils::CachePadded;

use crate::config;
use crate::function::Function;

use super::flags::Flags;
use super::post::Post;
use super::strays;
use crate::parker::Parker;
use crate::sync::atomic::{AtomicPtr, Ordering};

#[cfg(test)]
mod tests;

/// A queued task.
pub(crate) trait Runnable: Send + Sync {
    /// Whether the job is still there: nobody has claimed it.
    fn is_queued(&self) -> bool;
    /// The function it is a call of.
    fn function(&self) -> &'static Function;
    /// Claims the job and runs it; does nothing if it has been claimed.
    fn run(self: Arc<Self>);
    /// Ends it with an error, since nobody can run it. If nobody wants its result, ends only those
    /// that are wanted and wait for it, and returns false.
    fn refuse(&self, why: &str) -> bool;
}

/// An entry of a queue.
pub(crate) type Item = Arc<dyn Runnable>;

/// A deque with this many entries is searched for shells of claimed tasks.
const SWEEP_FROM: usize = 1024;

/// A branch of a join. Only `join` knows what a pointer to it points to.
pub(super) enum Offer {}

/// What one thread shows to all others.
pub(crate) struct Seat {
    /// The oldest branch of the thread, for idle threads.
    pub(super) offered: CachePadded<AtomicPtr<Offer>>,
    /// Where the thread sleeps.
    pub(super) parker: Parker,
    /// What the monitor sees of a pool worker.
    pub(super) post: Post,
    index: usize,
    stealer: Stealer<Item>,
    /// The owner's end. Only the thread that occupies the seat touches it.
    deque: UnsafeCell<Deque<Item>>,
    sweep_at: Cell<usize>,
    /// The value of [`BURIED`] at the last sweep.
    swept: Cell<usize>,
    /// Roughly how many shells are between the tasks here.
    buried: Cell<usize>,
    next_victim: Cell<usize>,
    occupied: AtomicBool,
}

// SAFETY: `deque` and the cells are reached only by the methods of the owner's end, on the
// thread that occupies the seat; `occupied` passes them from one thread to the next with acquire
// and release. All else is `Sync` by itself.
unsafe impl Sync for Seat {}

/// Seats for threads outside the pool; those for workers follow. A thread that finds none does
/// without: its tasks go to a shared queue, and its joins are plain calls.
const SEATS_OUTSIDE: usize = 1024;
const SEATS_IN_ALL: usize = SEATS_OUTSIDE + config::MAX_THREADS;
/// Seats from this one on were never taken, so nobody needs to look there.
static SEATS_IN_USE: AtomicUsize = AtomicUsize::new(0);

static SEATS: [OnceLock<Seat>; SEATS_IN_ALL] = [const { OnceLock::new() }; SEATS_IN_ALL];
crate::sync::statics! {
    /// The seats that may have something to take.
    static FLAGS: Flags<{ SEATS_IN_ALL / 64 }> = Flags::new();
}
/// How many tasks were given up, or claimed by joiners, whose shells were not at the end of the
/// deque.
static BURIED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SEAT: Cell<Option<&'static Seat>> = const { Cell::new(None) };
    static VACATE: Vacate = const { Vacate };
    static BEFORE_VACATING: Cell<fn()> = const { Cell::new(|| ()) };
}

struct Vacate;

impl Drop for Vacate {
    fn drop(&mut self) {
        if let Some(seat) = SEAT.take() {
            BEFORE_VACATING.get()();
            seat.occupied.store(false, Ordering::Release);
        }
    }
}

/// The calling thread's seat. `None` while its thread-locals are being destroyed.
#[inline]
pub(super) fn mine() -> Option<&'static Seat> {
    SEAT.get().or_else(take_seat)
}

/// What to do on this thread before its seat goes to another.
pub(super) fn before_vacating(act: fn()) {
    BEFORE_VACATING.set(act);
}

/// The calling thread's seat, if it has one already.
#[inline]
pub(super) fn mine_if_any() -> Option<&'static Seat> {
    SEAT.get()
}

#[cold]
fn take_seat() -> Option<&'static Seat> {
    occupy(0..SEATS_OUTSIDE)
}

/// The seat of a thread that becomes a worker.
pub(super) fn take_workers() -> Option<&'static Seat> {
    occupy(SEATS_OUTSIDE..SEATS_IN_ALL)
}

fn occupy(mut places: Range<usize>) -> Option<&'static Seat> {
    // Refused while the thread-locals are being destroyed: nobody would vacate the seat.
    VACATE.try_with(|_| ()).ok()?;
    let seat = places.find_map(|index| {
        let seat = SEATS[index].get_or_init(|| Seat::new(index));
        let won =
            !seat.occupied.load(Ordering::Relaxed) && !seat.occupied.swap(true, Ordering::AcqRel);
        won.then_some(seat)
    });
    if let Some(seat) = seat {
        // Before anything is put there.
        SEATS_IN_USE.fetch_max(seat.index + 1, Ordering::SeqCst);
    }
    SEAT.set(seat);
    seat
}

/// All seats of workers, occupied or not.
pub(super) fn workers() -> impl Iterator<Item = &'static Seat> {
    SEATS[SEATS_OUTSIDE..].iter().map_while(OnceLock::get)
}

/// The seats at which there may be something to take.
fn laden() -> impl Iterator<Item = &'static Seat> {
    let in_use = SEATS_IN_USE.load(Ordering::Relaxed);
    FLAGS.raised_below(in_use).filter_map(|index| SEATS[index].get())
}

/// Whether any queue holds a task.
pub(super) fn any_queued() -> bool {
    laden().any(|seat| !seat.stealer.is_empty()) || strays::has_any()
}

/// Whether there is anything to take, a task or a branch.
pub(super) fn any_laden() -> bool {
    laden().any(Seat::is_laden) || strays::has_any()
}

/// Queues a task, on the calling thread's own deque if it can have one. Call
/// [`Crew::published`](super::crew::Crew::published) afterwards.
#[inline]
pub(super) fn push(item: Item) {
    match mine() {
        Some(seat) => {
            seat.push(item);
            FLAGS.raise(seat.index);
        }
        None => strays::push(item),
    }
}

/// A task was given up whose shell is at some seat.
pub(super) fn bury() {
    BURIED.fetch_add(1, Ordering::Relaxed);
}

/// Takes everything that is queued.
pub(super) fn take_all(mut take: impl FnMut(Item)) {
    let mut all: Vec<Item> = Vec::new();
    for seat in laden() {
        all.extend(std::iter::from_fn(|| retry(|| seat.stealer.steal())));
    }
    all.extend(std::iter::from_fn(strays::take));
    all.drain(..).for_each(&mut take);
}

impl PartialEq for Seat {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self, other)
    }
}

impl Seat {
    pub(super) fn new(index: usize) -> Self {
        let deque = Deque::new_lifo();
        Self {
            offered: CachePadded::new(AtomicPtr::new(ptr::null_mut())),
            parker: Parker::new(),
            post: Post::new(),
            index,
            stealer: deque.stealer(),
            deque: UnsafeCell::new(deque),
            sweep_at: Cell::new(SWEEP_FROM),
            swept: Cell::new(0),
            buried: Cell::new(0),
            next_victim: Cell::new(0),
            occupied: AtomicBool::new(false),
        }
    }

    /// Offers a branch. Call [`Crew::published`](super::crew::Crew::published) afterwards.
    pub(super) fn offer(&self, branch: *const Offer) {
        self.offered.store(branch.cast_mut(), Ordering::Release);
        FLAGS.raise(self.index);
    }

    /// Whether a branch is offered here. Acquires everything that happened before the offer.
    pub(super) fn is_offering(&self) -> bool {
        !self.offered.load(Ordering::Acquire).is_null()
    }

    /// Takes the branch that is offered here, for the calling thread alone.
    pub(super) fn take_offered(&self) -> Option<*const Offer> {
        let branch = self.offered.load(Ordering::Relaxed);
        (!branch.is_null() && self.withdraw(branch)).then_some(branch.cast_const())
    }

    /// Takes this branch, if it is the one that is offered here.
    pub(super) fn withdraw(&self, branch: *const Offer) -> bool {
        let (branch, nothing) = (branch.cast_mut(), ptr::null_mut());
        self.offered.load(Ordering::Relaxed) == branch
            && self
                .offered
                .compare_exchange(branch, nothing, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }

    fn has_anything(&self) -> bool {
        !self.stealer.is_empty() || self.is_offering()
    }

    /// Whether there is anything to take here; if not, clears the flag.
    fn is_laden(&self) -> bool {
        self.has_anything() || FLAGS.lower(self.index, || self.has_anything())
    }

    /// The owner's end of the deque.
    fn deque(&self) -> &Deque<Item> {
        debug_assert!(SEAT.get().is_some_and(|mine| mine == self));
        // SAFETY: called on the seat's own thread only, and nothing that is done with the
        // reference runs code of others: no second one is ever alive meanwhile.
        unsafe { &*self.deque.get() }
    }

    #[inline]
    fn push(&self, item: Item) {
        let deque = self.deque();
        if deque.len() >= self.sweep_at.get() {
            self.sweep();
        }
        deque.push(item);
    }

    /// Drops the shells among the owner's tasks, if there may be many.
    #[cold]
    fn sweep(&self) {
        let buried = BURIED.load(Ordering::Relaxed);
        let deque = self.deque();
        if buried.wrapping_sub(self.swept.replace(buried)) < SWEEP_FROM {
            // A burst of tasks that nobody has claimed yet.
            self.sweep_at.set(2 * deque.len());
            return;
        }
        let (mut live, mut shells) = (Vec::new(), Vec::new());
        while let Some(item) = deque.pop() {
            if item.is_queued() { live.push(item) } else { shells.push(item) }
        }
        // Not again before there are twice as many, so the cost per task is constant.
        self.sweep_at.set(2 * SWEEP_FROM.max(live.len()));
        for item in live.into_iter().rev() {
            deque.push(item);
        }
        // Only now, since dropping the last reference to a task may run its result's destructor.
        drop(shells);
    }

    /// Removes the shell of a task that was just claimed from the end of the owner's deque, with
    /// others that are there. Returns true if a task was hidden from thieves meanwhile; then call
    /// [`Crew::published`](super::crew::Crew::published).
    #[inline]
    #[must_use]
    pub(super) fn take_back<T>(&self, claimed: *const T) -> bool {
        let (mut found, mut hidden) = (false, false);
        while let Some(item) = self.deque().pop() {
            if Arc::as_ptr(&item).addr() == claimed.addr() {
                found = true;
                if self.buried.get() == 0 {
                    break;
                }
            } else if item.is_queued() {
                self.deque().push(item);
                FLAGS.raise(self.index);
                hidden = true;
                break;
            } else {
                self.buried.set(self.buried.get().saturating_sub(1));
            }
        }
        if !found {
            self.buried.set(self.buried.get() + 1);
            bury();
        }
        hidden
    }

    /// Takes the newest task of the owner's deque.
    pub(super) fn pop(&self) -> Option<Item> {
        self.deque().pop()
    }

    /// Takes the oldest task of the owner's deque.
    pub(super) fn pop_oldest(&self) -> Option<Item> {
        retry(|| self.stealer.steal())
    }

    /// Takes the oldest task of another thread, and moves some more of its oldest here.
    pub(super) fn take_from_others(&self) -> Option<Item> {
        // Round robin, so that nobody's tasks wait until another's are done.
        let from = self.next_victim.get();
        let later = laden().filter(|victim| victim.index >= from);
        let earlier = laden().filter(|victim| victim.index < from);
        let robbed = later.chain(earlier).filter(|victim| *victim != self).find_map(|victim| {
            if victim.stealer.is_empty() && !victim.is_laden() {
                return None;
            }
            self.next_victim.set(victim.index + 1);
            retry(|| victim.stealer.steal_batch_and_pop(self.deque()))
        });
        let robbed = robbed.or_else(|| strays::take_batch(self.deque()));
        // The tasks that came along are here now, for others to take.
        if robbed.is_some() && !self.deque().is_empty() {
            FLAGS.raise(self.index);
        }
        robbed
    }

    /// Takes a branch that another thread offers.
    pub(super) fn take_offer_of_others(&self) -> Option<*const Offer> {
        laden().filter(|other| *other != self).find_map(Self::take_offered)
    }
}

/// Retries until it is certain whether there was something.
pub(super) fn retry(mut steal: impl FnMut() -> Steal<Item>) -> Option<Item> {
    loop {
        match steal() {
            Steal::Success(item) => return Some(item),
            Steal::Empty => return None,
            Steal::Retry => std::hint::spin_loop(),
        }
    }
}
