//! [`channel`]: a stream of what any number of senders send.
//!
//! To the stream it is one more call that fills a flow. It runs nowhere: it ends when its last
//! sender is dropped.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::mpsc::SendError;
use std::task::{Poll, ready};

use super::flow::{Flow, Push};
use super::{Stream, as_it_is, wait_to_push};
use crate::cell::Cell;
use crate::error::Error;
use crate::task::{Call, Task};
use crate::{sequential, tokio};

/// A channel with room for so many items, whose receiving end is a [`Stream`].
///
/// Both ends can be arguments of `threads` and `async` functions: a task reports its progress, or
/// several tasks feed one that reads. Items of one sender arrive in the order in which they were
/// sent. Dropping the last [`Sender`] ends the stream, so give the senders away, or drop them,
/// before you read to the end. A body that panics drops the senders that it had, and the error is
/// its task's; the stream just ends.
///
/// The ends cannot be sent to `process` functions. What leaves a worker process while it is at work
/// are the items that its function yields, see [`Stream`].
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
/// If there is to be room for none.
#[track_caller]
pub fn channel<T: Send + 'static>(ahead: usize) -> (Sender<T>, Stream<T>) {
    assert!(ahead > 0, "a channel needs room for at least one item");
    let flow = Arc::new(Flow::new(ahead));
    let open = Arc::new(Open { cell: Cell::running() });
    let stream = Stream::new(Arc::clone(&flow), Task::new(open.clone()), as_it_is);
    (Sender(Arc::new(Senders { flow, open })), stream)
}

/// The sending end of a [`channel`]; clone it for more.
///
/// When the last one is dropped, the stream ends.
pub struct Sender<T: Send + 'static>(Arc<Senders<T>>);

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
        if sequential::is_on() {
            return self.send_beyond(item);
        }
        let mut push = Push::new(&self.0.flow, item);
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
        if sequential::is_on() {
            return self.send_beyond(item);
        }
        let mut push = Push::new(&self.0.flow, item);
        poll_fn(|context| {
            let step = ready!(tokio::poll_budget(context));
            let goes_on = ready!(push.poll(Some(context.waker())));
            step.made_progress();
            Poll::Ready(goes_on)
        })
        .await;
        outcome(push.into_item())
    }

    /// Whoever reads may come later on this very thread.
    fn send_beyond(&self, item: T) -> Result<(), SendError<T>> {
        let mut item = Some(item);
        self.0.flow.push_beyond(&mut item);
        outcome(item)
    }
}

fn outcome<T>(left: Option<T>) -> Result<(), SendError<T>> {
    left.map_or(Ok(()), |item| Err(SendError(item)))
}

impl<T: Send + 'static> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Send + 'static> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// What all senders have together.
struct Senders<T: Send + 'static> {
    flow: Arc<Flow<T>>,
    open: Arc<Open>,
}

impl<T: Send + 'static> Drop for Senders<T> {
    fn drop(&mut self) {
        // All that they sent is in the flow.
        self.open.cell.finish(Ok(true));
    }
}

/// The call that yields what is sent: it ends with the last sender.
struct Open {
    cell: Cell<bool>,
}

impl Call<bool> for Open {
    fn cell(&self) -> &Cell<bool> {
        &self.cell
    }

    fn name(&self) -> &'static str {
        "channel"
    }

    fn cancel(self: Arc<Self>, why: Error) {
        self.cell.finish(Err(why));
    }
}
