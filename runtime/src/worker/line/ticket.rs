//! What a call has of the line before its worker.

use std::sync::Arc;
#[cfg(feature = "process")]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(feature = "process")]
use super::second_wait::SecondWait;
use super::{Line, Turn};
use crate::function::Function;
use crate::sequential;

/// A call waits in the line until it is assigned a copy.
pub(crate) struct Ticket {
    line: Arc<Line>,
    copy: AtomicU32,
    of: Of,
    /// Which turn of its worker it has had.
    #[cfg(feature = "process")]
    order: AtomicU64,
    #[cfg(feature = "process")]
    again: SecondWait,
}

/// What has it.
#[derive(Clone, Copy)]
enum Of {
    Call {
        /// It waits for its reader.
        yields: bool,
        /// It needs a place under the limit of its function.
        needs_place: bool,
    },
    /// The call that makes the value; whoever sees its end passes the turn on.
    Constructor,
}

impl Ticket {
    pub(crate) fn new(line: Arc<Line>) -> Self {
        Self::of_what(line, Of::Call { yields: false, needs_place: false })
    }

    fn of_what(line: Arc<Line>, of: Of) -> Self {
        Self {
            line,
            copy: AtomicU32::new(0),
            of,
            #[cfg(feature = "process")]
            order: AtomicU64::new(0),
            #[cfg(feature = "process")]
            again: SecondWait::new(),
        }
    }

    /// For a call of this function. What runs inline needs no place: it could wait for one that its
    /// caller has.
    pub(crate) fn of(self, function: &Function) -> Self {
        let Of::Call { yields, .. } = self.of else { return self };
        let needs_place = function.limiter().is_some() && !sequential::is_on();
        Self { of: Of::Call { yields, needs_place }, ..self }
    }

    pub(crate) fn needs_place(&self) -> bool {
        matches!(self.of, Of::Call { needs_place: true, .. })
    }

    /// Of a call that yields.
    #[cfg(feature = "threads")]
    pub(crate) fn yielding(line: Arc<Line>) -> Self {
        Self::of_what(line, Of::Call { yields: true, needs_place: false })
    }

    /// Whether a joiner further behind may run it: not if it waits for a reader, who may be the
    /// joiner.
    #[cfg(feature = "threads")]
    pub(crate) fn may_be_helped(&self) -> bool {
        !matches!(self.of, Of::Call { yields: true, .. })
    }

    /// Of a call that makes the value, and has the turn already.
    #[cfg(any(feature = "threads", feature = "async"))]
    pub(crate) fn making(turn: &Turn) -> Self {
        Self { of: Of::Constructor, ..Self::from(turn) }
    }

    pub(crate) fn makes(&self) -> bool {
        matches!(self.of, Of::Constructor)
    }

    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// Before the call is admitted, which publishes it.
    pub(crate) fn assign(&self, copy: usize, _order: u64) {
        let copy = u32::try_from(copy).expect("an option is not larger");
        self.copy.store(copy, Ordering::Relaxed);
        #[cfg(feature = "process")]
        self.order.store(_order, Ordering::Relaxed);
    }

    #[cfg(feature = "process")]
    pub(crate) fn order(&self) -> u64 {
        self.order.load(Ordering::Relaxed)
    }

    pub(crate) fn copy(&self) -> usize {
        self.copy.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn turn(&self) -> Turn {
        self.line.turn(self.copy())
    }

    /// Its call, which was claimed, is about to stand in line a second time; returns false if it
    /// has ended instead.
    #[cfg(feature = "process")]
    pub(crate) fn come_back(&self, is_ended: impl FnOnce() -> bool) -> bool {
        self.again.begin(is_ended)
    }

    /// Its call does not stand in line a second time any more; returns whether it did.
    #[cfg(feature = "process")]
    pub(crate) fn leave_again(&self) -> bool {
        self.again.end()
    }

    #[cfg(feature = "process")]
    pub(crate) fn is_back(&self) -> bool {
        self.again.is_on()
    }
}

impl From<&Turn> for Ticket {
    /// Of what has the turn already.
    fn from(turn: &Turn) -> Self {
        let ticket = Self::new(Arc::clone(&turn.line));
        ticket.assign(turn.copy, 0);
        ticket
    }
}
