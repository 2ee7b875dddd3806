//! A worker's reply, which its call keeps until somebody takes the value or the items.

use std::collections::VecDeque;

use serde::de::DeserializeOwned;

use crate::cell::JobCell;
use crate::error::Error;
use crate::panic;
use crate::process::channel::ReplyBytes;
use crate::process::job::{Reply, codec_error};
use crate::process::value::files;
use crate::process::value::wire::{self, WireError};

/// A call's cell, which keeps a worker's reply until whoever takes the value decodes it.
pub(crate) type ReplyCell<J, T> = JobCell<J, T, Reply>;

impl<J, T> ReplyCell<J, T> {
    /// Ends the call with its reply: a failure at once, and a value as one to be decoded later.
    pub(crate) fn end(&self, reply: Reply) {
        match reply.failure(self.function().name()) {
            Some(error) => _ = self.cell().finish(Err(error)),
            None => self.finish_unmade(reply),
        }
    }

    /// The result of the call, once it has ended.
    pub(crate) fn take(&self) -> Option<Result<T, Error>>
    where
        T: DeserializeOwned,
    {
        self.take_or_make(|reply| outcome(self.function().name(), reply))
    }
}

/// The value that a reply brings.
fn outcome<T: DeserializeOwned>(name: &'static str, reply: Reply) -> Result<T, Error> {
    decode(name, reply, "its result")
}

/// Makes items of the replies that bring them, until one cannot be made.
pub(crate) fn items<T: DeserializeOwned>(
    name: &'static str,
    replies: &mut VecDeque<Reply>,
    items: &mut VecDeque<T>,
) -> Option<Error> {
    while let Some(reply) = replies.pop_front() {
        let made = match &reply.bytes {
            // Those of a run have no handles.
            ReplyBytes::Run(run) => decoded(name, "an item", || {
                run.readers().try_for_each(|reader| {
                    items.push_back(wire::decode(reader)?);
                    Ok(())
                })
            }),
            _ => item(name, reply).map(|item| items.push_back(item)),
        };
        if let Err(error) = made {
            return Some(error);
        }
    }
    None
}

/// The item that a reply brings.
pub(crate) fn item<T: DeserializeOwned>(name: &'static str, reply: Reply) -> Result<T, Error> {
    decode(name, reply, "an item")
}

fn decode<T: DeserializeOwned>(name: &'static str, reply: Reply, what: &str) -> Result<T, Error> {
    let Reply { bytes, handles, .. } = reply;
    if bytes.are_lent()
        && let Some(refusal) = Error::if_forked(name)
    {
        // Its parent may have read them by now, and the worker have written others there.
        return Err(refusal);
    }
    decoded(name, what, || files::supply(handles, || wire::decode::<T>(bytes.reader())))
}

fn decoded<R>(
    name: &'static str,
    what: &str,
    decode: impl FnOnce() -> Result<R, WireError>,
) -> Result<R, Error> {
    let error = |error| codec_error(name, &format!("{what}: {error}"));
    panic::catch(name, decode)?.map_err(error)
}
