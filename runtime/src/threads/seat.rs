//! A seat is what one thread shows to all others: a deque of queued tasks, and the oldest of its
//! fork-join jobs. Every thread that spawns or joins gets one, inside the pool and outside.
//!
//! Why outside too: the thread that spawns is mostly also the one that joins, and a joiner that
//! claims its task can take the empty shell back off the end of its own deque. In a shared queue
//! the shells would pile up for as long as all workers are busy.
//!
//! Seats are never freed, so that anybody may read through a reference at any time. A seat whose
//! thread has ended keeps its tasks for thieves, and is the next new thread's seat; there are
//! never more of them than there were threads at once.

use std::cell::{Cell, UnsafeCell};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Arc, LazyLock};

use crossbeam_deque::{Injector, Steal, Stealer, Worker as Deque};

use crate::function::Function;

use super::join::Link;
use super::parker::Parker;
use super::post::Post;

/// A queued task.
pub(crate) trait Runnable: Send + Sync {
    /// Whether the job is still there: nobody has claimed it.
    fn is_queued(&self) -> bool;
    /// The function it is a call of.
    fn function(&self) -> &'static Function;
    /// Claims the job and runs it; nothing if somebody has claimed it.
    fn run(self: Arc<Self>);
}

/// An entry of a queue.
pub(crate) type Item = Arc<dyn Runnable>;

/// A deque that holds this many entries is searched for shells of tasks that were claimed.
const SWEEP_FROM: usize = 1024;

#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

/// What one thread shows to all others.
#[repr(align(128))]
pub(crate) struct Seat {
    /// The oldest fork-join job of the thread, for whoever has nothing to do.
    pub(super) slot: Padded<AtomicPtr<Link>>,
    /// Where the thread sleeps.
    pub(super) parker: Parker,
    /// What the monitor sees of a pool worker.
    pub(super) post: Post,
    stealer: Stealer<Item>,
    /// The owner's end. Touched by the thread that occupies the seat, nobody else.
    deque: UnsafeCell<Deque<Item>>,
    sweep_at: Cell<usize>,
    occupied: AtomicBool,
    next: Option<&'static Seat>,
}

// SAFETY: `deque` and `sweep_at` are reached only through `Seat::deque` and `Seat::push`, on the
// thread that occupies the seat; `occupied` passes them from one thread to the next with acquire
// and release. All else is `Sync` by itself.
unsafe impl Sync for Seat {}

static SEATS: AtomicPtr<Seat> = AtomicPtr::new(ptr::null_mut());
/// Tasks of threads that are past having a seat.
static STRAYS: LazyLock<Injector<Item>> = LazyLock::new(Injector::new);

thread_local! {
    static SEAT: Cell<Option<&'static Seat>> = const { Cell::new(None) };
    static VACATE: Vacate = const { Vacate };
}

struct Vacate;

impl Drop for Vacate {
    fn drop(&mut self) {
        if let Some(seat) = SEAT.take() {
            super::join::close();
            seat.occupied.store(false, Ordering::Release);
        }
    }
}

/// The calling thread's seat. `None` while the thread's locals are being destroyed.
#[inline]
pub(super) fn mine() -> Option<&'static Seat> {
    SEAT.get().or_else(take_seat)
}

/// The calling thread's seat, if it has one already.
#[inline]
pub(super) fn mine_if_any() -> Option<&'static Seat> {
    SEAT.get()
}

#[cold]
fn take_seat() -> Option<&'static Seat> {
    // Refused while the thread's locals are being destroyed: nobody would vacate the seat.
    VACATE.try_with(|_| ()).ok()?;
    let seat = all().find(|seat| seat.occupy()).unwrap_or_else(add_seat);
    SEAT.set(Some(seat));
    Some(seat)
}

fn add_seat() -> &'static Seat {
    let deque = Deque::new_lifo();
    let mut head = SEATS.load(Ordering::Acquire);
    let seat = Box::leak(Box::new(Seat {
        slot: Padded(AtomicPtr::new(ptr::null_mut())),
        parker: Parker::new(),
        post: Post::new(),
        stealer: deque.stealer(),
        deque: UnsafeCell::new(deque),
        sweep_at: Cell::new(SWEEP_FROM),
        occupied: AtomicBool::new(true),
        next: None,
    }));
    loop {
        // SAFETY: what the head points to was leaked below, by this thread or another.
        seat.next = unsafe { head.cast_const().as_ref() };
        match SEATS.compare_exchange(head, seat, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return seat,
            Err(now) => head = now,
        }
    }
}

/// All seats there are, occupied or not.
pub(super) fn all() -> impl Iterator<Item = &'static Seat> {
    // SAFETY: seats are leaked before they are published here.
    let head = unsafe { SEATS.load(Ordering::Acquire).cast_const().as_ref() };
    std::iter::successors(head, |seat| seat.next)
}

/// Whether any queue holds a task.
pub(super) fn any_queued() -> bool {
    all().any(|seat| !seat.stealer.is_empty()) || !STRAYS.is_empty()
}

/// Queues a task, on the calling thread's own deque if it can have one.
#[inline]
pub(super) fn push(item: Item) {
    match mine() {
        Some(seat) => seat.push(item),
        None => STRAYS.push(item),
    }
}

impl PartialEq for Seat {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self, other)
    }
}

impl Seat {
    fn occupy(&self) -> bool {
        !self.occupied.load(Ordering::Relaxed) && !self.occupied.swap(true, Ordering::AcqRel)
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

    /// Drops the shells of tasks that were claimed elsewhere. Done whenever the deque has doubled
    /// since the last time, so that it costs a constant amount per task, and the shells never
    /// outnumber the tasks for long.
    #[cold]
    fn sweep(&self) {
        let deque = self.deque();
        let (mut live, mut shells) = (Vec::new(), Vec::new());
        while let Some(item) = deque.pop() {
            if item.is_queued() { live.push(item) } else { shells.push(item) }
        }
        self.sweep_at.set(SWEEP_FROM.max(2 * live.len()));
        for item in live.into_iter().rev() {
            deque.push(item);
        }
        // Only now: the last handle of a task may run its result's destructor.
        drop(shells);
    }

    /// Takes the newest task of one's own deque.
    pub(super) fn pop(&self) -> Option<Item> {
        self.deque().pop()
    }

    /// Takes back what lies claimed at the end of one's own deque: mostly the shell of the task
    /// that was joined just now.
    #[inline]
    pub(super) fn pop_shells(&self) {
        while let Some(item) = self.deque().pop() {
            if item.is_queued() {
                self.deque().push(item);
                break;
            }
        }
    }

    /// Takes the oldest task of one's own deque.
    pub(super) fn pop_oldest(&self) -> Option<Item> {
        retry(|| self.stealer.steal())
    }

    /// Moves some of the oldest tasks of `victim` here and takes the first.
    pub(super) fn rob(&self, victim: &Seat) -> Option<Item> {
        if victim.stealer.is_empty() {
            return None;
        }
        retry(|| victim.stealer.steal_batch_and_pop(self.deque()))
    }

    /// The same from the tasks that have no seat.
    pub(super) fn take_stray(&self) -> Option<Item> {
        if STRAYS.is_empty() {
            return None;
        }
        retry(|| STRAYS.steal_batch_and_pop(self.deque()))
    }
}

fn retry(mut steal: impl FnMut() -> Steal<Item>) -> Option<Item> {
    loop {
        match steal() {
            Steal::Success(item) => return Some(item),
            Steal::Empty => return None,
            Steal::Retry => std::hint::spin_loop(),
        }
    }
}
