//! The calls that wait for a worker, in the order in which they are to get one: those of functions
//! with `priority = high` first and with `priority = low` last, and else as they came.

use std::collections::VecDeque;
use std::sync::Arc;

use super::request::Request;
use crate::function::Function;
use crate::options::Priority;
use crate::process::job::AnyCall;

pub(super) enum Waiting {
    Call(Arc<dyn AnyCall>),
    /// It was already with a worker, or nearly.
    Request(Box<Request>),
}

impl Waiting {
    pub(super) fn function(&self) -> &'static Function {
        match self {
            Self::Call(call) => call.function(),
            Self::Request(request) => request.call.function(),
        }
    }
}

#[derive(Default)]
pub(super) struct Queue {
    high: VecDeque<Waiting>,
    usual: VecDeque<Waiting>,
    low: VecDeque<Waiting>,
}

impl Queue {
    fn lines(&self) -> [&VecDeque<Waiting>; 3] {
        [&self.high, &self.usual, &self.low]
    }

    /// Those like this one.
    fn line(&mut self, waiting: &Waiting) -> &mut VecDeque<Waiting> {
        match waiting.function().options().priority {
            Priority::High => &mut self.high,
            Priority::Usual => &mut self.usual,
            Priority::Low => &mut self.low,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lines().iter().map(|line| line.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines().iter().all(|line| line.is_empty())
    }

    pub(super) fn get(&self, mut position: usize) -> Option<&Waiting> {
        for line in self.lines() {
            if position < line.len() {
                return line.get(position);
            }
            position -= line.len();
        }
        None
    }

    /// Behind all others like it.
    pub(super) fn push_back(&mut self, waiting: Waiting) {
        self.line(&waiting).push_back(waiting);
    }

    /// Before all others like it.
    pub(super) fn push_front(&mut self, waiting: Waiting) {
        self.line(&waiting).push_front(waiting);
    }

    /// Puts one back that was at this position.
    pub(super) fn insert(&mut self, position: usize, waiting: Waiting) {
        let before = match waiting.function().options().priority {
            Priority::High => 0,
            Priority::Usual => self.high.len(),
            Priority::Low => self.high.len() + self.usual.len(),
        };
        let line = self.line(&waiting);
        line.insert(position.saturating_sub(before).min(line.len()), waiting);
    }

    pub(super) fn remove(&mut self, mut position: usize) -> Option<Waiting> {
        for line in [&mut self.high, &mut self.usual, &mut self.low] {
            if position < line.len() {
                return line.remove(position);
            }
            position -= line.len();
        }
        None
    }
}
