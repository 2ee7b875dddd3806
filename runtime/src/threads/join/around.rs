//! What joins ask of the pool and of their threads' seats. A model has seats of its own, and a pool
//! of threads that need no summons.

#[cfg(not(all(test, trine_loom)))]
pub(super) use crate::threads::{pool::pool, seat};

#[cfg(all(test, trine_loom))]
pub(super) use modelled::{pool, seat};

#[cfg(all(test, trine_loom))]
mod modelled {
    pub(crate) mod seat {
        use std::cell::Cell;

        use crate::threads::seat::{self, Seat};

        loom::thread_local! {
            static SEAT: Cell<Option<&'static Seat>> = Cell::new(None);
        }

        /// A new seat; leaked, as seats are.
        pub(crate) fn new(index: usize) -> &'static Seat {
            Box::leak(Box::new(Seat::new(index)))
        }

        /// Gives this thread its seat.
        pub(crate) fn take(seat: &'static Seat) {
            SEAT.with(|mine| mine.set(Some(seat)));
        }

        pub(crate) fn mine() -> Option<&'static Seat> {
            SEAT.with(Cell::get)
        }

        pub(crate) fn before_vacating(act: fn()) {
            seat::before_vacating(act);
        }

        pub(crate) fn mine_if_any() -> Option<&'static Seat> {
            mine()
        }
    }

    pub(crate) struct Pool {
        pub(crate) permits: usize,
    }

    pub(crate) fn pool() -> Pool {
        Pool { permits: 2 }
    }

    impl Pool {
        pub(crate) fn published(&self) {}

        pub(crate) fn lease(&self) -> bool {
            false
        }

        pub(crate) fn end_lease(&self) {}

        pub(crate) fn is_here(&self) -> bool {
            true
        }
    }
}
