//! Tasks at no seat: those of threads that cannot have one, those of functions with a `priority`,
//! and calls that mostly wait, for which workers need no permit.

use std::sync::OnceLock;
use std::sync::atomic::{Ordering, fence};

use crossbeam_deque::{Injector, Worker as Deque};

use super::ranked;
use super::seat::{Item, retry};

static STRAYS: OnceLock<Injector<Item>> = OnceLock::new();
static BLOCKING: OnceLock<Injector<Item>> = OnceLock::new();

/// Queues a task. Call [`Crew::published`](super::crew::Crew::published) afterwards.
pub(super) fn push(item: Item) {
    STRAYS.get_or_init(Injector::new).push(item);
    fence(Ordering::SeqCst);
}

/// Queues a call that will mostly wait. Call [`Crew::dispatch`](super::crew::Crew::dispatch)
/// afterwards.
pub(super) fn push_blocking(item: Item) {
    if let Some(rank) = ranked::of(&item) {
        return rank.push_blocking(item);
    }
    BLOCKING.get_or_init(Injector::new).push(item);
    fence(Ordering::SeqCst);
}

/// Whether there is anything here.
pub(super) fn has_any() -> bool {
    let has_any = |queue: &Injector<Item>| !queue.is_empty();
    STRAYS.get().is_some_and(has_any)
        || BLOCKING.get().is_some_and(has_any)
        || ranked::high().has_any()
        || ranked::low().has_any()
}

/// Takes the first of the calls that will mostly wait.
pub(super) fn take_blocking() -> Option<Item> {
    ranked::high()
        .take_blocking()
        .or_else(take_usual_blocking)
        .or_else(|| ranked::low().take_blocking())
}

fn take_usual_blocking() -> Option<Item> {
    BLOCKING.get().and_then(|blocking| retry(|| blocking.steal()))
}

/// Takes what comes before anything at a seat.
#[inline]
pub(super) fn take_urgent() -> Option<Item> {
    ranked::high().take()
}

/// Takes anything that is here.
pub(super) fn take() -> Option<Item> {
    let stray = || STRAYS.get().and_then(|strays| retry(|| strays.steal()));
    take_urgent().or_else(stray).or_else(take_last)
}

/// Takes the next of what comes behind anything at a seat, and moves some more of the strays into
/// this deque.
pub(super) fn take_batch(deque: &Deque<Item>) -> Option<Item> {
    if !has_any() {
        return None;
    }
    let steal = |strays: &Injector<Item>| retry(|| strays.steal_batch_and_pop(deque));
    STRAYS.get().and_then(steal).or_else(take_last)
}

fn take_last() -> Option<Item> {
    take_usual_blocking().or_else(|| ranked::low().take())
}
