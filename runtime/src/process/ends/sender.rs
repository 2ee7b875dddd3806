//! A [`Sender`] in a worker: its items go through a tube to the process that has lent it.
//!
//! All that are lent of one channel share a tube, so ten thousand calls that report to one channel
//! need two descriptors and a thread. Each has a key that nobody can guess. The stream ends when
//! no sender is left here and each that was lent was dropped, or when no descriptor of the tube is
//! left: then a worker that had one has ended without dropping it.

use std::collections::HashMap;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Poll, Waker};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::frames::{self, Frame, Frames, Stop, Together};
use crate::error::{Error, ErrorKind};
use crate::process::call::item;
use crate::process::fault::Fault;
use crate::process::job::{Reply, worker_error};
use crate::process::platform::{self, Handle, Tube};
use crate::process::value::files::{File, What};
use crate::process::value::message::Message;
use crate::stream::channel::{Away, Feed, Sender};
use crate::sync::Lock;
use crate::{random, sequential, wait};

/// A sender on its way.
#[derive(Serialize, Deserialize)]
struct Lent {
    file: u32,
    key: u64,
}

/// It implements serde's traits only for calls of `process` functions.
impl<T> Serialize for Sender<T>
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        lend(self).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Sender<T>
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Lent { file, key } = Lent::deserialize(deserializer)?;
        let tube = Tube::open(super::arrived(file, "Sender").map_err(de::Error::custom)?);
        // If it cannot be said, nobody reads any more.
        let _ = wait::blocking(|| tube.send(&frames::begun(key), &[]));
        Ok(Self::away(Arc::new(Borrowed { tube: Arc::new(tube), key, items: PhantomData })))
    }
}

/// A sender in the process that it was lent to.
struct Borrowed<T> {
    tube: Arc<Tube>,
    key: u64,
    items: PhantomData<fn(T)>,
}

impl<T: Serialize> Borrowed<T> {
    /// Sends an item; `None` if there is no room. False if nobody reads any more, also since an
    /// item could not be encoded: then that is the stream's end.
    fn send_by(&self, item: &T, send: frames::Send<'_>) -> Option<bool> {
        let mut together = Together::new();
        let sent = Message::encode(item)
            .map_err(|error| io::Error::other(error.to_string()))
            .and_then(|message| together.add(&message, send).and_then(|()| together.send(send)));
        let Err(error) = sent else { return Some(true) };
        match error.kind() {
            io::ErrorKind::WouldBlock => return None,
            io::ErrorKind::Other => {
                let message = format!("an item: {error}");
                let failure = frames::failed(&Fault::Codec { message });
                let _ = wait::blocking(|| self.tube.send(&failure, &[]));
            }
            _ => {}
        }
        Some(false)
    }
}

impl<T: Serialize + Send + 'static> Away<T> for Borrowed<T> {
    fn send(&self, item: &T) -> bool {
        let send = |bytes: &[u8], handles: &[&Handle]| match self.tube.try_send(bytes, handles) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait::blocking(|| self.tube.send(bytes, handles))
            }
            sent => sent,
        };
        self.send_by(item, &send).unwrap_or(false)
    }

    fn poll_send(&self, item: &T, waker: &Waker) -> Poll<bool> {
        let send = |bytes: &[u8], handles: &[&Handle]| self.tube.try_send(bytes, handles);
        if let Some(sent) = self.send_by(item, &send) {
            return Poll::Ready(sent);
        }
        // Not the sender itself, which would then be dropped there, later than its last user does.
        let (tube, waker) = (Arc::clone(&self.tube), waker.clone());
        let waits = super::start_relay(move || {
            tube.wait_for_room();
            waker.wake();
        });
        match waits {
            Ok(()) => Poll::Pending,
            Err(_) => Poll::Ready(self.send(item)),
        }
    }
}

impl<T> Drop for Borrowed<T> {
    /// It waits for room as a send does: what is not said would be taken for a crash.
    fn drop(&mut self) {
        // A child that the body forked has a copy; the one that was lent is the body's.
        if !platform::is_forked_child() {
            let _ = wait::blocking(|| self.tube.send(&frames::ended(self.key), &[]));
        }
    }
}

/// Lends a sender to the process that the arguments go to.
fn lend<T>(sender: &Sender<T>) -> Result<Lent, String>
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    let what = super::check("Sender")?;
    let known = sender.abroad(|feed| {
        let is_inline = sequential::is_on();
        Abroad::start(Target::Here(feed.clone(), is_inline))
    });
    let started = match known {
        Some(started) => started,
        // It was lent to this process, which is another's parent.
        None => Abroad::start(Target::Away(sender.clone())),
    };
    let abroad = started.map_err(|error| format!("a `Sender`: {error}"))?;
    let key = random::number();
    let may_come_back = what == What::Repeated;
    abroad.books.lock().lent.insert(key, Holder { may_come_back, has_begun: false });
    Ok(Lent { file: super::attach(Arc::clone(&abroad.end))?, key })
}

