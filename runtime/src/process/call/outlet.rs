//! Where the items of a call go that yields.

use std::sync::{Arc, OnceLock};

use crate::process::channel::ParentEnd;
use crate::process::job::Reply;
use crate::process::platform;
use crate::stream::flow::{Flow, Grant, MAX_BYTES, MAX_FILES};

/// Where the items of a call go that yields.
pub(crate) struct Items {
    pub(super) flow: Arc<Flow<Reply>>,
    pub(super) ahead: u32,
    pub(super) outlet: Arc<OnceLock<Outlet>>,
}

/// The channel through which they come, and the call's number there.
type Outlet = (Arc<ParentEnd>, u64);

impl Items {
    /// They come from another machine, which knows how many may be on the way.
    #[cfg(feature = "cluster")]
    pub(crate) fn far(ahead: usize, flow: &Arc<Flow<Reply>>) -> Self {
        Self { flow: Arc::clone(flow), ahead: in_a_request(ahead), outlet: Arc::default() }
    }

    /// At most so many on the way.
    pub(crate) fn new(ahead: usize) -> (Self, Arc<Flow<Reply>>) {
        let ahead = in_a_request(ahead);
        let outlet = Arc::new(OnceLock::<Outlet>::new());
        let known = Arc::clone(&outlet);
        let tell = move |items| {
            // A forked child has the items, but not the memory that is shared with the worker.
            if let Some((channel, number)) = known.get().filter(|_| !platform::is_forked_child()) {
                channel.grant(*number, items);
            }
        };
        let grant = Grant { tell: Box::new(tell), measure };
        let flow = Arc::new(Flow::granting(ahead as usize, grant));
        (Self { flow: Arc::clone(&flow), ahead, outlet }, flow)
    }
}

/// How many items may be on the way, as a request says it.
fn in_a_request(ahead: usize) -> u32 {
    u32::try_from(ahead).unwrap_or(u32::MAX)
}

/// What counts of an item on its way: its bytes, and as many for each file as there may be.
pub(crate) const fn weight_of(bytes: usize, files: usize) -> usize {
    bytes + files * (MAX_BYTES / MAX_FILES)
}

/// How many items a reply brings, and what they count.
pub(crate) fn measure(reply: &Reply) -> (usize, usize) {
    (reply.bytes.items(), weight_of(reply.bytes.length(), reply.handles.len()))
}
