//! Where a call is: with which worker, and its number there.

use std::sync::atomic::{AtomicU64, Ordering};

/// Where a call is: with which worker, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address(u64);

/// Identifies a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WorkerKey(pub(crate) u32);

impl WorkerKey {
    /// How many keys fit into an address, beside a call's number.
    const KEYS: u32 = (1 << (u64::BITS - Address::NUMBER_BITS)) - 1;

    /// The key of the `count`th worker: unique but for those of 16 million workers before.
    pub(crate) const fn nth(count: u32) -> Self {
        Self(count % Self::KEYS + 1)
    }
}

impl Address {
    const NUMBER_BITS: u32 = 40;
    /// With no worker.
    pub(crate) const NOWHERE: Self = Self(0);

    pub(crate) const fn new(worker: WorkerKey, number: u64) -> Self {
        Self((worker.0 as u64) << Self::NUMBER_BITS | number & ((1 << Self::NUMBER_BITS) - 1))
    }

    pub(crate) const fn worker(self) -> WorkerKey {
        WorkerKey((self.0 >> Self::NUMBER_BITS) as u32)
    }

    /// The call's number, which is known to be at least `first`: an address keeps only its low
    /// bits.
    pub(crate) const fn number_from(self, first: u64) -> u64 {
        first + (self.0.wrapping_sub(first) & ((1 << Self::NUMBER_BITS) - 1))
    }
}

/// An address that several threads read and change.
#[derive(Debug)]
pub(crate) struct AtomicAddress(AtomicU64);

impl AtomicAddress {
    pub(crate) const fn nowhere() -> Self {
        Self(AtomicU64::new(Address::NOWHERE.0))
    }

    pub(crate) fn load(&self) -> Address {
        Address(self.0.load(Ordering::Acquire))
    }

    pub(crate) fn store(&self, address: Address) {
        self.0.store(address.0, Ordering::Release);
    }
}
