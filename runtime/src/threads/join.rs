//! Fork-join: [`join`] runs two closures, at the same time if a worker has nothing better to do.
//!
//! Most joins of a recursion are far too small to be shared, so a join must cost little more than
//! two calls. Its second closure is a *job* that lies on the stack, in a list that only this
//! thread touches: entering and leaving it are a few plain stores. One job per thread, the oldest
//! and so the largest, is *offered*: its address is in the thread's [`Seat`], from where an idle
//! worker takes it. When it has been taken, the next join offers the then oldest one. So there
//! is always something to take from a thread that joins, and the price of sharing is paid once
//! per job that is really taken.
//!
//! A thread that comes to the end of its first closure takes its job back; if that was taken by
//! another, it helps: what that other thread offers is by construction part of the very job that
//! is waited for, so a waiting thread never runs anything strange.

use std::cell::{Cell, UnsafeCell};
use std::mem::{self, MaybeUninit};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

mod job;

use job::{Abandon, Job};

use super::latch::Latch;
use super::pool::pool;
use super::seat::{self, Seat};
use crate::sequential;

/// The head of a job on some thread's stack.
pub(super) struct Link {
    /// The next older private job, or the list's end; null once the job is offered, and so in no
    /// list.
    older: Neighbour,
    /// The next younger one; only meaningful if there is one.
    younger: Neighbour,
    run: unsafe fn(*const Link),
    /// Written when the job is offered.
    shared: UnsafeCell<MaybeUninit<Shared>>,
}

struct Shared {
    owner: &'static Seat,
    thief: AtomicPtr<Seat>,
    done: Latch,
}

/// A pointer in the list. Unset at first, since even two needless stores are a good part of what
/// a join costs.
struct Neighbour(Cell<MaybeUninit<*const Link>>);

impl Neighbour {
    const fn unset() -> Self {
        Self(Cell::new(MaybeUninit::uninit()))
    }

    #[inline]
    fn set(&self, link: *const Link) {
        self.0.set(MaybeUninit::new(link));
    }

    /// # Safety
    /// It was set.
    #[inline]
    unsafe fn get(&self) -> *const Link {
        // SAFETY: the contract.
        unsafe { self.0.get().assume_init() }
    }
}

/// A thread's private jobs.
struct Fork {
    /// The youngest; the list's end if there is none.
    top: Cell<*const Link>,
    end: Link,
    /// Where the oldest is offered. [`NOWHERE`] as long as the thread has no seat, [`NEVER`] if
    /// there is nobody to share with.
    slot: Cell<&'static AtomicPtr<Link>>,
    /// The outermost job of a thread outside the pool that holds a permit for its time.
    lease: Cell<*const Link>,
}

/// Always empty: so that the first join offers its job, and gets a seat for that.
static NOWHERE: AtomicPtr<Link> = AtomicPtr::new(ptr::null_mut());
/// Always full.
static NEVER: AtomicPtr<Link> = AtomicPtr::new(ptr::dangling_mut());

thread_local! {
    // Constant and without a destructor: reaching it is one instruction.
    static FORK: Fork = const {
        Fork {
            top: Cell::new(ptr::null()),
            end: Link::new(|_| unreachable!("the list's end is no job")),
            slot: Cell::new(&NOWHERE),
            lease: Cell::new(ptr::null()),
        }
    };
}

/// Runs two closures, if possible at the same time, and returns both results.
///
/// The first runs here; the second is taken by an idle worker of the pool, or else runs here
/// afterwards. They may borrow, and may join in turn: a recursion costs little more than the plain
/// calls, so there is no need to find the size below which sharing does not pay.
///
/// Called on a thread outside the pool it runs on that thread all the same, and shares with the
/// pool. With [`sequential`](crate::sequential) both run here, in order.
///
/// # Panics
/// When a closure does: the first one's panic goes on as it is, after the second has ended if it
/// had begun; the second one's goes on here.
///
/// # Aborts
/// When a stackful coroutine is suspended inside a closure and resumed on another thread, as far as
/// that is seen. On its own thread coroutines may be resumed in any order.
///
/// ```
/// fn sum(numbers: &[u64]) -> u64 {
///     if numbers.len() < 2 {
///         return numbers.iter().sum();
///     }
///     let (left, right) = numbers.split_at(numbers.len() / 2);
///     let (left, right) = trine::join(|| sum(left), || sum(right));
///     left + right
/// }
/// assert_eq!(sum(&[1, 2, 3, 4, 5]), 15);
/// ```
#[inline]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    let job = Job::<B, RB>::new(b);
    let fork = FORK.with(ptr::from_ref);
    // SAFETY: a thread-local without a destructor lives as long as its thread.
    let fork = unsafe { &*fork };
    if fork.is_offering() {
        fork.push(&job.link)
    } else {
        fork.push_and_offer(&job.link)
    }
    let abandon = Abandon(&job);
    let first = a();
    mem::forget(abandon);
    if cfg!(debug_assertions) {
        fork.check_thread();
    }
    if fork.top.get() == &raw const job.link {
        fork.pop(&job.link);
        // SAFETY: the job was private to its end and is out of the list: nobody else has it.
        (first, unsafe { job.take() }())
    } else {
        (first, job.settle())
    }
}

