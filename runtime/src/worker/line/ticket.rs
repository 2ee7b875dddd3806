//! What a call has of the line before its worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Line, Turn};
use crate::function::Function;
use crate::sequential;

/// A call waits in the line until it is assigned a copy.
pub(crate) struct Ticket {
    line: Arc<Line>,
    copy: AtomicU32,
    /// Its call yields, and so waits for its reader.
    yields: bool,
    /// It needs a place under the limit of its function.
    needs_place: bool,
    /// It makes the value, and whoever sees its end passes the turn on.
    makes: bool,
}

impl Ticket {
    pub(crate) fn new(line: Arc<Line>) -> Self {
        Self { line, copy: AtomicU32::new(0), yields: false, needs_place: false, makes: false }
    }

    /// For a call of this function. What runs inline needs no place: it could wait for one that its
    /// caller has.
    pub(crate) fn of(self, function: &Function) -> Self {
        let needs_place = function.limiter().is_some() && !sequential::is_on();
        Self { needs_place, ..self }
    }

    pub(crate) fn needs_place(&self) -> bool {
        self.needs_place
    }

    /// Of a call that yields.
    #[cfg(feature = "threads")]
    pub(crate) fn yielding(line: Arc<Line>) -> Self {
        Self { yields: true, ..Self::new(line) }
    }

    /// Whether a joiner further behind may run it: not if it waits for a reader, who may be the
    /// joiner.
    #[cfg(feature = "threads")]
    pub(crate) fn may_be_helped(&self) -> bool {
        !self.yields
    }

    /// Of a call that makes the value, and has the turn already.
    #[cfg(any(feature = "threads", feature = "async"))]
    pub(crate) fn making(turn: &Turn) -> Self {
        Self { makes: true, ..Self::from(turn) }
    }

    pub(crate) fn makes(&self) -> bool {
        self.makes
    }

    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// Before the call is admitted, which publishes it.
    pub(crate) fn assign(&self, copy: usize) {
        let copy = u32::try_from(copy).expect("an option is not larger");
        self.copy.store(copy, Ordering::Relaxed);
    }

    pub(crate) fn copy(&self) -> usize {
        self.copy.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn turn(&self) -> Turn {
        self.line.turn(self.copy())
    }
}

impl From<&Turn> for Ticket {
    /// Of what has the turn already.
    fn from(turn: &Turn) -> Self {
        let ticket = Self::new(Arc::clone(&turn.line));
        ticket.assign(turn.copy);
        ticket
    }
}
