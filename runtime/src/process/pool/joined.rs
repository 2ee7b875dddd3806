//! What follows the end of the call that the thread at a desk waits for is for that thread to do.
//! What follows the ends of others, whose replies it takes as well, must not keep it.

use std::cell::RefCell;
use std::ptr;

use crate::process::job::{AnyCall, Reply};
use crate::relay::{self, Step};

/// The call that the thread at a desk waits for, if any.
pub(super) struct Joined<'a> {
    call: Option<&'a dyn AnyCall>,
    /// What follows.
    steps: RefCell<Vec<Step>>,
}

impl<'a> Joined<'a> {
    pub(super) fn new(call: &'a dyn AnyCall) -> Self {
        Self { call: Some(call), ..Self::none() }
    }

    pub(super) const fn none() -> Self {
        Self { call: None, steps: RefCell::new(Vec::new()) }
    }

    pub(super) fn complete(&self, call: &dyn AnyCall, reply: Reply) {
        if self.call.is_some_and(|own| ptr::addr_eq(own, call)) {
            let ((), steps) = relay::gather(|| call.complete(reply));
            if !steps.is_empty() {
                *self.steps.borrow_mut() = steps;
            }
        } else {
            call.complete(reply);
        }
    }

    /// Does what follows.
    pub(super) fn follow(&self) {
        if !self.steps.borrow().is_empty() {
            self.steps.take().into_iter().for_each(relay::take);
        }
    }
}
