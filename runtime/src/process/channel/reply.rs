//! The undecoded bytes of a reply, taken off the channel. Whoever waits for the call decodes them.

use std::cell::Cell;
use std::iter;
use std::sync::Arc;

use super::{ParentEnd, REPLY_HEAD, ReplyHead, record};
use crate::process::platform::{self, View};
use crate::process::segment::is_kept;
use crate::process::value::output::MAX_INLINE;
use crate::process::value::wire::Reader;

/// The size up to which bytes are stored inline; most results fit.
const SMALL: usize = 54;
/// Up to this length frozen memory is copied.
const MAX_COPIED: usize = 1 << 20;
/// How many buffers a thread keeps, and how long the first of them may be; the others are for runs
/// of items, and for items of a page.
const MAX_SCRATCH: usize = 32;
const MAX_SCRATCH_LENGTH: usize = 64 << 10;
const MAX_OTHER_LENGTH: usize = 8 << 10;

pub(crate) enum ReplyBytes {
    Small(u8, [u8; SMALL]),
    Copied(Copied),
    /// Items of a stream, one after the other.
    Run(Run),
    Loan(Loan),
}

impl ReplyBytes {
    /// Copies bytes that others may be writing.
    ///
    /// # Safety
    /// `length` bytes from `start` on must be mapped and readable.
    pub(crate) unsafe fn copy(start: *const u8, length: usize) -> Self {
        if length <= SMALL {
            let mut small = [0; SMALL];
            // SAFETY: the caller's promise, and as much fits.
            unsafe { std::ptr::copy_nonoverlapping(start, small.as_mut_ptr(), length) };
            return Self::Small(length as u8, small);
        }
        // SAFETY: the caller's promise.
        Self::Copied(Copied(unsafe { Copied::bytes(start, length) }))
    }

    /// Those of frozen memory, which is a file for as long as it is kept.
    pub(crate) fn frozen(view: View) -> Self {
        let length = view.length();
        if length <= MAX_COPIED {
            // SAFETY: it is mapped that far, and stays so until it is dropped here.
            return unsafe { Self::copy(view.start(), length) };
        }
        Self::Loan(Loan::new(Arc::new(view), length, None))
    }

    /// Whether they lie where the worker writes again once this process has read them.
    pub(crate) fn are_lent(&self) -> bool {
        matches!(self, Self::Loan(Loan { segment: Some(_), .. }))
    }

    /// How many items they are.
    pub(crate) fn items(&self) -> usize {
        if let Self::Run(run) = self { run.count } else { 1 }
    }

    /// How many there are.
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Small(length, _) => usize::from(*length),
            Self::Copied(Copied(bytes)) | Self::Run(Run { bytes: Copied(bytes), .. }) => {
                bytes.len()
            }
            Self::Loan(loan) => loan.length,
        }
    }

    /// Items that were sent on, as [`Run::pieces`] gives them; none if they are not whole.
    #[cfg(feature = "cluster")]
    pub(crate) fn run(bytes: Vec<u8>, item: u32) -> Option<Self> {
        let length = bytes.len();
        let run = Run::whole(bytes, item);
        (run.length() == length && run.count > 0).then_some(Self::Run(run))
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        match self {
            Self::Small(length, bytes) => Reader::new(&bytes[..usize::from(*length)]),
            Self::Copied(Copied(bytes)) | Self::Run(Run { bytes: Copied(bytes), .. }) => {
                Reader::new(bytes)
            }
            Self::Loan(loan) => loan.reader(),
        }
    }
}

impl From<Vec<u8>> for ReplyBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Copied(Copied(bytes))
    }
}

thread_local! {
    /// Several, since the items of a stream may come in several runs.
    static SCRATCH: Cell<Vec<Vec<u8>>> = const { Cell::new(Vec::new()) };
}

/// A copy on the heap, whose buffer this thread reuses.
pub(crate) struct Copied(Vec<u8>);

impl Copied {
    /// A copy of bytes that others may be writing.
    ///
    /// # Safety
    /// `length` bytes from `start` on must be mapped and readable.
    pub(super) unsafe fn bytes(start: *const u8, length: usize) -> Vec<u8> {
        let take = |scratch: &Cell<Vec<Vec<u8>>>| {
            let mut free = scratch.take();
            let bytes = free.pop();
            scratch.set(free);
            bytes
        };
        let mut bytes = SCRATCH.try_with(take).ok().flatten().unwrap_or_default();
        bytes.clear();
        bytes.reserve(length);
        // SAFETY: the caller's promise, and the vector has room.
        unsafe {
            std::ptr::copy_nonoverlapping(start, bytes.as_mut_ptr(), length);
            bytes.set_len(length);
        }
        bytes
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.0);
        let _ = SCRATCH.try_with(|scratch| {
            let mut free = scratch.take();
            let most = if free.is_empty() { MAX_SCRATCH_LENGTH } else { MAX_OTHER_LENGTH };
            if free.len() < MAX_SCRATCH && bytes.capacity() <= most {
                free.push(bytes);
            }
            scratch.set(free);
        });
    }
}

