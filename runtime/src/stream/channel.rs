//! [`channel`]: a stream of what any number of senders send.
//!
//! To the stream it is one more call that fills a flow. It runs nowhere: it ends when its last
//! sender is dropped.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::mpsc::SendError;
use std::task::{Poll, Waker, ready};

use super::flow::{Flow, Push};
use super::{Stream, wait_to_push};
use crate::cell::Cell;
use crate::error::Error;
use crate::sync::Lock;
use crate::task::{Call, Task};
use crate::{sequential, timer, tokio};

/// A channel with room for so many items, whose receiving end is a [`Stream`].
///
/// Both ends can be arguments of concurrent functions in every mode: a task reports its progress,
/// or several tasks feed one that reads. Items of one sender arrive in the order in which they were
/// sent. Dropping the last [`Sender`] ends the stream, so give the senders away, or drop them,
/// before you read to the end. A body that panics drops the senders that it had, and the error is
/// its task's; the stream just ends.
///
/// In `process` the items cross as arguments do, so their type implements serde's traits. This
/// program relays them:
/// * Some hundred short items more are on the way than the channel has room for.
/// * Those of senders in different processes arrive in any order, even if one was sent after the
///   call that sent the other had ended.
/// * Those that nobody has read may hold up to 256 [shared slices](crate::process::Shared) and
///   values of more than 1 MiB, each of which is an open file of this program.
/// * Calls with an end among their arguments never wait for each other's workers, and stay on this
///   machine.
///
/// There the stream ends with an error at an item that cannot be encoded or decoded, at one such
/// file too many, and where the only sender was in a worker that ended without dropping it: by a
/// crash, a `timeout` or a cancel, the last item is [`Crashed`](crate::ErrorKind::Crashed).
///
/// ```
/// use trine::{Sender, Stream, concurrent};
///
/// #[concurrent(threads)]
/// fn measure(names: Vec<&'static str>, progress: Sender<usize>) -> usize {
///     let mut sum = 0;
///     for (done, name) in names.iter().enumerate() {
///         sum += name.len();
///         // Fails if nobody reads any more.
///         let _ = progress.send(done + 1);
///     }
///     sum
/// }
///
/// let (progress, news) = trine::channel(16);
/// let sum = measure(vec!["a", "bc", "def"], progress);
/// for done in news {
///     println!("{} of 3", done?);
/// }
/// assert_eq!(sum.join()?, 6);
/// # Ok::<(), trine::Error>(())
/// ```
///
/// A stage of a pipeline takes the stream of the one before it:
///
/// ```
/// # use trine::{Stream, concurrent};
/// #[concurrent(threads)]
/// fn lengths(lines: Stream<String>) -> impl Iterator<Item = usize> {
///     lines.into_iter().map_while(Result::ok).map(|line| line.len())
/// }
///
/// let (lines, stream) = trine::channel(64);
/// let lengths = lengths(stream).gather();
/// for line in ["one", "three"] {
///     lines.send(line.to_owned()).unwrap();
/// }
/// drop(lines);
/// assert_eq!(lengths.join()?, [3, 5]);
/// # Ok::<(), trine::Error>(())
/// ```
///
/// When everything runs [`sequential`](crate::sequential)ly, a body that sends comes to its end
/// before anybody reads, so there its channel has room for everything. A body that reads has to be
/// called after those that send.
///
/// # Panics
/// If `ahead` is zero.
#[track_caller]
pub fn channel<T: Send + 'static>(ahead: usize) -> (Sender<T>, Stream<T>) {
    assert!(ahead > 0, "a channel needs room for at least one item");
    let (feed, stream) = Feed::new("channel", ahead);
    (Sender(Way::Here(Arc::new(Senders { feed, abroad: Lock::new(None) }))), stream)
}

/// The sending end of a [`channel`]; clone it for more.
///
/// When the last one is dropped, the stream ends.
pub struct Sender<T: Send + 'static>(Way<T>);

enum Way<T: Send + 'static> {
    /// To a stream of this process.
    Here(Arc<Senders<T>>),
    /// To one of the process that has started this one.
    Away(Arc<dyn Away<T>>),
}

/// The way to a stream of another process.
pub(crate) trait Away<T>: Send + Sync {
    /// Sends an item; waits while there is no room. False if nobody reads any more.
    fn send(&self, item: &T) -> bool;

    /// Sends an item, or wakes when there may be room.
    fn poll_send(&self, item: &T, waker: &Waker) -> Poll<bool>;
}

