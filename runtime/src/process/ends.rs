//! The ends of channels and streams as arguments of `process` functions.
//!
//! An end crosses as one end of a *tube*, a socket that comes with the arguments. In the process
//! that sent it a thread of its own relays between the other end of the tube and the channel or
//! stream that is there. So a worker that waits for its reader waits in the kernel, and none of the
//! threads that serve all calls knows of it. Calls with such arguments may wait for each other, so
//! each has a worker to itself, as those have that yield.
//!
//! A tube is bounded by the kernel. Items are decoded by whoever takes them. `frames` is what goes
//! through a tube, `sender` and `stream` are the two ends.

mod frames;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod sender;
mod stream;

use std::io;
use std::thread;

use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::process::job::{Reply, codec_error};
use crate::process::platform::Handle;
use crate::process::value::files::{self, File, What};
use crate::process::worker::waiting;
use crate::stream::channel::{Feed, Item};
use crate::stream::flow::MAX_FILES;

/// Runs one side of a tube.
fn start_relay(run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let started = thread::Builder::new().name("trine-relay".into()).spawn(run);
    started.map(drop).map_err(|error| {
        io::Error::new(error.kind(), format!("no thread can be started for it: {error}"))
    })
}

/// An item for whoever reads; an error if the unread ones hold too many files, which the program
/// may need for other things.
fn unread<T: DeserializeOwned>(
    name: &'static str,
    feed: &Feed<T>,
    item: Reply,
) -> Result<Item<T>, Error> {
    if item.files() > 0 && feed.files() + item.files() > MAX_FILES {
        let what = format!(
            "its unread items have more than {MAX_FILES} shared slices and long values: read them \
             sooner, or give the channel less room"
        );
        return Err(codec_error(name, &what));
    }
    Ok(Item::Packed(Box::new(item)))
}

/// Attaches the end of a tube to the arguments that are encoded.
fn attach(end: File) -> Result<u32, String> {
    files::attach(end).ok_or_else(|| "it is encoded outside of a call".to_owned())
}

/// What is encoded: an end is an argument, or nothing.
fn check(name: &str) -> Result<What, String> {
    match files::what() {
        What::Other => {
            Err(format!("a `{name}` can be encoded only as an argument of a `process` function"))
        }
        what => Ok(what),
    }
}

/// The end that came with the arguments that are decoded.
fn arrived(file: u32, name: &str) -> Result<Handle, String> {
    waiting::tell();
    files::take(file)
        .ok_or_else(|| format!("a `{name}` can be decoded only from a `process` function's call"))
}