/// What the senders have together that were lent of one channel. Dropped when none is left here.
pub(crate) struct Abroad {
    /// To be sent.
    end: File,
    tube: Arc<Tube>,
    books: Arc<Lock<Books>>,
}

impl Abroad {
    fn start<T>(target: Target<T>) -> io::Result<Arc<Self>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let (tube, end) = Tube::pair()?;
        let (tube, books) = (Arc::new(tube), Arc::<Lock<Books>>::default());
        let (theirs, known) = (Arc::clone(&tube), Arc::clone(&books));
        if let Target::Here(feed, _) = &target {
            let tube = Arc::clone(&tube);
            feed.ending.on_hang_up(move || tube.shut());
        }
        super::start_relay(move || {
            relay(&theirs, &known, &target);
            theirs.shut();
        })?;
        Ok(Arc::new(Self { end: Arc::new(end), tube, books }))
    }
}

impl Drop for Abroad {
    fn drop(&mut self) {
        let mut books = self.books.lock();
        books.is_alone = true;
        if books.is_over() {
            self.tube.shut();
        }
    }
}

/// Which senders were lent.
#[derive(Default)]
struct Books {
    lent: HashMap<u64, Holder>,
    /// No sender is left here.
    is_alone: bool,
}

struct Holder {
    /// Another try of the call may have it once more.
    may_come_back: bool,
    /// A worker has it, and has not dropped it.
    has_begun: bool,
}

impl Books {
    fn is_over(&self) -> bool {
        self.is_alone && self.lent.is_empty()
    }

    fn begin(&mut self, key: u64) {
        if let Some(holder) = self.lent.get_mut(&key) {
            holder.has_begun = true;
        }
    }

    fn end(&mut self, key: u64) {
        match self.lent.get_mut(&key) {
            Some(holder) if holder.may_come_back => holder.has_begun = false,
            _ => _ = self.lent.remove(&key),
        }
    }

    fn is_any_missing(&self) -> bool {
        self.lent.values().any(|holder| holder.has_begun)
    }
}

/// Where the items go that come from workers.
enum Target<T: Send + 'static> {
    /// To a stream of this process; if everything runs inline, whether there is room or not.
    Here(Feed<T>, bool),
    /// To whom this process has its sender from.
    Away(Sender<T>),
}

impl<T: DeserializeOwned + Send + 'static> Target<T> {
    /// False if nobody reads any more.
    fn give(&self, packed: Reply) -> bool {
        let feed = match self {
            Self::Here(feed, _) => feed,
            Self::Away(sender) => {
                return item(NAME, packed).is_ok_and(|item| sender.send(item).is_ok());
            }
        };
        match super::unread(NAME, feed, packed) {
            Ok(item) if matches!(self, Self::Here(_, true)) => {
                feed.flow.push_beyond(&mut Some(item))
            }
            Ok(item) => feed.push(item),
            Err(error) => {
                self.fail(error);
                false
            }
        }
    }

    /// Ends the stream with this.
    fn fail(&self, why: Error) {
        if let Self::Here(feed, _) = self {
            feed.ending.fail(why);
        }
    }

    /// The same, if nobody else feeds it.
    fn lose(&self, why: Error) {
        if let Self::Here(feed, _) = self {
            feed.ending.lose(why);
        }
    }
}

const NAME: &str = "channel";

/// Brings what workers send, until none of them will send any more, or nobody reads.
fn relay<T>(tube: &Tube, books: &Lock<Books>, target: &Target<T>)
where
    T: DeserializeOwned + Send + 'static,
{
    let mut frames = Frames::of(tube);
    loop {
        match frames.next() {
            Ok(Frame::Items(items)) => {
                if !items.into_iter().all(|item| target.give(item)) {
                    return;
                }
            }
            Ok(Frame::Begun(key)) => books.lock().begin(key),
            Ok(Frame::Ended(key)) => {
                let mut books = books.lock();
                books.end(key);
                if books.is_over() {
                    return;
                }
            }
            Ok(Frame::Failed(fault)) => return target.fail(fault.into_error(NAME)),
            Ok(Frame::Whole) => return target.fail(corrupt("it ended a stream that it reads")),
            Err(Stop::Corrupt(what)) => return target.fail(corrupt(what)),
            Err(Stop::Closed) => {
                if books.lock().is_any_missing() {
                    let kind = ErrorKind::Crashed { signal: None, code: None };
                    target.lose(Error::new(NAME, kind));
                }
                return;
            }
        }
    }
}

fn corrupt(what: &str) -> Error {
    worker_error(NAME, format!("a worker that sends is corrupt: {what}"))
}
