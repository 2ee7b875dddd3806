//! What the engine takes from Linux: `/proc/self/exe`, memfd, futex, pidfd, epoll.

mod constructors;
pub(crate) mod control;
pub(crate) mod forks;
pub(crate) mod image;
pub(crate) mod lifeline;
pub(crate) mod memory;
pub(crate) mod startup;
