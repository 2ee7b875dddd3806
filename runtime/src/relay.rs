//! The steps that follow the end of a task, on a stack that does not grow with their number.
//!
//! The end of one task tells a combinator, which ends and tells the next; a cancel goes the other
//! way, from a task to its parts and on to theirs; a dropped handle may own others. Each step is
//! short and calls the next one directly. But a chain may have 100,000 links. So beyond some depth
//! a step is queued instead, and the innermost step that runs then runs the whole queue in a loop.
//! Callers further up see no difference. Code of users begins anew (`nesting.rs`), and where the
//! stack has no room for more of it, a thread of its own takes the step ([`aside`]).
//!
//! User code that runs in a step might wait for something that is queued on its own thread. So
//! before this crate blocks, it runs those steps ([`catch_up`]).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use crate::nesting::{self, is_deep};
use crate::panic::{drop_quietly, quietly};
use crate::sync::thread_local;
use crate::tokio::{self, HeldClock};
use crate::{stack, wakers};

pub(crate) mod aside;

/// A combinator over tasks.
pub(crate) trait Observer: Send + Sync {
    /// The `index`th task has finished. Returns whether anything follows from that. Runs on the
    /// thread that finished it, at once and whatever that thread holds: it is a few instructions,
    /// and no foreign code, nor is the destructor.
    fn note(&self, _: usize) -> bool {
        true
    }

    /// Does what follows, in a step of its own.
    fn finished(self: Arc<Self>, index: usize);

    /// Whether that runs no code of users and waits for nothing, so that any thread may do it.
    fn is_brief(&self) -> bool {
        false
    }
}

/// A task that is made of other tasks.
pub(crate) trait Combined: Send + Sync {
    /// Lets the joiner run the parts that have not started, where possible.
    fn help_parts(&self);

    /// Cancels the parts; nobody wants them any more.
    fn cancel_parts(&self);

    /// Asks the unfinished parts `Call::needs_this_thread`.
    fn ask_parts(&self, asked: &mut Asked) -> bool;
}

/// Who asks, and which combined tasks have yet to ask their parts.
pub(crate) struct Asked {
    /// Whether the thread that asks is about to block.
    pub(crate) blocks: bool,
    /// Whether it checks again from time to time for work that it may run itself.
    pub(crate) helps: bool,
    combined: Vec<Arc<dyn Combined>>,
}

impl Asked {
    /// By a thread that joins.
    pub(crate) fn by_joiner() -> Self {
        Self { blocks: true, helps: true, combined: Vec::new() }
    }

    /// By a thread that is about to block, and has to be free to leave.
    pub(crate) fn by_thread() -> Self {
        Self { blocks: true, helps: false, combined: Vec::new() }
    }

    /// By an executor, which continues with other tasks.
    pub(crate) fn by_executor() -> Self {
        Self { blocks: false, helps: false, combined: Vec::new() }
    }

    pub(crate) fn push(&mut self, combined: Arc<dyn Combined>) {
        self.combined.push(combined);
    }

    pub(crate) fn pop(&mut self) -> Option<Arc<dyn Combined>> {
        self.combined.pop()
    }
}

/// Something to do next.
pub(crate) enum Step {
    Tell(Arc<dyn Observer>, usize),
    CancelParts(Arc<dyn Combined>),
    HelpParts(Arc<dyn Combined>),
    Wake(Waker),
    /// Foreign code.
    Run(Box<dyn FnOnce() + Send>),
    /// Code of this crate that is brief, as an observer may be.
    Brief(Box<dyn FnOnce() + Send>),
    Drop(Box<dyn Send>),
    /// What follows the end of a call, for which a paused clock stands still.
    Within(HeldClock, Box<Step>),
}

impl Step {
    pub(crate) fn run(self) {
        match self {
            Self::Tell(observer, index) => observer.finished(index),
            Self::CancelParts(combined) => combined.cancel_parts(),
            Self::HelpParts(combined) => combined.help_parts(),
            Self::Wake(waker) => nesting::afresh(|| waker.wake()),
            Self::Run(run) | Self::Brief(run) => run(),
            Self::Drop(value) => drop_quietly(value),
            Self::Within(clock, step) => clock.within(|| step.run()),
        }
    }

    /// The step as another may take it, or this thread later.
    fn left(self) -> Self {
        match self {
            Self::Tell(..) | Self::Wake(_) | Self::Run(_) | Self::Brief(_) => {
                match tokio::standing() {
                    Some(clock) => Self::Within(clock.hold(), Box::new(self)),
                    None => self,
                }
            }
            _ => self,
        }
    }

    /// Whether it runs no code of users and waits for nothing.
    #[cfg(feature = "process")]
    fn is_brief(&self) -> bool {
        match self {
            Self::Tell(observer, _) => observer.is_brief(),
            Self::CancelParts(_) | Self::Brief(_) => true,
            Self::Within(_, step) => step.is_brief(),
            Self::HelpParts(_) | Self::Wake(_) | Self::Run(_) | Self::Drop(_) => false,
        }
    }
}

/// The queued steps of this thread.
struct Queue {
    next: VecDeque<Step>,
    /// These may run bodies, which take a while, so they come last.
    help: VecDeque<Step>,
}

impl Queue {
    const fn new() -> Self {
        Self { next: VecDeque::new(), help: VecDeque::new() }
    }