/// A copy of records that follow each other in the ring, each with an item.
pub(crate) struct Run {
    bytes: Copied,
    count: usize,
}

impl Run {
    /// The records that a copy of part of the ring begins with, as far as they have the status of
    /// an item, are of one call, and whole; if they are several. What is beyond them is cut off.
    pub(super) fn of(copy: Vec<u8>, item: u32) -> Option<Self> {
        let run = Self::whole(copy, item);
        (run.count > 1).then_some(run)
    }

    fn whole(mut copy: Vec<u8>, item: u32) -> Self {
        let (mut end, mut count) = (0, 0);
        let mut number = None;
        while let Some(head) = head(&copy[end..]) {
            let is_item = head.status == item && head.flags == 0 && head.handles == 0;
            let is_of_it = *number.get_or_insert(head.number) == head.number;
            let next = end + record_size(&head);
            if !is_item || !is_of_it || next > copy.len() {
                break;
            }
            (end, count) = (next, count + 1);
        }
        copy.truncate(end);
        Self { bytes: Copied(copy), count }
    }

    /// The same in pieces of at most so many bytes, or of one item.
    #[cfg(feature = "cluster")]
    pub(crate) fn pieces(&self, most: usize) -> impl Iterator<Item = &[u8]> {
        let mut left = &*self.bytes.0;
        iter::from_fn(move || {
            let mut end = 0;
            while let Some(head) = left.get(end..).and_then(head) {
                let next = end + record_size(&head);
                if next > left.len() || end > 0 && next > most {
                    break;
                }
                end = next;
            }
            let (piece, rest) =
                left.split_at_checked(end).filter(|(piece, _)| !piece.is_empty())?;
            left = rest;
            Some(piece)
        })
    }

    /// How much of the ring they are.
    pub(crate) fn length(&self) -> usize {
        self.bytes.0.len()
    }

    /// How many items they are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn readers(&self) -> impl Iterator<Item = Reader<'_>> {
        let mut left = &*self.bytes.0;
        iter::from_fn(move || {
            let head = head(left)?;
            let (this, rest) = left.split_at_checked(record_size(&head))?;
            left = rest;
            Some(Reader::new(&this[REPLY_HEAD as usize..][..head.length as usize]))
        })
    }
}

/// The head that a copy begins with, of a record that may be in the ring.
fn head(copy: &[u8]) -> Option<ReplyHead> {
    let bytes = copy.first_chunk::<{ REPLY_HEAD as usize }>()?;
    let head = ReplyHead::from_bytes(bytes);
    (head.length as usize <= MAX_INLINE).then_some(head)
}

fn record_size(head: &ReplyHead) -> usize {
    record(REPLY_HEAD, head.length) as usize
}

/// A large reply, where the worker left it. A correct worker writes nothing else there until this
/// is dropped; a faulty one may at any time, so it is only read by copying.
pub(crate) struct Loan {
    // Dropped in this order: from the release on the worker may send the segment again, and whoever
    // takes that reply makes sure that nobody has the view.
    view: Arc<View>,
    length: usize,
    segment: Option<Release>,
}

/// Reports that a reply in a segment was read.
struct Release(Arc<ParentEnd>, usize);

impl Drop for Release {
    fn drop(&mut self) {
        // A forked child does not have the channel's memory, and its parent reads the reply itself.
        if !platform::is_forked_child() {
            let Self(channel, segment) = self;
            channel.release_segment(*segment);
        }
    }
}

impl Loan {
    /// The bytes of a view, whose presence [`View::reach`] has checked.
    pub(crate) fn new(
        view: Arc<View>,
        length: usize,
        segment: Option<(Arc<ParentEnd>, usize)>,
    ) -> Self {
        assert!(length <= view.length());
        let segment = segment.map(|(channel, number)| Release(channel, number));
        Self { view, length, segment }
    }

    fn reader(&self) -> Reader<'_> {
        // SAFETY: the view is mapped that far for as long as it is borrowed.
        unsafe { Reader::from_raw(self.view.start(), self.length) }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let is_ours = self.segment.is_some() && !platform::is_forked_child();
        if is_ours && !is_kept(self.view.length()) {
            self.view.discard();
        }
    }
}
