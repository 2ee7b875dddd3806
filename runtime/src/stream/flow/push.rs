//! An item on its way into a flow, and its place in the line of those that wait.

use std::task::{Poll, Waker};

use super::{Flow, Wait};
use crate::panic::drop_quietly;

/// An item on its way in. If it is dropped while it waits, whoever waits behind it may come.
pub(crate) struct Push<'a, T> {
    flow: &'a Flow<T>,
    item: Option<T>,
    number: Option<u64>,
}

impl<'a, T> Push<'a, T> {
    pub(crate) fn new(flow: &'a Flow<T>, item: T) -> Self {
        Self { flow, item: Some(item), number: None }
    }

    /// False if nothing more is wanted. While there is no room it waits for it, with a waker.
    pub(crate) fn poll(&mut self, waker: Option<&Waker>) -> Poll<bool> {
        let wait = waker.map(|waker| Wait { number: &mut self.number, waker });
        self.flow.poll_push(&mut self.item, wait)
    }

    /// Whether it would not have to wait, for whoever looks again and again; it may just have
    /// changed.
    pub(crate) fn seems_to_have_room(&self) -> bool {
        self.flow.level.has_room()
    }

    /// Whether the flow's reader may run while this thread spins.
    pub(crate) fn may_be_read(&self) -> bool {
        self.flow.level.reader.may_run()
    }

    /// The item, if it was not wanted.
    pub(crate) fn into_item(mut self) -> Option<T> {
        self.item.take()
    }
}

impl<T> Drop for Push<'_, T> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.flow.give_up(number);
        }
        // Whoever yields it may be unwinding, or drop others next.
        drop_quietly(self.item.take());
    }
}
