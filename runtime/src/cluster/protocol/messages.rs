//! The messages in both directions.

use serde::{Deserialize, Serialize};

use super::Moment;
use super::delivery::Header;

/// The approximate size of a frame in bytes.
pub(crate) trait Weight {
    fn weight(&self) -> usize;
}

/// A caller wants a lease; the machine that gets this grants one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Open {
    pub(crate) caller: u64,
    /// Matches an answer to its request.
    pub(crate) opening: u64,
    /// How many calls wait for a place.
    pub(crate) want: u64,
    /// The machines of which it already has a lease.
    pub(crate) known: Vec<u64>,
}

/// From a caller.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum ToMachine<T> {
    Open(Open),
    Packet {
        lease: u64,
        caller: u64,
        header: Header,
        /// The latest stamp of the machine that has come.
        echo: Moment,
        /// How many calls it has for this machine, sent and not.
        want: u64,
        /// Whether an answer is expected at once.
        asks: bool,
        orders: Vec<Order<T>>,
    },
    /// The caller is done with this lease: stop the rest of it.
    Close {
        lease: u64,
    },
}

/// A frame from a caller.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Order<T> {
    Call {
        number: u64,
        parcel: T,
        /// The call under this lease that keeps the value which it is about. Without that it is
        /// returned.
        home: Option<u64>,
    },
    Cancel {
        number: u64,
    },
    /// So many items of a call that yields are no longer on the way, in total.
    Grant {
        number: u64,
        done: u64,
    },
}

/// From a machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum ToCaller<E> {
    Opened {
        machine: u64,
        opening: u64,
        lease: u64,
        stamp: Moment,
        credit: u64,
        /// How long the lease lasts without hearing from the caller.
        lasts: u64,
        labels: Vec<String>,
    },
    /// The caller has a lease of this machine.
    Known { opening: u64 },
    /// This machine knows no such lease, and no call of it will ever start here.
    Gone { lease: u64 },
    Packet {
        machine: u64,
        lease: u64,
        header: Header,
        stamp: Moment,
        /// How many calls may have been sent under this lease in total. Calls beyond that are
        /// returned.
        credit: u64,
        /// The machine is about to end.
        drains: bool,
        words: Vec<Word<E>>,
    },
}

/// A frame from a machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Word<E> {
    /// A call has yielded this, and goes on.
    Item {
        number: u64,
        item: E,
    },
    Ended {
        number: u64,
        ending: E,
    },
    /// The call was not started, and will not be.
    Returned {
        number: u64,
    },
}

impl<T> ToMachine<T> {
    /// The lease that it is for.
    pub(crate) fn lease(&self) -> Option<u64> {
        match self {
            Self::Open(_) => None,
            Self::Packet { lease, .. } | Self::Close { lease } => Some(*lease),
        }
    }
}

impl<E> ToCaller<E> {
    /// The lease that it is for, if any.
    pub(crate) fn lease(&self) -> u64 {
        match self {
            Self::Known { .. } => 0,
            Self::Opened { lease, .. } | Self::Gone { lease } | Self::Packet { lease, .. } => {
                *lease
            }
        }
    }
}

impl<T: Weight> Weight for ToMachine<T> {
    fn weight(&self) -> usize {
        match self {
            Self::Packet { orders, .. } => 128 + orders.iter().map(Weight::weight).sum::<usize>(),
            Self::Open(open) => 128 + 8 * open.known.len(),
            Self::Close { .. } => 64,
        }
    }
}

impl<E: Weight> Weight for ToCaller<E> {
    fn weight(&self) -> usize {
        match self {
            Self::Packet { words, .. } => 128 + words.iter().map(Weight::weight).sum::<usize>(),
            _ => 128,
        }
    }
}

impl<T: Weight> Weight for Order<T> {
    fn weight(&self) -> usize {
        match self {
            Self::Call { parcel, .. } => 64 + parcel.weight(),
            Self::Cancel { .. } | Self::Grant { .. } => 64,
        }
    }
}

impl<E: Weight> Weight for Word<E> {
    fn weight(&self) -> usize {
        match self {
            Self::Item { item: body, .. } | Self::Ended { ending: body, .. } => 64 + body.weight(),
            Self::Returned { .. } => 64,
        }
    }
}
