//! Calls that wait, in the order in which they are to start: those of functions with
//! `priority = high` first and with `priority = low` last, and else as they came.
//!
//! Who waits where is the engine's matter; the order is the same in each. A call that was given up
//! leaves its shell in line, and so may one that its joiner runs. A line that has doubled is
//! searched for shells, so they never greatly outnumber the calls, however long nobody comes.

use std::collections::VecDeque;

use crate::options::Priority;

/// A call in line.
pub(crate) trait Waits {
    fn priority(&self) -> Priority;
    /// Whether it is still to run; else it is a shell.
    fn is_wanted(&self) -> bool;
}

/// A line with this many entries is searched for shells.
const SWEEP_FROM: usize = 1024;

/// Those with the same priority.
pub(crate) struct Line<T> {
    calls: VecDeque<T>,
    sweep_at: usize,
}

impl<T: Waits> Line<T> {
    pub(crate) const fn new() -> Self {
        Self { calls: VecDeque::new(), sweep_at: SWEEP_FROM }
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Returns shells, to drop where no lock is held: their destructors may run any code.
    #[must_use]
    pub(crate) fn push_back(&mut self, call: T) -> VecDeque<T> {
        let shells = if self.calls.len() < self.sweep_at { VecDeque::new() } else { self.sweep() };
        self.calls.push_back(call);
        shells
    }

    #[cold]
    fn sweep(&mut self) -> VecDeque<T> {
        let (wanted, shells) = self.calls.drain(..).partition(Waits::is_wanted);
        self.calls = wanted;
        // Not again before there are twice as many, so the cost of a call is constant.
        self.sweep_at = 2 * SWEEP_FROM.max(self.calls.len());
        shells
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        self.calls.pop_front()
    }
}

/// All of them.
pub(crate) struct Lines<T> {
    high: Line<T>,
    usual: Line<T>,
    low: Line<T>,
}

impl<T: Waits> Default for Lines<T> {
    fn default() -> Self {
        Self { high: Line::new(), usual: Line::new(), low: Line::new() }
    }
}

impl<T: Waits> Lines<T> {
    fn all(&self) -> [&Line<T>; 3] {
        [&self.high, &self.usual, &self.low]
    }

    pub(crate) fn len(&self) -> usize {
        self.all().iter().map(|line| line.len()).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all().iter().all(|line| line.calls.is_empty())
    }

    pub(crate) fn get(&self, mut position: usize) -> Option<&T> {
        for line in self.all() {
            if position < line.len() {
                return line.calls.get(position);
            }
            position -= line.len();
        }
        None
    }

    pub(crate) fn remove(&mut self, mut position: usize) -> Option<T> {
        for line in [&mut self.high, &mut self.usual, &mut self.low] {
            if position < line.len() {
                return line.calls.remove(position);
            }
            position -= line.len();
        }
        None
    }

    /// Those like this one.
    fn line(&mut self, call: &T) -> &mut Line<T> {
        match call.priority() {
            Priority::High => &mut self.high,
            Priority::Usual => &mut self.usual,
            Priority::Low => &mut self.low,
        }
    }

    /// Behind all others like it; as [`Line::push_back`].
    #[must_use]
    pub(crate) fn push_back(&mut self, call: T) -> VecDeque<T> {
        self.line(&call).push_back(call)
    }

    /// Before all others like it.
    pub(crate) fn push_front(&mut self, call: T) {
        self.line(&call).calls.push_front(call);
    }

    /// Puts one back that was at this position.
    pub(crate) fn insert(&mut self, position: usize, call: T) {
        let before = match call.priority() {
            Priority::High => 0,
            Priority::Usual => self.high.len(),
            Priority::Low => self.high.len() + self.usual.len(),
        };
        let line = self.line(&call);
        line.calls.insert(position.saturating_sub(before).min(line.len()), call);
    }
}
