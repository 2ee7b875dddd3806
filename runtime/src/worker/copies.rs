//! The copies of a worker: a value and a line each, and which of them gets the next call.
//!
//! A call goes to a copy that is free, else to the one with the fewest calls, and stays there; one
//! that is being made has none yet. To choose and to take a place in that line is one step for all
//! callers, so two of them never go to the same copy while another is free. Supervision is each
//! line's own.

use std::any::Any;
use std::sync::Arc;

use super::line::{Home, Line};
use crate::function::Function;
use crate::limit::Admit;
use crate::sync::Lock;

/// What all handles share. Calls share what is in it, so that its end is that of the last handle.
pub(super) struct Copies {
    each: Box<[Single]>,
    /// Held while one of several is chosen.
    choosing: Lock<()>,
}

struct Single {
    line: Arc<Line>,
    /// The engine's, for its calls.
    place: Arc<dyn Any + Send + Sync>,
}

impl Copies {
    /// Has a value made in each of these places.
    pub(super) fn start<P: Any + Send + Sync>(
        constructor: &Function,
        places: impl Iterator<Item = (Arc<P>, Box<dyn Home>)>,
    ) -> Arc<Self> {
        let copies =
            places.map(|(place, home)| Single { line: Line::new(constructor, home), place });
        let started = Self { each: copies.collect(), choosing: Lock::new(()) };
        started.lines().for_each(Line::begin);
        Arc::new(started)
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &Arc<Line>> {
        self.each.iter().map(|copy| &copy.line)
    }

    #[cfg(any(feature = "process", feature = "async"))]
    pub(super) fn place(&self) -> &Arc<dyn Any + Send + Sync> {
        &self.each[0].place
    }

    /// Where the next call goes, and the place of its value.
    pub(super) fn choose(&self) -> (Entry<'_>, &Arc<dyn Any + Send + Sync>) {
        let (copy, is_expected) = match &*self.each {
            [only] => (only, false),
            copies => {
                let _choosing = self.choosing.lock();
                let shortest = copies.iter().min_by_key(|copy| copy.line.length());
                let shortest = shortest.expect("there is a copy at least");
                shortest.line.expect();
                (shortest, true)
            }
        };
        (Entry { line: &copy.line, is_expected }, &copy.place)
    }
}

/// A place in a line for one call, given up if none comes.
pub(crate) struct Entry<'a> {
    line: &'a Arc<Line>,
    is_expected: bool,
}

impl Entry<'_> {
    pub(crate) fn line(&self) -> Arc<Line> {
        Arc::clone(self.line)
    }

    /// Admits the call when it is its turn.
    pub(crate) fn enter(mut self, call: Arc<dyn Admit>) {
        self.line.enter(call, std::mem::take(&mut self.is_expected));
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if self.is_expected {
            self.line.forget();
        }
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        self.lines().for_each(Line::abandon);
    }
}
