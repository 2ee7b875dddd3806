//! The pools of workers: one for plain functions, and one for each kind of worker that functions
//! ask for.

use std::sync::OnceLock;

use crate::function::Function;
use crate::options::Options;
use crate::sync::Lock;

mod aside;
mod books;
mod choice;
mod dispatcher;
mod harvest;
mod keeper;
mod link;
mod outbox;
mod renewal;
mod request;

pub(crate) use self::books::Pool;

/// The pool of plain functions.
fn plain() -> &'static Pool {
    static PLAIN: OnceLock<Pool> = OnceLock::new();
    PLAIN.get_or_init(|| Pool::new(None, false))
}

/// Starts the workers for plain functions.
pub(crate) fn warm_up() {
    plain().start_all();
}

/// The pool for a function.
pub(crate) fn pool_of(function: &Function) -> &'static Pool {
    let &Options { memory, fresh, .. } = function.options();
    if memory.is_none() && !fresh {
        return plain();
    }
    static OTHERS: Lock<Vec<&'static Pool>> = Lock::new(Vec::new());
    let mut others = OTHERS.lock();
    if let Some(pool) = others.iter().find(|pool| pool.memory == memory && pool.fresh == fresh) {
        return pool;
    }
    // Their number is bounded by the limits in the program's source.
    let pool: &'static Pool = Box::leak(Box::new(Pool::new(memory, fresh)));
    others.push(pool);
    pool
}