    fn push(&mut self, step: Step) {
        match step {
            Step::HelpParts(_) => self.help.push_back(step),
            _ => self.next.push_back(step),
        }
    }

    fn pop(&mut self) -> Option<Step> {
        self.next.pop_front().or_else(|| self.help.pop_front())
    }
}

thread_local! {
    static QUEUE: RefCell<Queue> = const { RefCell::new(Queue::new()) };
}

/// Runs a step now, or leaves it to the loop that this thread is in.
pub(crate) fn take(step: Step) {
    if is_deep() && QUEUE.try_with(|_| ()).is_ok() {
        let step = step.left();
        QUEUE.with(|queue| queue.borrow_mut().push(step));
    } else if stack::has_room(None) || matches!(step, Step::HelpParts(_)) {
        deeper(|| step.run());
    } else {
        aside::take(vec![step.left()]);
    }
}

/// Wakes an executor. Its waker may be foreign code.
pub(crate) fn wake(waker: Waker) {
    if is_deep() && !wakers::is_brief(&waker) {
        take(Step::Wake(waker));
    } else {
        waker.wake();
    }
}

/// Runs code of this crate that runs no other and waits for nothing, and may come here again.
pub(crate) fn brief(run: impl FnOnce() + Send + 'static) {
    if is_deep() {
        take(Step::Brief(Box::new(run)));
    } else {
        deeper(run);
    }
}

/// Runs foreign code that is no step of its own.
pub(crate) fn run(foreign: impl FnOnce() + Send + 'static) {
    if is_deep() || !stack::has_room(None) {
        take(Step::Run(Box::new(foreign)));
    } else {
        deeper(foreign);
    }
}

/// Drops a value that may own tasks, which own others, and whose destructor may be foreign code.
pub(crate) fn discard<T: Send + 'static>(value: T) {
    if !std::mem::needs_drop::<T>() {
        return;
    }
    if is_deep() || !stack::has_room(None) {
        take(Step::Drop(Box::new(value)));
    } else {
        deeper(|| drop_quietly(value));
    }
}

/// Runs a step now, one level deeper.
fn deeper(step: impl FnOnce()) {
    nesting::deeper(step, catch_up);
}

/// Runs a closure during which no step runs, since this thread holds something that a step may wait
/// for, or serves others. Steps queue until [`drain`], or until they are released here.
pub(crate) fn hold<R>(act: impl FnOnce() -> R) -> R {
    nesting::held(act)
}

/// Runs a closure that ends calls which are nothing to this thread: what follows from that must not
/// keep it.
#[cfg(feature = "process")]
#[inline]
pub(crate) fn as_bystander(act: impl FnOnce()) {
    apart(|| {
        hold(act);
        settle();
    });
}

/// Runs a closure as [`hold`] does; returns the steps that were held as well, and none from before.
#[cfg(feature = "process")]
#[inline]
pub(crate) fn gather<R>(act: impl FnOnce() -> R) -> (R, Vec<Step>) {
    apart(|| {
        let result = hold(act);
        let has_any = has_gathered();
        (result, if has_any { exchange(VecDeque::new()).into() } else { Vec::new() })
    })
}

/// Runs a closure while the steps from before are not queued.
#[cfg(feature = "process")]
fn apart<R>(act: impl FnOnce() -> R) -> R {
    // Mostly there are none, and the queue keeps its memory.
    let earlier = has_gathered().then(|| exchange(VecDeque::new()));
    let result = act();
    if let Some(earlier) = earlier {
        exchange(earlier);
    }
    result
}

#[cfg(feature = "process")]
fn exchange(steps: VecDeque<Step>) -> VecDeque<Step> {
    let put = |queue: &RefCell<Queue>| std::mem::replace(&mut queue.borrow_mut().next, steps);
    QUEUE.try_with(put).unwrap_or_default()
}

/// Whether steps are held since [`gather`] or [`as_bystander`].
#[cfg(feature = "process")]
#[inline]
pub(crate) fn has_gathered() -> bool {
    QUEUE.try_with(|queue| !queue.borrow().next.is_empty()).unwrap_or(false)
}

/// Runs those of the held steps that are brief, and hands others to threads of their own.
#[cfg(feature = "process")]
pub(crate) fn settle() {
    if !has_gathered() {
        return;
    }
    let mut foreign = Vec::new();
    hold(|| {
        while let Some(step) = QUEUE.with(|queue| queue.borrow_mut().next.pop_front()) {
            if step.is_brief() {
                quietly(|| step.run());
            } else {
                foreign.push(step);
            }
        }
    });
    aside::take(foreign);
}

/// The held steps, for another thread to [`take`].
pub(crate) fn drain() -> Vec<Step> {
    QUEUE.with(|queue| std::iter::from_fn(|| queue.borrow_mut().pop()).collect())
}

/// Runs all queued steps of this thread. Closures in them may wait in turn, so near the end of its
/// stack another thread does.
pub(crate) fn catch_up() {
    loop {
        if !stack::has_room(None) {
            aside::take(drain_foreign());
        }
        let next = QUEUE.try_with(|queue| queue.borrow_mut().pop());
        let Some(step) = next.ok().flatten() else { return };
        // A panicking destructor must not take the other steps with it.
        quietly(|| step.run());
    }
}

/// The held steps that may run closures or destructors, but no bodies.
fn drain_foreign() -> Vec<Step> {
    QUEUE.try_with(|queue| std::mem::take(&mut queue.borrow_mut().next).into()).unwrap_or_default()
}
