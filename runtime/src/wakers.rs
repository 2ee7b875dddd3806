//! Which wakers are known to be brief: a thread that serves all calls may use them itself, which
//! saves the detour over another thread. Any other waker is foreign code, which may block.
//!
//! A waker is known by its table of functions. Ours is that of a [`Parker`](crate::parker::Parker),
//! and tokio's are learned from tokio.

use std::ptr;
use std::sync::{Arc, OnceLock};
use std::task::{RawWakerVTable, Waker};

use crate::parker::Parker;

type Table = &'static RawWakerVTable;

/// Whether this waker does nothing but make a task or a thread ready.
pub(crate) fn is_brief(waker: &Waker) -> bool {
    static KNOWN: OnceLock<Vec<Table>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let parker = Waker::from(Arc::new(Parker::new()));
        // A copy may have a table of its own.
        let mut known = vec![parker.vtable(), parker.clone().vtable(), Waker::noop().vtable()];
        known.extend(tokio_s());
        known
    });
    known.iter().any(|known| ptr::eq(*known, waker.vtable()))
}

/// Those of a task, of the thread that blocks on a runtime, and of one that drives its own.
#[cfg(feature = "async")]
fn tokio_s() -> Vec<Table> {
    use std::future::poll_fn;
    use std::task::Poll;

    use ::tokio::runtime::Builder;

    async fn table() -> Table {
        poll_fn(|context| Poll::Ready(context.waker().vtable())).await
    }
    let learn = || {
        let runtime = Builder::new_current_thread().build().ok()?;
        let task = runtime.block_on(runtime.spawn(table())).ok()?;
        Some(vec![task, runtime.block_on(table()), runtime.handle().block_on(table())])
    };
    // On a thread of its own, since this one may be inside a runtime.
    let learning = std::thread::Builder::new().spawn(learn);
    learning.ok().and_then(|learning| learning.join().ok().flatten()).unwrap_or_default()
}

#[cfg(not(feature = "async"))]
fn tokio_s() -> Vec<Table> {
    Vec::new()
}
