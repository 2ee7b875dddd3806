//! The end that sends requests and takes replies.

use super::reply::Copied;
use super::*;

impl ParentEnd {
    /// Creates an end, and what its worker makes the other one of.
    pub(crate) fn new() -> io::Result<(Self, Kit)> {
        let mut requests = Memory::new(HALF)?;
        let (mut replies, to_write) = View::for_writer(HALF)?;
        requests.keep_from_forks();
        replies.keep_from_forks();
        let to_read = requests.share()?;
        let [ours, alarm] = Alarm::pair()?;
        let kit = Kit { to_read, to_write, alarm };
        Ok((Self { requests, replies, alarm: ours }, kit))
    }

    fn words(&self) -> &ParentWords {
        // SAFETY: the memory starts with them, aligned and zeroed, for as long as it is mapped;
        // they are atomics, which the worker can only read.
        unsafe { &*self.requests.start().cast() }
    }

    fn theirs(&self) -> &WorkerWords {
        // SAFETY: as above. It is mapped read-only, and only relaxed loads and the platform's waits
        // and wakes use them.
        unsafe { &*self.replies.start().cast() }
    }

    pub(super) fn request_ring(&self) -> Ring {
        // SAFETY: within the memory.
        Ring(unsafe { self.requests.start().add(WORDS) })
    }

    fn reply_ring(&self) -> Ring {
        // SAFETY: within the memory. Nothing is written through it.
        Ring(unsafe { self.replies.start().add(WORDS) }.cast_mut())
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.theirs().ready.acquired() != 0
    }

    /// Whether the worker's call waits for another one, by its own word.
    pub(crate) fn is_waiting(&self) -> bool {
        self.theirs().waiting.acquired() != 0
    }

