//! A [`Stream`] in a worker: its items come through a tube from the process that has sent it.
//!
//! Over there a thread reads the stream and sends what it reads. Here another takes what comes into
//! a flow, ahead of whoever reads it. Whoever drops the stream here ends it there.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use futures_core::Stream as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::frames::{self, Frame, Frames, Together};
use crate::error::Error;
use crate::panic::{self, drop_quietly};
use crate::process::call::item;
use crate::process::fault::Fault;
use crate::process::job::{Reply, codec_error, worker_error};
use crate::process::platform::{Bell, Handle, Tube};
use crate::process::value::files::What;
use crate::process::value::message::Message;
use crate::stream::channel::{Feed, Packed};
use crate::stream::{AHEAD, Stream};
use crate::sync::Lock;

/// A stream on its way.
#[derive(Serialize, Deserialize)]
struct Sent {
    file: u32,
    name: String,
}

/// It implements serde's traits only for calls of `process` functions. What is sent is read there:
/// nothing is left here.
impl<T> Serialize for Stream<T>
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        send(self).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Stream<T>
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Sent { file, name } = Sent::deserialize(deserializer)?;
        let tube = super::arrived(file, "Stream").map_err(de::Error::custom)?;
        receive(Tube::open(tube), known(name)).map_err(de::Error::custom)
    }
}

fn send<T>(stream: &Stream<T>) -> Result<Sent, String>
where
    T: Serialize + Send + 'static,
{
    if super::check("Stream")? == What::Repeated {
        return Err(
            "a `Stream` cannot be an argument where there are `retries`: what one try has \
                    read is gone for the next"
                .to_owned(),
        );
    }
    let start = || {
        let (tube, end) = Tube::pair()?;
        let bell = Arc::new(Bell::new()?);
        let stream = stream.take();
        let name = stream.name();
        super::start_relay(move || pump(stream, name, &tube, bell))?;
        Ok((name, end))
    };
    let (name, end) = start().map_err(|error: io::Error| format!("a `Stream`: {error}"))?;
    Ok(Sent { file: super::attach(Arc::new(end))?, name: name.to_owned() })
}

/// Wakes the thread that reads a stream.
struct Ringer(Arc<Bell>);

impl Wake for Ringer {
    fn wake(self: Arc<Self>) {
        self.0.ring();
    }
}

/// Sends all of a stream, or as much as is wanted.
fn pump<T: Serialize>(mut stream: Stream<T>, name: &'static str, tube: &Tube, bell: Arc<Bell>) {
    let waker = Waker::from(Arc::new(Ringer(Arc::clone(&bell))));
    let mut context = Context::from_waker(&waker);
    let send = |bytes: &[u8], handles: &[&Handle]| tube.send(bytes, handles);
    let mut together = Together::new();
    let failure = loop {
        let next = match Pin::new(&mut stream).poll_next(&mut context) {
            Poll::Ready(next) => next,
            Poll::Pending if together.send(&send).is_ok() && tube.wait_for(&bell) => continue,
            Poll::Pending => return,
        };
        let Some(next) = next else { break None };
        let sent = next.and_then(|item| {
            let encoded = panic::catch(name, || Message::encode(&item));
            drop_quietly(item);
            let message = encoded?.map_err(|error| codec_error(name, &format!("an item: {error}")));
            Ok(together.add(&message?, &send))
        });
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.kind() == io::ErrorKind::Other => {
                break Some(codec_error(name, &format!("an item: {error}")));
            }
            Ok(Err(_)) => return,
            Err(error) => break Some(error),
        }
    };
    let end = match &failure {
        Some(error) => frames::failed(&Fault::of(error)),
        None => frames::whole().to_vec(),
    };
    let _ = together.send(&send).and_then(|()| tube.send(&end, &[]));
}

fn receive<T>(tube: Tube, name: &'static str) -> io::Result<Stream<T>>
where
    T: DeserializeOwned + Send + 'static,
{
    let tube = Arc::new(tube);
    let (feed, stream) = Feed::new(name, AHEAD);
    let ours = Arc::clone(&tube);
    feed.ending.on_hang_up(move || ours.shut());
    super::start_relay(move || {
        if let Err(error) = bring(&tube, name, &feed) {
            feed.ending.fail(error);
        }
        tube.shut();
    })?;
    Ok(stream)
}

/// Takes all that comes.
fn bring<T>(tube: &Tube, name: &'static str, feed: &Feed<T>) -> Result<(), Error>
where
    T: DeserializeOwned + Send + 'static,
{
    let mut frames = Frames::of(tube);
    loop {
        match frames.next() {
            Ok(Frame::Items(items)) => {
                for item in items {
                    if !feed.push(super::unread(name, feed, item)?) {
                        return Ok(());
                    }
                }
            }
            Ok(Frame::Whole) => return Ok(()),
            Ok(Frame::Failed(fault)) => return Err(fault.into_error(name)),
            _ => return Err(worker_error(name, "whoever sends its items has ended before them")),
        }
    }
}

impl<T: DeserializeOwned> Packed<T> for Reply {
    fn files(&self) -> usize {
        self.files()
    }

    fn unpack(self: Box<Self>, name: &'static str) -> Result<T, Error> {
        item(name, *self)
    }
}

/// The name of a function of this program, as it is known in its own process.
fn known(name: String) -> &'static str {
    static NAMES: Lock<Vec<&'static str>> = Lock::new(Vec::new());
    let mut names = NAMES.lock();
    match names.iter().find(|known| **known == name) {
        Some(known) => known,
        None => {
            // Their number is bounded by the program's source.
            names.push(name.leak());
            names[names.len() - 1]
        }
    }
}
