//! The pools of workers: one for plain functions, and one for each kind of worker that functions
//! ask for.

use std::sync::OnceLock;

use crate::config;
use crate::function::Function;
use crate::options::Options;
use crate::process::platform;
use crate::sync::Lock;

mod books;
mod chance;
mod choice;
mod dispatcher;
pub(crate) mod displaced;
mod harvest;
mod joined;
mod keeper;
mod link;
mod outbox;
mod queue;
mod recall;
mod renewal;
pub(crate) mod request;
pub(crate) mod residence;
mod residents;
mod rights;
mod waits;

pub(crate) use self::books::Pool;
pub(crate) use self::waits::Waits;

/// The pool of plain functions.
fn plain() -> &'static Pool {
    static PLAIN: OnceLock<Pool> = OnceLock::new();
    PLAIN.get_or_init(|| Pool::new(None, false, Waits::Never, None, usual_size()))
}

/// Starts the workers for plain functions.
pub(crate) fn warm_up() {
    plain().start_all();
}

/// The pool for a function. Calls that may wait for others have pools of their own.
///
/// # Errors
/// When it names one that there is not.
pub(crate) fn pool_of(function: &Function, waits: Waits) -> Result<&'static Pool, String> {
    let &Options { memory, fresh, pool: name, .. } = function.options();
    if memory.is_none() && !fresh && waits == Waits::Never && name.is_none() {
        return Ok(plain());
    }
    static OTHERS: Lock<Vec<&'static Pool>> = Lock::new(Vec::new());
    let mut others = OTHERS.lock();
    let kind = (memory, fresh, waits, name);
    let is_it = |pool: &&&Pool| (pool.memory, pool.fresh, pool.waits, pool.name) == kind;
    if let Some(pool) = others.iter().find(is_it) {
        return Ok(pool);
    }
    let size = name.map_or_else(|| Ok(usual_size()), size_of)?;
    // Their number is bounded by the limits and names in the program's source.
    let pool: &'static Pool = Box::leak(Box::new(Pool::new(memory, fresh, waits, name, size)));
    others.push(pool);
    Ok(pool)
}

/// The pool in which each process keeps the value of one worker with state, which this constructor
/// makes.
pub(crate) fn pool_of_values(constructor: &Function) -> &'static Pool {
    static KEEPING: Lock<Vec<&'static Pool>> = Lock::new(Vec::new());
    let memory = constructor.options().memory;
    let mut keeping = KEEPING.lock();
    if let Some(pool) = keeping.iter().find(|pool| pool.memory == memory) {
        return pool;
    }
    // Their number is bounded by the limits in the program's source.
    let pool: &'static Pool = Box::leak(Box::new(Pool::keeping(memory)));
    keeping.push(pool);
    pool
}

/// How many workers a pool without a name has.
fn usual_size() -> usize {
    // The workers beside this one use the other cores, unless a setting says otherwise.
    let nested = platform::depth() > 0 && std::env::var_os("TRINE_PROCESSES").is_none();
    if nested { 1 } else { config::processes() }
}

/// How many workers the pool of this name has. In a worker nobody has set anything.
fn size_of(name: &str) -> Result<usize, String> {
    if platform::depth() > 0 { Ok(1) } else { config::pool(name) }
}
