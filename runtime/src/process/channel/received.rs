//! The memories that a worker has sent for its large replies, and what each reply says about them.
//!
//! All of that is the worker's word: a reply may name a segment that was never sent, one whose last
//! reply is still being read, or more bytes than its memory has.

use std::sync::Arc;

use super::reply::{Loan, ReplyBytes};
use super::{Corrupt, LARGE, Large, ParentEnd, ReplyHead};
use crate::process::platform::{Handle, View};
use crate::process::segment::SEGMENTS;

/// The segments of one worker.
pub(crate) struct Received([Option<Arc<View>>; SEGMENTS]);

impl Received {
    pub(crate) fn new() -> Self {
        Self([const { None }; SEGMENTS])
    }

    /// The contents of a reply, which its handles came with.
    ///
    /// # Safety
    /// [`next_reply`](ParentEnd::next_reply) must have found it there with that head, and it must
    /// not have been freed since.
    pub(crate) unsafe fn bring(
        &mut self,
        channel: &Arc<ParentEnd>,
        start: u32,
        head: &ReplyHead,
        handles: &mut Vec<Handle>,
    ) -> Result<ReplyBytes, Corrupt> {
        if head.flags & LARGE == 0 {
            // SAFETY: the caller's promise.
            return Ok(unsafe { channel.reply_bytes(start, head) });
        }
        // SAFETY: the caller's promise.
        let large = unsafe { channel.large_reply(start, head) }?;
        self.find(channel, large, handles).map(ReplyBytes::Loan)
    }

    /// The location of a large reply.
    fn find(
        &mut self,
        channel: &Arc<ParentEnd>,
        large: Large,
        handles: &mut Vec<Handle>,
    ) -> Result<Loan, Corrupt> {
        let length = usize::try_from(large.length)
            .map_err(|_| Corrupt("a reply has an impossible length"))?;
        let sent = if large.sent == 0 { None } else { handles.pop() };
        let opened = sent.map(View::open).transpose();
        let opened = opened.map_err(|_| Corrupt("a handle that is not memory"))?;
        let number = large.segment as usize;
        let Some(known) = self.0.get_mut(number) else {
            let mut view = opened.ok_or(Corrupt("a handle is missing"))?;
            view.reach(length).map_err(|_| Corrupt("a large reply is cut short"))?;
            return Ok(Loan::new(Arc::new(view), length, None));
        };
        if let Some(view) = opened {
            *known = Some(Arc::new(view));
        }
        let view = known.as_mut().ok_or(Corrupt("a reply in a segment that was never sent"))?;
        // A segment whose last reply is still being read must not be written again.
        let alone = Arc::get_mut(view).ok_or(Corrupt("a reply in a segment that is in use"))?;
        alone.reach(length).map_err(|_| Corrupt("a large reply is cut short"))?;
        Ok(Loan::new(Arc::clone(view), length, Some((Arc::clone(channel), number))))
    }
}
