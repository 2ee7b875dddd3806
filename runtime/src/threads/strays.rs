//! Tasks at no seat: those of threads that cannot have one, and calls that mostly wait, for which
//! workers need no permit.

use std::sync::OnceLock;
use std::sync::atomic::{Ordering, fence};

use crossbeam_deque::{Injector, Worker as Deque};

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
    BLOCKING.get_or_init(Injector::new).push(item);
    fence(Ordering::SeqCst);
}

/// Whether there is anything here.
pub(super) fn has_any() -> bool {
    let has_any = |queue: &Injector<Item>| !queue.is_empty();
    STRAYS.get().is_some_and(has_any) || BLOCKING.get().is_some_and(has_any)
}

/// Takes the oldest of the calls that will mostly wait.
pub(super) fn take_blocking() -> Option<Item> {
    BLOCKING.get().and_then(|blocking| retry(|| blocking.steal()))
}

/// Takes the next task.
pub(super) fn take() -> Option<Item> {
    STRAYS.get().and_then(|strays| retry(|| strays.steal())).or_else(take_blocking)
}

/// The same, and moves some more of the strays into this deque.
pub(super) fn take_batch(deque: &Deque<Item>) -> Option<Item> {
    if !has_any() {
        return None;
    }
    let steal = |strays: &Injector<Item>| retry(|| strays.steal_batch_and_pop(deque));
    STRAYS.get().and_then(steal).or_else(take_blocking)
}