impl<T: Send + 'static> Sender<T> {
    /// Sends an item; blocks while there is no room for it.
    ///
    /// A body that waits here holds no permit, as one that waits in a yield, and a thread of a
    /// multi-thread tokio runtime hands over its other tasks. On a current-thread runtime no other
    /// task runs meanwhile: use [`send_async`](Self::send_async) in `async` bodies.
    ///
    /// # Errors
    /// Gives the item back if the stream was dropped, cancelled or timed out, also while this
    /// waits.
    ///
    /// ```
    /// let (sender, stream) = trine::channel(1);
    /// sender.send(7)?;
    /// drop(stream);
    /// assert_eq!(sender.send(8).unwrap_err().0, 8);
    /// # Ok::<(), std::sync::mpsc::SendError<i32>>(())
    /// ```
    pub fn send(&self, item: T) -> Result<(), SendError<T>> {
        let senders = match &self.0 {
            Way::Here(senders) => senders,
            Way::Away(away) if away.send(&item) => return Ok(()),
            Way::Away(_) => return Err(SendError(item)),
        };
        if sequential::is_on() {
            return senders.send_beyond(item);
        }
        let mut push = Push::new(&senders.feed.flow, Item::Value(item));
        wait_to_push(&mut push);
        outcome(push.into_item())
    }

    /// Sends an item; waits for room as a future does, in any executor.
    ///
    /// Those that wait come in one after the other. If the future is dropped before its end, the
    /// item is not sent.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// ```
    /// use trine::{Sender, concurrent};
    ///
    /// #[concurrent(async)]
    /// async fn count(to: u32, numbers: Sender<u32>) {
    ///     for number in 0..to {
    ///         if numbers.send_async(number).await.is_err() {
    ///             break; // nobody reads any more
    ///         }
    ///     }
    /// }
    ///
    /// let (sender, stream) = trine::channel(2);
    /// count(1000, sender).detach();
    /// assert_eq!(stream.gather().join()?.len(), 1000);
    /// # Ok::<(), trine::Error>(())
    /// ```
    pub async fn send_async(&self, item: T) -> Result<(), SendError<T>> {
        let senders = match &self.0 {
            Way::Here(senders) => senders,
            Way::Away(away) => {
                let sent = poll_fn(|context| away.poll_send(&item, context.waker())).await;
                return if sent { Ok(()) } else { Err(SendError(item)) };
            }
        };
        if sequential::is_on() {
            return senders.send_beyond(item);
        }
        let mut push = Push::new(&senders.feed.flow, Item::Value(item));
        poll_fn(|context| {
            let step = ready!(tokio::poll_budget(context));
            let goes_on = push.poll(Some(context.waker()));
            let goes_on = ready!(timer::polled(goes_on, context));
            step.made_progress();
            Poll::Ready(goes_on)
        })
        .await;
        outcome(push.into_item())
    }

    /// A sender whose items go elsewhere.
    #[cfg(feature = "process")]
    pub(crate) fn away(way: Arc<dyn Away<T>>) -> Self {
        Self(Way::Away(way))
    }

    /// What senders of other processes have together, for the stream of this process that this
    /// one sends to; `None` if it is elsewhere.
    #[cfg(feature = "process")]
    pub(crate) fn abroad<A: Any + Send + Sync, E>(
        &self,
        make: impl FnOnce(&Feed<T>) -> Result<Arc<A>, E>,
    ) -> Option<Result<Arc<A>, E>> {
        let Way::Here(senders) = &self.0 else { return None };
        let mut abroad = senders.abroad.lock();
        if let Some(Ok(known)) = abroad.clone().map(Arc::downcast) {
            return Some(Ok(known));
        }
        Some(make(&senders.feed).inspect(|made| *abroad = Some(Arc::clone(made) as Abroad)))
    }
}

fn outcome<T>(left: Option<Item<T>>) -> Result<(), SendError<T>> {
    match left {
        Some(Item::Value(item)) => Err(SendError(item)),
        _ => Ok(()),
    }
}

impl<T: Send + 'static> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Way::Here(senders) => Way::Here(Arc::clone(senders)),
            Way::Away(way) => Way::Away(Arc::clone(way)),
        })
    }
}

impl<T: Send + 'static> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// What all senders have together.
struct Senders<T: Send + 'static> {
    feed: Feed<T>,
    /// Dropped with the last sender of this process.
    abroad: Lock<Option<Abroad>>,
}

