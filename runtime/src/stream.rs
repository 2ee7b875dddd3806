//! [`Stream`]: the handle of a function that yields, in every mode.
//!
//! A call that yields is a task like any other, whose body puts items into a flow as they come; so
//! places, deadlines, panics and crashes are what they are for tasks, and the engines know nothing
//! of readers. `flow` is the queue between the two, `source` the flow and the task as one, `gather`
//! the task that reads it all, and `channel` a stream of what anybody sends.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use crate::error::Error;
use crate::function::Function;
use crate::relay::Asked;
use crate::task::{Task, ask};
use crate::timer::{self, Alarm};
use crate::wait::Patience;
use crate::{sequential, tokio, wait};

pub(crate) mod channel;
pub(crate) mod flow;
mod gather;
pub(crate) mod source;

use self::flow::{Flow, Push};
#[cfg(feature = "process")]
use self::source::Taken;
use self::source::{Fed, Source, Unpack};

/// How many items are on the way where the option `ahead` does not say.
pub(crate) const AHEAD: usize = 64;

/// The items of a function that yields, as they come. Calling a concurrent function that returns
/// `impl Iterator<Item = T>` or `impl Stream<Item = T>` gives one.
///
/// The body runs from the call on, where its mode says, and the iterator that it returns lives and
/// is dropped there: it need be neither `Send` nor serializable, only its items cross. They are
/// read with `for`, by `&mut` too, or awaited as a futures [`Stream`](futures_core::Stream). They
/// come in order, each as `Ok`. A panic, a crash, a deadline or a cancel is one `Err`, the last
/// item, after all that was yielded before it.
///
/// At most `ahead` items (the option of the attribute; 64 without) are on the way, in `process` at
/// most 1 MiB of them as well. Then the body waits in its yield, and holds no permit meanwhile.
///
/// Dropping it ends the call: the body's iterator is dropped at its next yield, and a worker
/// process that does not come to one within 100 ms, not counting what it waits for a processor, is
/// killed. There is no `detach`: what yields needs somebody to yield to.
///
/// ```
/// use trine::concurrent;
///
/// #[concurrent(threads)]
/// fn squares(count: u64) -> impl Iterator<Item = u64> {
///     (0..count).map(|number| number * number)
/// }
///
/// let mut sum = 0;
/// for square in squares(4) {
///     sum += square?;
/// }
/// assert_eq!(sum, 14);
///
/// // By reference it can be left and gone on with.
/// let mut endless = squares(u64::MAX);
/// for square in &mut endless {
///     if square? > 10 {
///         break;
///     }
/// }
/// assert_eq!(endless.into_iter().next().unwrap()?, 25);
/// # Ok::<(), trine::Error>(())
/// ```
///
/// As a futures stream:
///
/// ```
/// # use trine::concurrent;
/// # #[concurrent(threads)]
/// # fn squares(count: u64) -> impl Iterator<Item = u64> {
/// #     (0..count).map(|number| number * number)
/// # }
/// use futures_util::StreamExt;
///
/// # trine::block_on(async {
/// let mut stream = squares(3);
/// while let Some(square) = stream.next().await {
///     println!("{}", square?);
/// }
/// # Ok::<(), trine::Error>(()) })?;
/// # Ok::<(), trine::Error>(())
/// ```
#[must_use = "dropping a stream ends its call: iterate over it, await it, or `gather` it"]
pub struct Stream<T> {
    /// Taken out where it is an argument of a process function.
    source: RefCell<Box<dyn Source<T>>>,
    /// Somebody has waited for it.
    awaited: bool,
    /// What a thread that reads it has learned.
    patience: Patience,
}

impl<T: Send + 'static> Stream<T> {
    /// A flow and the task that fills it.
    pub(crate) fn new<R: Send + 'static>(
        flow: Arc<Flow<R>>,
        task: Task<bool>,
        unpack: Unpack<R, T>,
    ) -> Self {
        Self::from_source(Fed::new(flow, task, unpack, false))
    }

    /// The same, where a thread that waits for items brings them here.
    #[cfg(feature = "process")]
    pub(crate) fn helped<R: Send + 'static>(
        flow: Arc<Flow<R>>,
        task: Task<bool>,
        unpack: Unpack<R, T>,
    ) -> Self {
        Self::from_source(Fed::new(flow, task, unpack, true))
    }
}

