//! `priority` on tokio, which polls new tasks more or less as they come and knows no other order.
//!
//! Once a function with a priority has been called, a call and the tokio task that will run it are
//! no longer a pair from the start. The call waits in the lines of its runtime, and tokio gets a
//! *ticket*; whichever ticket tokio polls first takes the call that is first in line by then. A
//! runtime has at least as many tickets as calls in line, so every call is taken, and a ticket that
//! tokio drops ends a call. In programs without priorities there are none, only a look at a flag.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::{Handle, Id};
use tokio::task::JoinHandle;

use crate::function::Function;
use crate::options::Priority;
use crate::panic::drop_quietly;
use crate::priority::{Lines, Waits};
use crate::sync::Lock;

/// A call that waits for a ticket.
pub(super) trait Waiting: Send + Sync {
    fn priority(&self) -> Priority;
    fn is_queued(&self) -> bool;
    /// What tokio runs. Dropped before, it ends the call.
    fn drive(self: Arc<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>>;
    /// Keeps what the body is stopped by.
    fn keep(&self, handle: JoinHandle<()>);
}

impl Waits for Arc<dyn Waiting> {
    fn priority(&self) -> Priority {
        (**self).priority()
    }

    fn is_wanted(&self) -> bool {
        self.is_queued()
    }
}

/// Whether any function has a priority, as far as is known.
static IN_USE: AtomicBool = AtomicBool::new(false);

/// The lines of each runtime in which calls wait.
static LINES: Lock<Vec<(Id, Calls)>> = Lock::new(Vec::new());

type Calls = Lines<Arc<dyn Waiting>>;

/// Whether calls of this function wait for a ticket.
#[inline]
pub(super) fn concerns(function: &Function) -> bool {
    if function.options().priority != Priority::Usual {
        IN_USE.store(true, Ordering::Relaxed);
    }
    IN_USE.load(Ordering::Relaxed)
}

/// Puts a call in line, and gives tokio one more ticket.
#[cold]
pub(super) fn spawn(runtime: &Handle, call: Arc<dyn Waiting>) {
    let line = Line(runtime.id());
    line.enter(call);
    let handle = Arc::new(Lock::new(None));
    // Locked, so that the ticket finds what it is stopped by.
    let mut slot = handle.lock();
    *slot = Some(runtime.spawn(take(Ticket { line }, Arc::clone(&handle))));
}

async fn take(ticket: Ticket, handle: Arc<Lock<Option<JoinHandle<()>>>>) {
    let call = ticket.use_up();
    let handle = handle.lock().take();
    let (Some(call), Some(handle)) = (call, handle) else { return };
    call.keep(handle);
    call.drive().await;
}

/// A runtime's lines.
struct Line(Id);

impl Line {
    fn enter(&self, call: Arc<dyn Waiting>) {
        let mut all = LINES.lock();
        let place = all.iter().position(|(id, _)| *id == self.0).unwrap_or_else(|| {
            all.push((self.0, Calls::default()));
            all.len() - 1
        });
        let shells = all[place].1.push_back(call);
        drop(all);
        drop_quietly(shells);
    }

    fn leave(&self) -> Option<Arc<dyn Waiting>> {
        let mut all = LINES.lock();
        let place = all.iter().position(|(id, _)| *id == self.0)?;
        let first = all[place].1.pop_front();
        if all[place].1.is_empty() {
            all.swap_remove(place);
        }
        first
    }
}

/// The right to the first call in line.
struct Ticket {
    line: Line,
}

impl Ticket {
    fn use_up(self) -> Option<Arc<dyn Waiting>> {
        let first = self.line.leave();
        std::mem::forget(self);
        first
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Its runtime ends, and all other calls there with it.
        drop(self.line.leave().map(Waiting::drive));
    }
}
