//! One call of each kind in each mode, with a body that does a deed.

use trine::Task;

use super::Hostile;

#[derive(Clone, Copy)]
pub(super) struct Mode {
    pub(super) name: &'static str,
    pub(super) call: fn(Hostile) -> Task<Hostile>,
    pub(super) retried: fn(Hostile) -> Task<Result<Hostile, Hostile>>,
    pub(super) chosen: fn(Hostile) -> Task<Hostile>,
    /// With everything that says when a call starts.
    pub(super) in_line: [fn(Hostile) -> Task<Hostile>; 2],
    pub(super) quick: fn(u32) -> Task<u32>,
    pub(super) never: fn() -> Task<()>,
}

macro_rules! mode {
    ($module:ident, $mode:ident, $never:expr, $($async:ident)?) => {
        mod $module {
            use super::super::{Hostile, body, retry_if};
            use super::Mode;
            use trine::concurrent;

            pub(super) const MODE: Mode =
                Mode {
                    name: stringify!($mode),
                    call,
                    retried,
                    chosen,
                    in_line: [first, last],
                    quick,
                    never,
                };

            #[concurrent($mode)]
            $($async)? fn call(arguments: Hostile) -> Hostile {
                body(arguments)
            }

            #[concurrent($mode, retries = 2, backoff = 1ms)]
            $($async)? fn retried(arguments: Hostile) -> Result<Hostile, Hostile> {
                Err(body(arguments))
            }

            #[concurrent($mode, retries = 2, retry_if = retry_if)]
            $($async)? fn chosen(arguments: Hostile) -> Hostile {
                body(arguments)
            }

            #[concurrent($mode, priority = high, limit = 1, queue = 2)]
            $($async)? fn first(arguments: Hostile) -> Hostile {
                body(arguments)
            }

            #[concurrent($mode, priority = low)]
            $($async)? fn last(arguments: Hostile) -> Hostile {
                body(arguments)
            }

            #[concurrent($mode)]
            $($async)? fn quick(number: u32) -> u32 {
                number
            }

            #[concurrent($mode, timeout = 20ms)]
            $($async)? fn never() {
                $never
            }
        }
    };
}

fn until_cancelled() {
    while !trine::cancelled() {
        std::thread::yield_now();
    }
}

mode!(threads, threads, super::until_cancelled(),);
mode!(process, process, super::until_cancelled(),);
mode!(asynchronous, async, std::future::pending::<()>().await, async);

pub(super) const MODES: &[Mode] = &[threads::MODE, process::MODE, asynchronous::MODE];
