//! A thread's private branches: a list that nobody else touches, whose oldest entry is offered to
//! all.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::process::abort;
use std::ptr;

use super::around::{pool, seat};
use crate::sequential;
use crate::sync::atomic::{AtomicPtr, Ordering};
use crate::sync::{UnsafeCell, thread_local};
use crate::threads::latch::Latch;
use crate::threads::seat::{Offer, Seat};

/// The head of a branch on some thread's stack.
pub(super) struct Link {
    /// The next older private branch, or the list's end; null once the branch is offered, and so in
    /// no list.
    older: Neighbour,
    /// The next younger one; only meaningful if there is one.
    younger: Neighbour,
    pub(super) run: unsafe fn(*const Link),
    /// Written when the branch is offered.
    shared: UnsafeCell<MaybeUninit<Shared>>,
}

/// The part of a branch that is valid once it is offered.
pub(super) struct Shared {
    pub(super) owner: &'static Seat,
    pub(super) thief: AtomicPtr<Seat>,
    pub(super) done: Latch,
}

/// A pointer in the list. Uninitialized at first, since even two needless stores are a good part of
/// the cost of a join.
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

/// A thread's private branches.
pub(super) struct Fork {
    /// The youngest; the list's end if there is none.
    top: Cell<*const Link>,
    end: Link,
    /// Where the oldest is offered: [`NOWHERE`] while the thread has no seat, [`NEVER`] if there is
    /// nobody to share with. All of these are statics; compilers before 1.89 let a constant hold no
    /// reference to them.
    offered: Cell<*const AtomicPtr<Offer>>,
    /// The outermost branch of a thread outside the pool, which holds a permit for that long.
    lease: Cell<*const Link>,
}

crate::sync::statics! {
    /// Always empty, so that the first join offers its branch and gets a seat for that.
    static NOWHERE: AtomicPtr<Offer> = AtomicPtr::new(ptr::null_mut());
    /// Always full.
    static NEVER: AtomicPtr<Offer> = AtomicPtr::new(ptr::dangling_mut());
}

thread_local! {
    // Constant and without a destructor: reaching it is one instruction.
    static FORK: Fork = const {
        Fork {
            top: Cell::new(ptr::null()),
            end: Link::new(|_| unreachable!("the list's end is not a branch")),
            offered: Cell::new(ptr::from_ref(&NOWHERE)),
            lease: Cell::new(ptr::null()),
        }
    };
}

impl Link {
    #[cfg(not(trine_loom))]
    pub(super) const fn new(run: unsafe fn(*const Link)) -> Self {
        let shared = UnsafeCell::new(MaybeUninit::uninit());
        Self { older: Neighbour::unset(), younger: Neighbour::unset(), run, shared }
    }

    /// loom's cells are no constants.
    #[cfg(trine_loom)]
    pub(super) fn new(run: unsafe fn(*const Link)) -> Self {
        let shared = UnsafeCell::new(MaybeUninit::uninit());
        Self { older: Neighbour::unset(), younger: Neighbour::unset(), run, shared }
    }

    /// # Safety
    /// The branch was put into its thread's list, and this is that thread.
    pub(super) unsafe fn is_offered(&self) -> bool {
        // SAFETY: set when the branch was put into the list.
        unsafe { self.older.get() }.is_null()
    }

    /// # Safety
    /// The branch was offered, and its owner has not left it.
    pub(super) unsafe fn shared(&self) -> &Shared {
        // SAFETY: written before the branch was offered, and only read since.
        self.shared.with(|shared| unsafe { (*shared).assume_init_ref() })
    }
}

#[cfg(all(test, trine_loom))]
impl Link {
    pub(super) fn end(&self) {
        self.shared.with_mut(|_| ());
    }
}

