//! Where a method that yields puts its items: what its body is given beside the value.
//!
//! The body drives its iterator itself and ends with it, so the iterator may borrow the value and
//! the arguments, and the turn is kept for as long as it yields.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
#[cfg(feature = "async")]
use std::sync::Arc;

#[cfg(feature = "async")]
use super::slot::Rests;
#[cfg(feature = "async")]
use crate::function::Function;
#[cfg(feature = "async")]
use crate::stream::flow::{Flow, Push};
use crate::wait;

/// Takes the items of a method that yields, in `threads` and `process`.
///
/// ```
/// static NEW: trine::Function = trine::Function::new("new");
/// static LONG: trine::Function = trine::Function::new("long");
/// let words = trine::threads::worker(&NEW, ("a few words",), |(text,): (&str,)| text.to_owned());
/// let long = trine::threads::call_stream(&words, &LONG, (3,), |text, (least,), outlet| {
///     outlet.all(text.split(' ').filter(|word| word.len() >= least).map(str::len))
/// });
/// assert_eq!(long.gather().join()?, [3, 5]);
/// # Ok::<(), trine::Error>(())
/// ```
pub struct Outlet<'a, T>(&'a mut dyn FnMut(T) -> bool);

impl<'a, T> Outlet<'a, T> {
    /// Puts items out by this, which says whether more are wanted.
    pub(crate) fn new(put: &'a mut dyn FnMut(T) -> bool) -> Self {
        Self(put)
    }

    /// Puts all of them out, each when there is room for it. Whether that was all there is: false
    /// if nobody wants more.
    pub fn all(self, mut items: impl Iterator<Item = T>) -> bool {
        items.all(self.0)
    }

    /// The same of a stream, which is made and polled on this thread.
    pub fn all_polled<S>(self, items: impl FnOnce() -> S) -> bool
    where
        S: futures_core::Stream<Item = T>,
    {
        // What makes it may use the runtime, in which it is polled.
        wait::block_on(async move {
            let mut items = pin!(items());
            while let Some(item) = poll_fn(|context| items.as_mut().poll_next(context)).await {
                if !(self.0)(item) {
                    return false;
                }
            }
            true
        })
    }
}

impl<T> fmt::Debug for Outlet<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").finish_non_exhaustive()
    }
}

/// The same in `async`, where the items are polled.
///
/// ```
/// use futures_util::stream;
///
/// static NEW: trine::Function = trine::Function::new("new");
/// static DOUBLED: trine::Function = trine::Function::new("doubled");
/// let body = |(first,): (u32,)| async move { vec![first, 2] };
/// let list = trine::asynchronous::worker::<Vec<u32>, _, _, _>(&NEW, (1,), body);
/// let doubled = trine::asynchronous::call_stream(&list, &DOUBLED, (), |list, (), outlet| {
///     async move {
///         let is_all = outlet.all(stream::iter(list.iter().map(|number| number * 2))).await;
///         (list, is_all)
///     }
/// });
/// assert_eq!(doubled.gather().join()?, [2, 4]);
/// # Ok::<(), trine::Error>(())
/// ```
#[cfg(feature = "async")]
pub struct AsyncOutlet<T> {
    function: &'static Function,
    flow: Arc<Flow<T>>,
    slot: Arc<dyn Rests>,
}

#[cfg(feature = "async")]
impl<T: Send + 'static> AsyncOutlet<T> {
    pub(crate) fn new(
        function: &'static Function,
        flow: Arc<Flow<T>>,
        slot: Arc<dyn Rests>,
    ) -> Self {
        Self { function, flow, slot }
    }

    /// Puts all items of a stream out, each when there is room for it. Whether that was all there
    /// is: false if nobody wants more.
    pub async fn all(self, items: impl futures_core::Stream<Item = T>) -> bool {
        let _alarm = crate::stream::stop_in_time(self.function, &self.flow);
        let mut items = pin!(items);
        while let Some(item) = poll_fn(|context| items.as_mut().poll_next(context)).await {
            let mut push = Push::new(&self.flow, item);
            let goes_on = poll_fn(|context| {
                let polled = push.poll(Some(context.waker()));
                self.slot.is_at_rest(polled.is_pending());
                polled
            });
            if !goes_on.await {
                return false;
            }
        }
        true
    }
}

#[cfg(feature = "async")]
impl<T> fmt::Debug for AsyncOutlet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncOutlet").finish_non_exhaustive()
    }
}