/// Runs two to eight expressions, if possible at the same time, and gives all their values.
///
/// The expressions may borrow what is around; each is the body of a closure, so `return` and `?`
/// stay inside of it. [`trine::join`](crate::join()) says what runs where.
///
/// ```
/// let text = String::from("three words here");
/// let (words, letters, first) = trine::join!(
///     text.split(' ').count(),
///     text.chars().filter(|c| c.is_alphabetic()).count(),
///     text.chars().next(),
/// );
/// assert_eq!((words, letters, first), (3, 14, Some('t')));
/// ```
#[macro_export]
macro_rules! join {
    ($a:expr, $b:expr $(,)?) => {
        $crate::join(|| $a, || $b)
    };
    ($a:expr, $b:expr, $c:expr $(,)?) => {{
        let ((a, b), c) = $crate::join(|| $crate::join!($a, $b), || $c);
        (a, b, c)
    }};
    ($a:expr, $b:expr, $c:expr, $d:expr $(,)?) => {{
        let ((a, b), (c, d)) = $crate::join(|| $crate::join!($a, $b), || $crate::join!($c, $d));
        (a, b, c, d)
    }};
    ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr $(,)?) => {{
        let ((a, b, c), (d, e)) =
            $crate::join(|| $crate::join!($a, $b, $c), || $crate::join!($d, $e));
        (a, b, c, d, e)
    }};
    ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr $(,)?) => {{
        let ((a, b, c), (d, e, f)) =
            $crate::join(|| $crate::join!($a, $b, $c), || $crate::join!($d, $e, $f));
        (a, b, c, d, e, f)
    }};
    ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr, $g:expr $(,)?) => {{
        let ((a, b, c, d), (e, f, g)) =
            $crate::join(|| $crate::join!($a, $b, $c, $d), || $crate::join!($e, $f, $g));
        (a, b, c, d, e, f, g)
    }};
    ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr, $g:expr, $h:expr $(,)?) => {{
        let ((a, b, c, d), (e, f, g, h)) =
            $crate::join(|| $crate::join!($a, $b, $c, $d), || $crate::join!($e, $f, $g, $h));
        (a, b, c, d, e, f, g, h)
    }};
}

