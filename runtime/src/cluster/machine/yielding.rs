//! The items of a hosted call on their way to their reader. The worker counts them and waits; this
//! counts the same, to see that it does, and that it waits.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, OnceLock};

use crate::cluster::broker::envelope::{File, Parts};
use crate::process::call::measure;
use crate::process::channel::{ParentEnd, ReplyBytes};
use crate::process::job::Reply;
use crate::process::platform::{self, Handle};
use crate::stream::flow::MAX_BYTES;
use crate::sync::Lock;

/// How many bytes of a run go into one frame, so that it fits into a message.
const TOGETHER: usize = 32 << 10;

pub(super) struct Yielding {
    ahead: u32,
    /// The channel through which its items come, and its number there.
    outlet: OnceLock<(Arc<ParentEnd>, u64)>,
    on_the_way: Lock<OnTheWay>,
}

#[derive(Default)]
struct OnTheWay {
    sent: u64,
    done: u64,
    /// What is not done yet: up to which item each counts what.
    weights: VecDeque<(u64, usize)>,
    weight: usize,
}

impl Yielding {
    pub(super) fn new(ahead: usize) -> Self {
        let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
        Self { ahead, outlet: OnceLock::new(), on_the_way: Lock::default() }
    }

    pub(super) fn ahead(&self) -> u32 {
        self.ahead
    }

    pub(super) fn has_begun(&self) -> bool {
        self.outlet.get().is_some()
    }

    /// Counts what has come; false if that is more than may.
    pub(super) fn take(&self, channel: &Arc<ParentEnd>, number: u64, item: &Reply) -> bool {
        self.outlet.get_or_init(|| (Arc::clone(channel), number));
        let (items, weight) = measure(item);
        let mut on_the_way = self.on_the_way.lock();
        let sent = on_the_way.sent + items as u64;
        if sent - on_the_way.done > u64::from(self.ahead) {
            return false;
        }
        on_the_way.sent = sent;
        on_the_way.weight += weight;
        on_the_way.weights.push_back((sent, weight));
        true
    }

    /// So many are no longer on the way: the worker may go on.
    pub(super) fn grant(&self, done: u64) {
        let mut on_the_way = self.on_the_way.lock();
        let done = done.min(on_the_way.sent);
        on_the_way.done = on_the_way.done.max(done);
        while let Some(&(last, weight)) = on_the_way.weights.front()
            && last <= done
        {
            on_the_way.weights.pop_front();
            on_the_way.weight -= weight;
        }
        drop(on_the_way);
        if let Some((channel, number)) = self.outlet.get() {
            channel.grant(*number, done);
        }
    }

    /// Whether the worker waits before it yields more.
    pub(super) fn is_full(&self) -> bool {
        let on_the_way = self.on_the_way.lock();
        let items = on_the_way.sent - on_the_way.done;
        items >= u64::from(self.ahead) || on_the_way.weight >= MAX_BYTES
    }
}

/// The parts of what has come, and whether each is a run.
pub(super) fn parts_of(item: Reply) -> io::Result<Vec<(bool, Parts)>> {
    let Reply { bytes, handles, .. } = item;
    let files = contents(&handles)?;
    Ok(match &bytes {
        ReplyBytes::Run(run) => {
            let parts = |piece: &[u8]| Parts { bytes: piece.to_vec(), files: Vec::new() };
            run.pieces(TOGETHER).map(|piece| (true, parts(piece))).collect()
        }
        one => vec![(false, Parts { bytes: one.reader().into_vec(), files })],
    })
}

/// The contents of the files of a reply.
pub(super) fn contents(files: &[Handle]) -> io::Result<Vec<File>> {
    files.iter().map(|file| Ok(File { contents: platform::contents(file)? })).collect()
}
