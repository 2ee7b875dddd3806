//! What the monitor sees of a worker: whether it is inside a task with a permit, which task, and of
//! which function. Also the step that takes the permit away.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32};

use crate::function::Function;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Not inside a task, or inside one without a permit that could be taken.
const APART: u64 = 0;
/// Inside a task, with a permit.
const RUNNING: u64 = 1;
/// Inside a task, and the monitor has taken the permit.
const REVOKED: u64 = 2;
const MODE: u64 = 0b11;
/// Counts the tasks, so that the monitor never takes a permit because of an earlier task.
const TASK: u64 = 1 << 2;

/// A worker's public state.
pub(crate) struct Post {
    status: AtomicU64,
    function: AtomicPtr<Function>,
    is_worker: AtomicBool,
    /// The worker is woken for calls that need no permit.
    has_errand: AtomicBool,
    /// The kernel's id of the thread; 0 if unknown.
    thread: AtomicU32,
    /// How many tasks the worker has ended.
    ended: AtomicU32,
}

impl Post {
    pub(crate) fn new() -> Self {
        Self {
            status: AtomicU64::new(APART),
            function: AtomicPtr::new(ptr::null_mut()),
            is_worker: AtomicBool::new(false),
            has_errand: AtomicBool::new(false),
            thread: AtomicU32::new(0),
            ended: AtomicU32::new(0),
        }
    }

    /// The seat's thread is a worker from now on, with this id; with `None` it no longer is.
    pub(crate) fn set_worker(&self, thread: Option<u32>) {
        self.thread.store(thread.unwrap_or(0), Ordering::Relaxed);
        self.is_worker.store(thread.is_some(), Ordering::Relaxed);
    }

    /// Tells the worker, before it is woken, that it gets and needs no permit.
    pub(crate) fn send_on_errand(&self) {
        self.has_errand.store(true, Ordering::Release);
    }

    /// Whether that is why it was woken.
    pub(crate) fn take_errand(&self) -> bool {
        self.has_errand.load(Ordering::Acquire) && self.has_errand.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn is_worker(&self) -> bool {
        self.is_worker.load(Ordering::Relaxed)
    }

    pub(crate) fn thread(&self) -> u32 {
        self.thread.load(Ordering::Relaxed)
    }

    /// The worker has ended a task.
    pub(crate) fn end_task(&self) {
        // Nobody else writes it.
        self.ended.store(self.ended().wrapping_add(1), Ordering::Relaxed);
    }

    /// How many tasks the worker has ended, in all.
    pub(crate) fn ended(&self) -> u32 {
        self.ended.load(Ordering::Relaxed)
    }

    /// The worker is now in a call of this function. Returns the previous one.
    pub(crate) fn enter(&self, function: *const Function) -> *const Function {
        let outer = self.function.load(Ordering::Relaxed);
        self.function.store(function.cast_mut(), Ordering::Relaxed);
        outer
    }

    /// The function that the worker is in.
    pub(crate) fn function(&self) -> Option<&'static Function> {
        // SAFETY: `enter` is only ever given pointers that came from `&'static Function`, or null.
        unsafe { self.function.load(Ordering::Relaxed).cast_const().as_ref() }
    }

    /// The worker starts or continues something that may block; it has a permit.
    #[inline]
    pub(crate) fn begin(&self) {
        // Only the worker leaves `APART`, so a plain store overwrites nothing.
        let status = self.status.load(Ordering::Relaxed);
        self.status.store((status & !MODE).wrapping_add(TASK) | RUNNING, Ordering::Release);
    }

    /// The worker has ended that, or will block in a way the pool knows about. Returns whether it
    /// still has its permit.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        // Only the worker writes the count, so only the mode of the new status is unknown.
        let status = self.status.load(Ordering::Relaxed) & !MODE;
        self.status.swap(status | APART, Ordering::AcqRel) & MODE == RUNNING
    }

    /// The current task, if the worker has a permit: a number that no other task will have.
    pub(crate) fn running(&self) -> Option<u64> {
        let status = self.status.load(Ordering::Acquire);
        (status & MODE == RUNNING).then_some(status)
    }

    /// Whether the monitor has taken the permit.
    pub(crate) fn is_revoked(&self) -> bool {
        self.status.load(Ordering::Relaxed) & MODE == REVOKED
    }

    /// Takes the permit, if the worker is still in what [`running`](Self::running) said.
    pub(crate) fn revoke(&self, seen: u64) -> bool {
        let revoked = seen & !MODE | REVOKED;
        self.status.compare_exchange(seen, revoked, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}
