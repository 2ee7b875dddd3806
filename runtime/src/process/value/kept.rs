//! The values of workers with state that live in this process: one in a worker, and any number
//! where calls run inline.

use std::any::Any;

use crate::panic::drop_quietly;
use crate::process::value::wire::WireError;
use crate::sync::Lock;

type Value = Box<dyn Any + Send>;

static VALUES: Lock<Vec<(u64, Value)>> = Lock::new(Vec::new());

/// Keeps a value under a number, in place of none.
pub(crate) fn put(number: u64, value: Value) {
    VALUES.lock().push((number, value));
}

fn take(number: u64) -> Option<Value> {
    let mut values = VALUES.lock();
    let index = values.iter().position(|(known, _)| *known == number)?;
    Some(values.swap_remove(index).1)
}

/// Drops the value with this number.
pub(crate) fn clear(number: u64) {
    let value = take(number);
    drop_quietly(value);
}

/// Lends the value with this number, without the lock.
pub(crate) fn lend<T: 'static, R>(
    number: u64,
    run: impl FnOnce(&mut T) -> R,
) -> Result<R, WireError> {
    /// Puts it back, also after a panic: it is dropped in order then.
    struct Lent(u64, Option<Value>);
    impl Drop for Lent {
        fn drop(&mut self) {
            if let Some(value) = self.1.take() {
                put(self.0, value);
            }
        }
    }
    let mut lent = Lent(number, take(number));
    match lent.1.as_mut().and_then(|value| value.downcast_mut()) {
        Some(value) => Ok(run(value)),
        None => Err(WireError::new("its value is not in this process")),
    }
}