impl<T> Stream<T> {
    fn from_source(source: impl Source<T> + 'static) -> Self {
        let source = RefCell::new(Box::new(source) as Box<dyn Source<T>>);
        Self { source, awaited: false, patience: Patience::new() }
    }

    /// The name of the function that yields.
    #[cfg(feature = "process")]
    pub(crate) fn name(&self) -> &'static str {
        self.source.borrow().call().name()
    }

    /// What is to be read elsewhere. Nothing is left here.
    #[cfg(feature = "process")]
    pub(crate) fn take(&self) -> Self {
        let call = Arc::clone(self.source.borrow().call());
        let source = self.source.replace(Box::new(Taken(call)));
        Self { source: RefCell::new(source), awaited: self.awaited, patience: self.patience }
    }

    /// All items, as one task.
    ///
    /// It reads them as they come, whoever waits for it or not. Its failure is the stream's, and
    /// the items before it are dropped then. Cancelling or dropping the task ends the call.
    ///
    /// ```
    /// # use trine::concurrent;
    /// #[concurrent(threads)]
    /// fn words(text: String) -> impl Iterator<Item = String> {
    ///     let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
    ///     words.into_iter()
    /// }
    /// assert_eq!(words("one two".into()).gather().join()?, ["one", "two"]);
    /// # Ok::<(), trine::Error>(())
    /// ```
    pub fn gather(self) -> Task<Vec<T>>
    where
        T: Send + 'static,
    {
        gather::gather(self.source.into_inner())
    }

    /// Ends the call at its next yield. Does not wait.
    ///
    /// What was yielded can still be read; then comes [`Cancelled`](crate::ErrorKind::Cancelled),
    /// unless the body was at its end already. One that has not started never will. In a body on a
    /// thread [`trine::cancelled`](crate::cancelled) turns true as well, and a worker process that
    /// does not come to a yield within 100 ms, not counting what it waits for a processor, is
    /// killed.
    ///
    /// ```
    /// # use trine::concurrent;
    /// #[concurrent(threads)]
    /// fn forever() -> impl Iterator<Item = u64> {
    ///     0..
    /// }
    ///
    /// let stream = forever();
    /// stream.cancel();
    /// assert!(stream.into_iter().last().unwrap().unwrap_err().is_cancelled());
    /// ```
    pub fn cancel(&self) {
        self.source.borrow().cancel();
    }

    /// Sets a deadline from now for the whole call: past it the last item is
    /// [`TimedOut`](crate::ErrorKind::TimedOut), after what was yielded until then.
    ///
    /// Unlike the option `timeout` of the attribute, which is counted from the start of the body,
    /// this counts the time in the queue. Both count the time in which the body waits for its
    /// reader.
    ///
    /// ```
    /// # use trine::concurrent;
    /// use std::time::Duration;
    ///
    /// #[concurrent(threads)]
    /// fn forever() -> impl Iterator<Item = u64> {
    ///     0..
    /// }
    ///
    /// let stream = forever().timeout(Duration::from_millis(5));
    /// assert!(stream.into_iter().last().unwrap().unwrap_err().is_timeout());
    /// ```
    pub fn timeout(self, timeout: Duration) -> Self {
        self.source.borrow().set_deadline(timeout);
        self
    }

    /// What comes next, blocking.
    fn next_blocking(&mut self) -> Option<Result<T, Error>> {
        if let Some(item) = self.source.get_mut().at_hand() {
            return Some(item);
        }
        if !self.awaited {
            self.ask_by_thread();
        }
        let source = self.source.get_mut();
        // First, so that the one who yields knows how far this one is before it waits for it.
        if let Poll::Ready(next) = source.poll_next(None) {
            return next;
        }
        source.help();
        let began = self.patience.spin(|| source.may_come(), || source.has_news());
        let next = wait::until(None, |waker| poll_at_rest(&mut **source, waker)).flatten();
        began.into_iter().for_each(|began| self.patience.learn_since(began));
        next
    }

    fn ask_by_thread(&mut self) {
        self.awaited = true;
        let call = self.source.get_mut().call();
        assert!(
            !ask(call, Asked::by_thread()),
            "reading stream `{}` would wait forever: its body runs on the current-thread tokio \
             runtime of this very thread. Await the items instead, or use a multi-thread runtime.",
            call.name()
        );
    }
}

