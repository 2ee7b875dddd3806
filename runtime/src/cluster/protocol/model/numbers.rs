//! What the number of a call in the model says of it.

/// A caller, and the number of its call.
pub(super) type CallId = (usize, u64);

/// What a number says: a method of a worker, or the call that keeps one of its values.
const METHOD: u64 = 1 << 20;
pub(super) const VALUE: u64 = 1 << 21;
/// The method that drops the value.
pub(super) const DROP: u64 = 1 << 22;

/// The `index`th call of a worker.
pub(super) fn method(worker: u64, index: u64) -> u64 {
    METHOD | worker << 8 | index
}

/// Which of the calls of a worker it is, if it is one.
pub(super) fn index_of(number: u64) -> Option<u64> {
    (number & METHOD != 0).then_some(number & 0xff)
}

pub(super) fn is_value(number: u64) -> bool {
    number & VALUE != 0
}

pub(super) fn is_drop(number: u64) -> bool {
    number & DROP != 0
}

/// The call that keeps the value which this one drops.
pub(super) fn home_of(drop: u64) -> u64 {
    drop & !DROP
}

/// The worker that a number is of, if any.
pub(super) fn worker_of(number: u64) -> Option<u64> {
    (number >= METHOD).then_some(number >> 8 & 0xff)
}
