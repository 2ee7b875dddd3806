//! A branch of fork-join: run by its owner, or by the thread that has taken it.

use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::thread;

use super::around::{pool, seat};
use super::fork::{Fork, Link, Shared};
use crate::panic::drop_quietly;
use crate::sync::atomic::Ordering;
use crate::sync::{UnsafeCell, yield_now};
use crate::threads::seat::{Offer, Seat};
use crate::wait;

/// A second closure, on the stack of the joining thread.
#[repr(C)]
pub(super) struct Branch<B, RB> {
    /// First, so that a pointer to it is a pointer to the branch.
    pub(super) link: Link,
    closure: UnsafeCell<ManuallyDrop<B>>,
    result: UnsafeCell<MaybeUninit<thread::Result<RB>>>,
}

impl<B, RB> Branch<B, RB>
where
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    #[inline]
    pub(super) fn new(closure: B) -> Self {
        Self {
            link: Link::new(Self::run),
            closure: UnsafeCell::new(ManuallyDrop::new(closure)),
            result: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// As its thread's list has it. Made from the whole branch: who has only a pointer to its head
    /// may use that alone.
    #[inline]
    fn head(&self) -> *const Link {
        ptr::from_ref(self).cast()
    }

    /// Puts it into this thread's list, and shows it to others if none is shown. The caller keeps
    /// it where it is, and leaves it only through [`result`](Self::result) or [`Abandon`].
    #[inline]
    pub(super) fn enter(&self, fork: &Fork) {
        // SAFETY: it stays where it is until it is out of the list, and until nobody has it.
        unsafe {
            if fork.is_offering() {
                fork.push(self.head());
            } else {
                fork.push_and_offer(self.head());
            }
        }
    }

    /// The second result, usually by running the closure here and now.
    #[inline]
    pub(super) fn result(&self, fork: &Fork) -> RB {
        if fork.pop(self.head()) {
            // SAFETY: the branch was private to its end and is out of the list: nobody else has it.
            let closure = unsafe { self.take() };
            return closure();
        }
        self.settle()
    }

    /// # Safety
    /// Called once, by whoever has the branch.
    #[inline]
    unsafe fn take(&self) -> B {
        // SAFETY: by the contract the closure is still there, and nobody else reaches it.
        self.closure.with_mut(|closure| unsafe { ManuallyDrop::take(&mut *closure) })
    }

    /// # Safety
    /// `link` is the [`head`](Self::head) of a branch of this type that the caller has taken from
    /// its owner's seat.
    unsafe fn run(link: *const Link) {
        // SAFETY: `repr(C)`, and the owner keeps the frame until the latch is set. The latch is
        // touched last; setting it may end the frame.
        unsafe {
            let branch = &*link.cast::<Self>();
            let result = catch_unwind(AssertUnwindSafe(branch.take()));
            branch.result.with_mut(|place| _ = (*place).write(result));
            let shared = branch.link.shared();
            let owner = shared.owner;
            if shared.done.set() {
                owner.parker.unpark();
            }
        }
    }

    /// The second result, if the branch is no longer the youngest private one: runs it, or waits
    /// for the thread that has taken it.
    #[cold]
    #[inline(never)]
    fn settle(&self) -> RB {
        let _lease = EndLease(self.head());
        if self.reclaim() {
            // SAFETY: taken back before anybody else took it.
            return unsafe { self.take() }();
        }
        assert!(
            self.wait(),
            "`trine::join` in a forked child: the thread that runs its second closure is not here"
        );
        // SAFETY: the latch is set, and this is the only call.
        unsafe { self.read() }.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// # Safety
    /// Called once, after the latch was set by the thread that had taken the branch.
    unsafe fn read(&self) -> thread::Result<RB> {
        // SAFETY: the latch says that the result was written, and by the contract nobody else
        // reads it.
        self.result.with_mut(|result| unsafe { (*result).assume_init_read() })
    }

    /// Takes the branch back if nobody else has taken it.
    fn reclaim(&self) -> bool {
        // SAFETY: `join` has put it into the list.
        if !unsafe { self.link.is_offered() } {
            // SAFETY: `join` has put it there, and it was not offered.
            unsafe { Fork::mine().remove(self.head()) };
            return true;
        }
        // SAFETY: it was offered, and this frame is its owner's.
        let owner = unsafe { self.link.shared() }.owner;
        owner.withdraw(self.head().cast())
    }

    /// Waits for the thread that has taken the branch, and helps with what it offers. Returns false
    /// if that thread is in the process that this one was forked from, and so cannot finish here.
    #[must_use]
    fn wait(&self) -> bool {
        // SAFETY: the branch was offered, and this frame is its owner's.
        let Shared { owner, thief, done } = unsafe { self.link.shared() };
        // `None` when a coroutine outlives its thread's seat: then this thread can only poll.
        let mine = seat::mine_if_any().filter(|mine| ptr::eq(*mine, *owner));
        let mut rounds = 0u32;
        while !done.is_set() {
            if !pool().is_here() {
                return false;
            }
            // SAFETY: seats are never freed.
            let thief = unsafe { thief.load(Ordering::Acquire).cast_const().as_ref() };
            // Checked after reading the slot, so what was there is part of our branch, since a
            // worker is in one branch at a time.
            let offer = thief.filter(|thief| thief.is_offering());
            let part =
                offer.filter(|_| mine.is_some() && !done.is_set()).and_then(Seat::take_offered);
            if let (Some(part), Some(mine)) = (part, mine) {
                // SAFETY: taken just now, by this thread alone.
                unsafe { run_taken(part, mine) };
                rounds = 0;
                continue;
            }
            rounds = rounds.saturating_add(1);
            if rounds > ROUNDS && mine.is_some() {
                if done.wait() {
                    // The end leaves one token. Another may have been left for this thread before.
                    wait::blocking(|| {
                        owner.parker.park();
                        while !done.is_set() {
                            owner.parker.park();
                        }
                    });
                }
                return true;
            }
            for _ in 0..16 {
                std::hint::spin_loop();
            }
            if rounds.is_multiple_of(4) || cfg!(trine_loom) {
                yield_now();
            }
        }
        true
    }
}

/// How often to poll before sleeping: a few microseconds, about the price of a wake-up.
const ROUNDS: u32 = if cfg!(trine_loom) { 1 } else { 64 };

struct EndLease(*const Link);

impl Drop for EndLease {
    fn drop(&mut self) {
        Fork::mine().end_lease(self.0);
    }
}

/// The first closure has panicked: nobody may keep a branch in this frame. Its destructors may
/// panic too, which must not end the program.
pub(super) struct Abandon<'a, B: FnOnce() -> RB + Send, RB: Send>(pub(super) &'a Branch<B, RB>);

impl<B: FnOnce() -> RB + Send, RB: Send> Drop for Abandon<'_, B, RB> {
    #[cold]
    fn drop(&mut self) {
        let branch = self.0;
        let _lease = EndLease(branch.head());
        if branch.reclaim() {
            // SAFETY: out of the list, or taken back: nobody else has it.
            drop_quietly(unsafe { branch.take() });
        } else if branch.wait() {
            // SAFETY: the latch is set, and this is the only call.
            drop_quietly(unsafe { branch.read() });
        }
    }
}