impl<T> futures_core::Stream for Stream<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let is_first = !std::mem::replace(&mut self.awaited, true);
        let source = self.source.get_mut();
        if is_first {
            ask(source.call(), Asked::by_executor());
        }
        let step = ready!(tokio::poll_budget(context));
        let next = poll_at_rest(&mut **source, context.waker());
        let next = ready!(timer::polled(next, context));
        step.made_progress();
        Poll::Ready(next)
    }
}

/// What comes next, or the promise to wake, with nothing left to do for this thread.
fn poll_at_rest<T>(source: &mut dyn Source<T>, waker: &Waker) -> Poll<Option<Result<T, Error>>> {
    let next = source.poll_next(Some(waker));
    if next.is_pending() {
        source.rest();
    }
    next
}

/// The items of a [`Stream`], blocking: made by a `for` loop over it.
#[derive(Debug)]
#[must_use = "an iterator does nothing before it is asked for its next item"]
pub struct StreamIter<S>(S);

impl<T> Iterator for StreamIter<Stream<T>> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_blocking()
    }
}

impl<T> Iterator for StreamIter<&mut Stream<T>> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_blocking()
    }
}

impl<T> IntoIterator for Stream<T> {
    type Item = Result<T, Error>;
    type IntoIter = StreamIter<Self>;

    fn into_iter(self) -> StreamIter<Self> {
        StreamIter(self)
    }
}

impl<T> IntoIterator for &mut Stream<T> {
    type Item = Result<T, Error>;
    type IntoIter = StreamIter<Self>;

    fn into_iter(self) -> StreamIter<Self> {
        StreamIter(self)
    }
}

impl<T> fmt::Debug for Stream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("function", &self.source.borrow().call().name()).finish()
    }
}

/// How many items of a function may be on the way.
pub(crate) fn ahead(function: &Function) -> usize {
    function.options().ahead.unwrap_or(AHEAD)
}

/// A flow for the items of a function. Where its body runs inline, before there is a reader, there
/// is room for all.
pub(crate) fn flow<T>(function: &Function) -> Arc<Flow<T>> {
    let ahead = if sequential::is_on() { usize::MAX } else { ahead(function) };
    Arc::new(Flow::new(ahead))
}

/// Items that are on the way what they are.
pub(crate) fn as_they_are<T>(
    _: &'static str,
    held: &mut VecDeque<T>,
    items: &mut VecDeque<T>,
) -> Option<Error> {
    std::mem::swap(held, items);
    None
}

/// Ends the flow of a body that is still at it when its time is up.
pub(crate) fn stop_in_time<T: Send + 'static>(
    function: &Function,
    flow: &Arc<Flow<T>>,
) -> Option<Alarm> {
    let flow = Arc::downgrade(flow);
    let stop = move || flow.upgrade().into_iter().for_each(|flow| flow.stop());
    function.options().timeout.map(|allowed| Alarm::after(allowed, stop))
}

/// Yields all of an iterator, on this thread. Whether that was all there is.
pub(crate) fn drive<T: Send + 'static>(
    function: &Function,
    flow: &Arc<Flow<T>>,
    items: impl Iterator<Item = T>,
) -> bool {
    let _alarm = stop_in_time(function, flow);
    for item in items {
        if !push(flow, item) {
            return false;
        }
    }
    true
}

/// Puts an item in when there is room; false if nothing more is wanted.
pub(crate) fn push<T>(flow: &Flow<T>, item: T) -> bool {
    wait_to_push(&mut Push::new(flow, item))
}

fn wait_to_push<T>(push: &mut Push<'_, T>) -> bool {
    if let Poll::Ready(goes_on) = push.poll(None) {
        return goes_on;
    }
    let _ = push.may_be_read() && wait::spin(|| push.seems_to_have_room());
    wait::until(None, |waker| push.poll(Some(waker))).unwrap_or(false)
}

/// The same, of what is polled.
pub(crate) async fn drive_polled<S, T>(
    function: &'static Function,
    flow: Arc<Flow<T>>,
    body: impl FnOnce() -> S,
) -> bool
where
    S: futures_core::Stream<Item = T>,
    T: Send + 'static,
{
    let _alarm = stop_in_time(function, &flow);
    // It may use the runtime, in which this is polled.
    let mut items = pin!(body());
    while let Some(item) = poll_fn(|context| items.as_mut().poll_next(context)).await {
        let mut push = Push::new(&flow, item);
        if !poll_fn(|context| push.poll(Some(context.waker()))).await {
            return false;
        }
    }
    true
}