    /// Writes a request at or after `tail` and returns its start; `None` if there is no room. One
    /// thread at a time writes and publishes.
    #[inline]
    pub(crate) fn write_request(
        &self,
        tail: u32,
        taken: u32,
        head: &RequestHead,
        bytes: &[u8],
    ) -> Option<u32> {
        debug_assert!(bytes.len() == head.length as usize && bytes.len() <= MAX_INLINE);
        let ring = self.request_ring();
        let start = ring.place(tail, taken, record(HEAD, head.length))?;
        let head = RequestHead { taken: self.words().reply_head.load(Relaxed), ..*head };
        // SAFETY: `place` found room for the record, which the worker reads only once it is
        // published.
        unsafe {
            let to = ring.at(start);
            to.cast::<RequestHead>().write(head);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to.add(HEAD as usize), bytes.len());
        }
        Some(start)
    }

    /// Publishes the requests up to `tail`; returns the number of the worker's sleep if it has to
    /// be woken.
    #[inline]
    pub(crate) fn publish_requests(&self, tail: u32) -> Option<u32> {
        self.words().request_tail.publish(tail);
        // One that waits until its replies are taken is woken then.
        self.sleeper().filter(|sleep| sleep % 4 == 1)
    }

    /// The number of the worker's sleep, if it sleeps or is about to without having seen the
    /// previous store.
    #[inline]
    pub(crate) fn sleeper(&self) -> Option<u32> {
        fence(SeqCst);
        let sleeping = self.theirs().sleeping.load(Relaxed);
        (sleeping % 2 == 1).then_some(sleeping)
    }

    pub(crate) fn wake_worker(&self) {
        self.words().bell.fetch_add(1, Release);
        self.alarm.of_worker().wake(&self.words().bell);
    }

    /// Withdraws a request; returns true if it is certain that it will never run.
    pub(crate) fn withdraw(&self, start: u32, number: u64) -> bool {
        let at = self.request_ring().at(start);
        // SAFETY: a request was written there; both sides treat this word as an atomic once it is
        // published.
        let withdrawn =
            unsafe { &*at.add(std::mem::offset_of!(RequestHead, withdrawn)).cast::<AtomicU32>() };
        withdrawal::withdraw(|| withdrawn.store(1, Relaxed), || self.running(), number)
    }

    /// Twice the number of the last call that the worker started, plus 1 if it is running.
    pub(crate) fn running(&self) -> u64 {
        self.theirs().running.acquired()
    }

    /// The end of the replies.
    pub(crate) fn reply_tail(&self) -> u32 {
        self.theirs().reply_tail.position.acquired()
    }

    #[inline]
    pub(crate) fn has_replies(&self, head: u32) -> bool {
        self.reply_ring().expect(head);
        self.reply_tail() != head
    }

    /// The next reply after `head`: the position of its bytes, and its checked head.
    #[inline]
    pub(crate) fn next_reply(&self, head: u32) -> Result<Option<(u32, ReplyHead)>, Corrupt> {
        let tail = self.theirs().reply_tail.position.acquired();
        if tail == head {
            return Ok(None);
        }
        // SAFETY: a `ReplyHead` is integers, with its length first.
        unsafe { self.reply_ring().next(head, tail, |reply: &ReplyHead| reply.length) }.map(Some)
    }

    /// The bytes of a reply that [`next_reply`](Self::next_reply) found.
    ///
    /// # Safety
    /// It must have been found there with that head, and not been freed since.
    #[inline]
    pub(crate) unsafe fn reply_bytes(&self, start: u32, head: &ReplyHead) -> ReplyBytes {
        let from = self.reply_ring().at(start.wrapping_add(REPLY_HEAD));
        // SAFETY: `next_reply` found that they lie in the ring.
        unsafe { ReplyBytes::copy(from, head.length as usize) }
    }

    /// The items, by their status, that lie in the ring from a record on that
    /// [`next_reply`](Self::next_reply) found, where the next record is, and whether there is one;
    /// `None` if it is alone.
    ///
    /// # Safety
    /// It must have been found there, and not been freed since.
    pub(crate) unsafe fn run(&self, start: u32, item: u32) -> Option<(Run, u32, bool)> {
        let tail = self.theirs().reply_tail.position.acquired();
        let there = tail.wrapping_sub(start).min(Ring::to_end(start)).min(MAX_RUN);
        // SAFETY: that much is in the ring, from `start` on; whatever is there is only copied.
        let copy = unsafe { Copied::bytes(self.reply_ring().at(start), there as usize) };
        let run = Run::of(copy, item)?;
        let next = start.wrapping_add(run.length() as u32);
        Some((run, next, next != tail))
    }

    /// The location of a large reply, from its bytes in the ring.
    ///
    /// # Safety
    /// As for [`reply_bytes`](Self::reply_bytes).
    pub(crate) unsafe fn large_reply(
        &self,
        start: u32,
        head: &ReplyHead,
    ) -> Result<Large, Corrupt> {
        if (head.length as usize) < size_of::<Large>() {
            return Err(Corrupt("a large reply without its place"));
        }
        let from = self.reply_ring().at(start.wrapping_add(REPLY_HEAD));
        // SAFETY: that many bytes are in the ring, aligned to 8; any bytes are a valid `Large`.
        Ok(unsafe { from.cast::<Large>().read_volatile() })
    }

    /// Lets the worker overwrite the replies up to `head`, and wakes it if it sleeps until that. It
    /// does so only behind many of them, so it is enough to look whenever as many were taken since
    /// it was `asked`.
    #[inline]
    pub(crate) fn free_replies(&self, head: u32, asked: &mut u32) {
        self.words().reply_head.store(head, Release);
        if head.wrapping_sub(*asked) >= MUCH {
            *asked = head;
            if self.wants_room() {
                self.wake_worker();
            }
        }
    }

    /// Whether the worker sleeps until replies are taken, or is about to without having seen what
    /// was freed.
    pub(crate) fn wants_room(&self) -> bool {
        self.sleeper().is_some_and(|sleep| sleep % 4 == 3)
    }

    /// Lets a stream's body go on: so many of its items are no longer on the way. Of a stream that
    /// has ended and is still being read, the worker wants to know nothing any more.
    pub(crate) fn grant(&self, number: u64, items: u64) {
        let word = number << COUNT_BITS | items & ((1 << COUNT_BITS) - 1);
        let half = 1 << (u64::BITS - COUNT_BITS - 1);
        let calls_since = |known: u64| {
            (word >> COUNT_BITS << COUNT_BITS).wrapping_sub(known >> COUNT_BITS << COUNT_BITS)
                >> COUNT_BITS
        };
        let is_newer = |known: u64| calls_since(known) < half;
        let granted = &self.words().granted;
        let replace = |known| is_newer(known).then_some(word);
        if granted.fetch_update(Release, Relaxed, replace).is_err() {
            return;
        }
        if self.sleeper().is_some() {
            self.wake_worker();
        }
    }

    /// Has a stream's body end at its next yield.
    pub(crate) fn stop(&self, number: u64) {
        self.words().stopped.store(number, Release);
        if self.sleeper().is_some() {
            self.wake_worker();
        }
    }

    pub(super) fn release_segment(&self, segment: usize) {
        self.words().released[segment].fetch_add(1, Release);
    }

    /// The rendezvous of the worker and whoever takes its replies.
    pub(crate) fn rendezvous(&self) -> Rendezvous<SharedWord<'_>> {
        let shared = |word| SharedWord { word, ringer: self.alarm.of_parent() };
        let (tail, listening) = (&self.theirs().reply_tail.position, &self.words().listening);
        Rendezvous { tail: shared(tail), listening: shared(listening) }
    }

    /// The core that the worker was on when it sent its last reply.
    pub(crate) fn core(&self) -> Option<u32> {
        self.theirs().reply_tail.core()
    }

    /// The description that the worker left of the panic that killed it.
    pub(crate) fn report(&self) -> Option<Vec<u8>> {
        let length = self.theirs().report_length.acquired() as usize;
        if length == 0 || length > WORDS - REPORT {
            return None;
        }
        let mut report = vec![0; length];
        // SAFETY: within the worker's half; the worker is dead and writes nothing more.
        unsafe {
            let from = self.replies.start().add(REPORT);
            std::ptr::copy_nonoverlapping(from, report.as_mut_ptr(), length);
        }
        Some(report)
    }

    /// Whether the worker gave this reason for its end.
    pub(crate) fn is_cause(&self, cause: Cause) -> bool {
        self.theirs().cause.acquired() == cause as u32
    }
}