impl Fork {
    /// The calling thread's.
    #[inline]
    pub(super) fn mine() -> &'static Self {
        let fork = FORK.with(ptr::from_ref);
        // SAFETY: a thread-local without a destructor lives as long as its thread, which is as
        // long as a reference of this thread can be used.
        unsafe { &*fork }
    }

    #[inline]
    pub(super) fn is_offering(&self) -> bool {
        // SAFETY: it is a static or of a seat, which is one.
        let offered = unsafe { &*self.offered.get() };
        !offered.load(Ordering::Relaxed).is_null()
    }

    /// # Safety
    /// It heads a branch of the calling thread, and stays where it is until it is out of the list
    /// and nobody has it that was offered it. [`push_and_offer`](Self::push_and_offer) has run.
    #[inline]
    pub(super) unsafe fn push(&self, link: *const Link) {
        let top = self.top.get();
        // SAFETY: the contract; and `top` is the list's end, or another branch that stays.
        unsafe {
            (*link).older.set(top);
            (*top).younger.set(link);
        }
        self.top.set(link);
    }

    /// Removes a branch from the list if it is the youngest there, and offers another if none is
    /// offered.
    #[inline]
    pub(super) fn pop(&self, link: *const Link) -> bool {
        if self.top.get() != link {
            return false;
        }
        // SAFETY: it is in the list, so it is there, and this was set when it was put there.
        self.top.set(unsafe { (*link).older.get() });
        if !self.is_offering() {
            self.offer();
        }
        true
    }

    /// Removes a private branch from anywhere in the list: the frames of stackful coroutines on one
    /// thread need not end in reverse order.
    ///
    /// # Safety
    /// It heads a branch that was put into the list and was not offered.
    #[cold]
    pub(super) unsafe fn remove(&self, link: *const Link) {
        // SAFETY: by the contract it was put into a list, and all pointers there lead to branches
        // whose frames still exist.
        unsafe {
            let older = (*link).older.get();
            if self.top.get() == link {
                self.top.set(older);
                return;
            }
            let mut younger = self.top.get();
            while younger != &raw const self.end && (*younger).older.get() != link {
                younger = (*younger).older.get();
            }
            if younger == &raw const self.end {
                moved();
            }
            (*younger).older.set(older);
            (*older).younger.set(younger);
        }
    }

    /// Aborts if this is not the calling thread's own. Only in debug builds: the check would be a
    /// good part of the cost of a join.
    #[inline(never)]
    pub(super) fn check_thread(&self) {
        if !ptr::eq(Self::mine(), self) {
            moved();
        }
    }

    /// # Safety
    /// As for [`push`](Self::push), for the first time as well.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn push_and_offer(&self, link: *const Link) {
        if self.top.get().is_null() {
            self.prepare();
        }
        // SAFETY: the contract, and the list is prepared.
        unsafe { self.push(link) };
        self.offer();
    }

    #[cold]
    fn prepare(&self) {
        self.top.set(&raw const self.end);
        seat::before_vacating(close);
        self.offered.set(match seat::mine() {
            Some(seat) if pool().permits > 1 => &raw const *seat.offered,
            _ => ptr::from_ref(&NEVER),
        });
    }

    /// Offers the oldest private branch to all.
    #[cold]
    #[inline(never)]
    fn offer(&self) {
        let end = &raw const self.end;
        if self.top.get() == end || self.is_offering() || sequential::is_on() {
            return;
        }
        let Some(owner) = seat::mine_if_any() else { return };
        // SAFETY: the list is not empty, so its end's neighbour is a branch in a frame below; so is
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
            let shared = Shared { owner, thief, done: Latch::new() };
            (*oldest).shared.with_mut(|place| _ = (*place).write(shared));
            oldest
        };
        let pool = pool();
        if self.top.get() == end && !owner.post.is_worker() && self.lease.get().is_null() {
            // This thread computes from now on, so one worker fewer may.
            if pool.lease() {
                self.lease.set(oldest);
            }
        }
        owner.offer(oldest.cast());
        pool.published();
    }

    /// Returns the permit at the end of the branch that it was taken for.
    pub(super) fn end_lease(&self, link: *const Link) {
        if self.lease.get() == link {
            self.lease.set(ptr::null());
            pool().end_lease();
        }
    }
}

/// A branch is neither in this thread's list nor offered by it: its frame was moved from another
/// thread, whose list still leads there.
#[cold]
fn moved() -> ! {
    // Nothing may unwind out of a frame that others can reach.
    eprintln!("trine: a coroutine inside `trine::join` was resumed on another thread");
    abort();
}

/// This thread offers no more: its seat goes to another.
fn close() {
    Fork::mine().offered.set(ptr::from_ref(&NEVER));
}