/// What those senders have together that other processes were given.
type Abroad = Arc<dyn Any + Send + Sync>;

impl<T: Send + 'static> Senders<T> {
    /// Whoever reads may come later on this very thread.
    fn send_beyond(&self, item: T) -> Result<(), SendError<T>> {
        let mut item = Some(Item::Value(item));
        self.feed.flow.push_beyond(&mut item);
        outcome(item)
    }
}

/// An item on its way to the stream.
pub(crate) enum Item<T> {
    Value(T),
    /// From another process, to be decoded by whoever reads.
    #[cfg_attr(not(feature = "process"), expect(dead_code, reason = "there is no other"))]
    Packed(Box<dyn Packed<T>>),
}

/// Bytes that an item can be made of.
pub(crate) trait Packed<T>: Send {
    /// How many files they hold.
    fn files(&self) -> usize;
    fn unpack(self: Box<Self>, name: &'static str) -> Result<T, Error>;
}

fn unpack<T>(
    name: &'static str,
    held: &mut VecDeque<Item<T>>,
    items: &mut VecDeque<T>,
) -> Option<Error> {
    while let Some(item) = held.pop_front() {
        match item {
            Item::Value(item) => items.push_back(item),
            Item::Packed(packed) => match packed.unpack(name) {
                Ok(item) => items.push_back(item),
                Err(error) => return Some(error),
            },
        }
    }
    None
}

/// What fills a stream, until the last clone of it is dropped.
pub(crate) struct Feed<T> {
    pub(crate) flow: Arc<Flow<Item<T>>>,
    pub(crate) ending: Arc<Ending>,
}

impl<T: Send + 'static> Feed<T> {
    pub(crate) fn new(name: &'static str, ahead: usize) -> (Self, Stream<T>) {
        let flow = Arc::new(Flow::new(ahead));
        let open = Arc::new(Open { cell: Cell::running(), name, hang_up: Lock::new(None) });
        let stream = Stream::new(Arc::clone(&flow), Task::new(open.clone()), unpack);
        (Self { flow, ending: Arc::new(Ending { open, lost: Lock::new(None) }) }, stream)
    }
}

#[cfg(feature = "process")]
impl<T> Feed<T> {
    /// Puts an item in when there is room; false if nothing more is wanted.
    pub(crate) fn push(&self, item: Item<T>) -> bool {
        super::push(&self.flow, item)
    }

    /// How many files its unread items hold.
    pub(crate) fn files(&self) -> usize {
        self.flow.sum(|item| match item {
            Item::Value(_) => 0,
            Item::Packed(packed) => packed.files(),
        })
    }
}

impl<T> Clone for Feed<T> {
    fn clone(&self) -> Self {
        Self { flow: Arc::clone(&self.flow), ending: Arc::clone(&self.ending) }
    }
}

/// Ends the stream: all that was sent is in the flow.
pub(crate) struct Ending {
    open: Arc<Open>,
    lost: Lock<Option<Error>>,
}

impl Ending {
    /// The stream ends with this, after what is in the flow.
    #[cfg(feature = "process")]
    pub(crate) fn fail(&self, why: Error) {
        self.open.cell.finish(Err(why));
    }

    /// The stream is to end with this, once nobody else feeds it.
    #[cfg(feature = "process")]
    pub(crate) fn lose(&self, why: Error) {
        *self.lost.lock() = Some(why);
    }

    /// Once nobody reads any more, this runs, here or where that is found.
    #[cfg(feature = "process")]
    pub(crate) fn on_hang_up(&self, hang_up: impl FnOnce() + Send + 'static) {
        *self.open.hang_up.lock() = Some(Box::new(hang_up));
        if self.open.cell.is_finished() {
            self.open.hang_up();
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let lost = self.lost.lock().take();
        self.open.cell.finish(lost.map_or(Ok(true), Err));
    }
}

/// The call that yields what is sent: it ends with the last sender.
struct Open {
    cell: Cell<bool>,
    name: &'static str,
    hang_up: Lock<Option<Box<dyn FnOnce() + Send>>>,
}

impl Open {
    fn hang_up(&self) {
        let hang_up = self.hang_up.lock().take();
        if let Some(hang_up) = hang_up {
            hang_up();
        }
    }
}

impl Call<bool> for Open {
    fn cell(&self) -> &Cell<bool> {
        &self.cell
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn cancel(self: Arc<Self>, why: Error) {
        self.cell.finish(Err(why));
        self.hang_up();
    }
}