/// Takes a branch that another thread offers, and lets `run` run it. Returns whether there was one.
pub(in crate::threads) fn take_offer(run: impl FnOnce(&mut dyn FnMut())) -> bool {
    let Some(mine) = seat::mine_if_any() else { return false };
    let Some(branch) = mine.take_offer_of_others() else { return false };
    run(&mut || {
        // SAFETY: it was taken just now, by this thread alone.
        unsafe { run_taken(branch, mine) }
    });
    true
}

/// The same from one thread.
#[cfg(all(test, trine_loom))]
pub(super) fn take_offer_of(owner: &Seat) -> bool {
    let (Some(mine), Some(branch)) = (seat::mine(), owner.take_offered()) else { return false };
    // SAFETY: it was taken just now, by this thread alone.
    unsafe { run_taken(branch, mine) };
    true
}

/// The frame ends: loom reports whoever still uses it.
#[cfg(all(test, trine_loom))]
impl<B, RB> Drop for Branch<B, RB> {
    fn drop(&mut self) {
        self.link.end();
        self.closure.with_mut(|_| ());
        self.result.with_mut(|_| ());
    }
}

/// # Safety
/// This thread has taken the branch from its owner's seat, and runs it once.
unsafe fn run_taken(branch: *const Offer, mine: &'static Seat) {
    let branch = branch.cast::<Link>();
    // SAFETY: the owner does not leave the branch before its latch is set, which `run` does last.
    unsafe {
        (*branch).shared().thief.store(ptr::from_ref(mine).cast_mut(), Ordering::Release);
        ((*branch).run)(branch);
    }
}