impl Link {
    const fn new(run: unsafe fn(*const Link)) -> Self {
        Self {
            older: Neighbour::unset(),
            younger: Neighbour::unset(),
            run,
            shared: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// # Safety
    /// The job was put into its thread's list, and this is that thread.
    unsafe fn is_offered(&self) -> bool {
        // SAFETY: set when the job was put into the list.
        unsafe { self.older.get() }.is_null()
    }

    /// # Safety
    /// The job was offered, and its owner has not left it.
    unsafe fn shared(&self) -> &Shared {
        // SAFETY: written before the job was offered, and only read since.
        unsafe { (*self.shared.get()).assume_init_ref() }
    }
}

impl Fork {
    #[inline]
    fn is_offering(&self) -> bool {
        !self.slot.get().load(Ordering::Relaxed).is_null()
    }

    #[inline]
    fn push(&self, link: &Link) {
        let top = self.top.get();
        link.older.set(top);
        // SAFETY: `top` is the list's end, or a job in a frame below this one; `prepare` has run
        // before the first push.
        unsafe { (*top).younger.set(link) };
        self.top.set(link);
    }

    /// Takes the youngest job out of the list, and offers another if none is.
    #[inline]
    fn pop(&self, link: &Link) {
        // SAFETY: set when the job was put into the list.
        self.top.set(unsafe { link.older.get() });
        if !self.is_offering() {
            self.offer();
        }
    }

    /// Takes a private job out of the list from wherever it stands: the frames of stackful
    /// coroutines on one thread need not end in the reverse order of their beginnings.
    #[cold]
    fn remove(&self, link: &Link) {
        // SAFETY: a private job, so it was put into the list, and all pointers there lead to jobs
        // whose frames stand.
        unsafe {
            let older = link.older.get();
            if self.top.get() == ptr::from_ref(link) {
                self.top.set(older);
                return;
            }
            let mut younger = self.top.get();
            while younger != &raw const self.end && (*younger).older.get() != ptr::from_ref(link) {
                younger = (*younger).older.get();
            }
            if younger == &raw const self.end {
                moved();
            }
            (*younger).older.set(older);
            (*older).younger.set(younger);
        }
    }

    /// Aborts if this is not the calling thread's own. For builds with checks: elsewhere it would
    /// be a good part of what a join costs.
    #[inline(never)]
    fn check_thread(&self) {
        FORK.with(|mine| {
            if !ptr::eq(mine, self) {
                moved();
            }
        });
    }

    #[cold]
    #[inline(never)]
    fn push_and_offer(&self, link: &Link) {
        if self.top.get().is_null() {
            self.prepare();
        }
        self.push(link);
        self.offer();
    }

    #[cold]
    fn prepare(&self) {
        self.top.set(&raw const self.end);
        self.slot.set(match seat::mine() {
            Some(seat) if pool().permits > 1 => &seat.slot,
            _ => &NEVER,
        });
    }

    /// Offers the oldest private job to all.
    #[cold]
    #[inline(never)]
    fn offer(&self) {
        let end = &raw const self.end;
        if self.top.get() == end || self.is_offering() || sequential::is_on() {
            return;
        }
        let Some(owner) = seat::mine_if_any() else { return };
        // SAFETY: the list is not empty, so its end's neighbour is a job in a frame below; so is
        // that one's neighbour, if it is not the youngest. Nobody else sees them yet.
        let oldest = unsafe {
            let oldest = self.end.younger.get();
            if self.top.get() == oldest {
                self.top.set(end);
            } else {
                let next = (*oldest).younger.get();
                (*next).older.set(end);
                self.end.younger.set(next);
            }
            (*oldest).older.set(ptr::null());
            let thief = AtomicPtr::new(ptr::null_mut());
            (*(*oldest).shared.get()).write(Shared { owner, thief, done: Latch::new() });
            oldest
        };
        let pool = pool();
        if self.top.get() == end && !owner.post.is_worker() && self.lease.get().is_null() {
            // This thread computes from now on: one worker less does.
            if pool.crew.try_take() {
                self.lease.set(oldest);
            }
        }
        owner.offer(oldest);
        pool.published();
    }

    /// Gives the permit back at the end of the job that it was taken for.
    fn end_lease(&self, link: *const Link) {
        if self.lease.get() == link {
            self.lease.set(ptr::null());
            pool().release();
        }
    }
}

/// A job is neither in this thread's list nor offered by it: its frame was carried over from
/// another thread, whose list still leads there.
#[cold]
fn moved() -> ! {
    // Nothing may unwind out of a frame that others reach.
    eprintln!("trine: a coroutine inside `trine::join` was resumed on another thread");
    std::process::abort();
}

/// No more offers from this thread: its seat is gone.
pub(super) fn close() {
    FORK.with(|fork| {
        if fork.top.get().is_null() {
            fork.top.set(&raw const fork.end);
        }
        fork.slot.set(&NEVER);
    });
}

/// Takes a job that another thread offers, and has `run` run it. Whether there was one.
pub(super) fn take_offer(run: impl FnOnce(&mut dyn FnMut())) -> bool {
    let Some(mine) = seat::mine_if_any() else { return false };
    let Some(job) = mine.take_offer(take_from) else { return false };
    run(&mut || {
        // SAFETY: it was taken just now, by this thread alone.
        unsafe { run_taken(job, mine) }
    });
    true
}

fn take_from(seat: &Seat) -> Option<*const Link> {
    let slot = &seat.slot;
    let link = slot.load(Ordering::Relaxed);
    let taken = !link.is_null()
        && slot
            .compare_exchange(link, ptr::null_mut(), Ordering::AcqRel, Ordering::Relaxed)
            .is_ok();
    taken.then_some(link.cast_const())
}

/// # Safety
/// This thread has taken the job out of its owner's slot, and runs it once.
unsafe fn run_taken(job: *const Link, mine: &'static Seat) {
    // SAFETY: the owner does not leave the job before its latch is set, which `run` does last.
    unsafe {
        (*job).shared().thief.store(ptr::from_ref(mine).cast_mut(), Ordering::Release);
        ((*job).run)(job);
    }
}
