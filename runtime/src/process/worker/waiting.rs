//! Tells the parent that the call of this worker waits for another one, which may need a worker.
//!
//! Only calls that were given the end of a channel or stream wait so that others may wait for them.

use std::sync::OnceLock;

use crate::process::channel::WorkerEnd;
use crate::process::platform::{self, Socket};
use crate::wait::{self, Hook};

struct Teller {
    channel: &'static WorkerEnd,
    socket: &'static Socket,
}

static TELLER: OnceLock<Teller> = OnceLock::new();

pub(super) fn know(channel: &'static WorkerEnd, socket: &'static Socket) {
    let _ = TELLER.set(Teller { channel, socket });
}

/// From here on the parent hears of each wait of this thread.
pub(crate) fn tell() {
    if let Some(teller) = TELLER.get() {
        wait::set_hook(teller);
    }
}

impl Teller {
    fn say(&self, waits: bool) {
        if platform::is_forked_child() {
            // It has neither the channel's memory nor a call that anybody waits for.
            return;
        }
        self.channel.set_waiting(waits);
        if waits {
            self.socket.ring();
        }
    }
}

impl Hook for Teller {
    fn before_block(&self) {
        self.say(true);
    }

    fn after_block(&self) {
        self.say(false);
    }
}
