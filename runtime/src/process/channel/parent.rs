//! The end that sends requests and takes replies.

use super::*;

impl ParentEnd {
    pub(crate) fn new() -> io::Result<Self> {
        let memory = Memory::new(2 * HALF)?;
        memory.keep_from_forks();
        Ok(Self { memory })
    }

    pub(crate) fn file(&self) -> std::os::fd::BorrowedFd<'_> {
        self.memory.as_fd()
    }

    fn words(&self) -> &ParentWords {
        // SAFETY: the memory starts with them, aligned and zeroed, for as long as it is mapped;
        // they are atomics, which the worker can only read.
        unsafe { &*self.memory.start().cast() }
    }

    fn theirs(&self) -> &WorkerWords {
        // SAFETY: as above, at the start of the worker's half, which this side only reads.
        unsafe { &*self.memory.start().add(HALF).cast() }
    }

    pub(super) fn requests(&self) -> Ring {
        // SAFETY: within the memory.
        Ring(unsafe { self.memory.start().add(WORDS) })
    }

    fn replies(&self) -> Ring {
        // SAFETY: within the memory.
        Ring(unsafe { self.memory.start().add(HALF + WORDS) })
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.theirs().ready.load(Acquire) != 0
    }

    /// Writes a request at `tail` or after and returns its start; `None` while there is no room.
    /// One thread at a time writes, and publishes.
    pub(crate) fn write_request(
        &self,
        tail: u32,
        taken: u32,
        head: &RequestHead,
        bytes: &[u8],
    ) -> Option<u32> {
        debug_assert!(bytes.len() == head.length as usize && bytes.len() <= INLINE_MAX);
        let ring = self.requests();
        let start = ring.place(tail, taken, record(HEAD, head.length))?;
        // SAFETY: `place` found room for the record, which the worker reads only when it is
        // published.
        unsafe {
            let to = ring.at(start);
            to.cast::<RequestHead>().write(*head);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to.add(HEAD as usize), bytes.len());
        }
        Some(start)
    }

    /// Lets the worker see the requests up to `tail`; returns its sleep's number if it has to be
    /// woken for that.
    pub(crate) fn publish_requests(&self, tail: u32) -> Option<u32> {
        self.words().progress.request_tail.publish(tail);
        self.sleeper()
    }

    /// The number of the worker's sleep, if it sleeps, or is about to without having seen what
    /// was stored before.
    pub(crate) fn sleeper(&self) -> Option<u32> {
        fence(SeqCst);
        let sleeping = self.theirs().sleeping.load(Relaxed);
        (sleeping % 2 == 1).then_some(sleeping)
    }

    pub(crate) fn wake_worker(&self) {
        self.words().bell.fetch_add(1, Release);
        ring_bell(&self.words().bell);
    }

    /// A copy of a request's bytes, which nobody but this side writes.
    pub(crate) fn request_bytes(&self, start: u32) -> Box<[u8]> {
        let at = self.requests().at(start);
        // SAFETY: `start` is that of a request that was written and not freed.
        unsafe {
            let length = at.cast::<u32>().read() as usize;
            std::slice::from_raw_parts(at.add(HEAD as usize), length).into()
        }
    }

    /// Takes a request back; true if it is certain that it will never run.
    pub(crate) fn withdraw(&self, start: u32, number: u64) -> bool {
        let at = self.requests().at(start);
        // SAFETY: as above; both sides treat this word as an atomic from when it is published.
        let withdrawn =
            unsafe { &*at.add(std::mem::offset_of!(RequestHead, withdrawn)).cast::<AtomicU32>() };
        withdrawn.store(1, Relaxed);
        // The worker announces what it is going to run and then looks at the word; we set the
        // word and then look at what it announced. One of us sees the other.
        fence(SeqCst);
        self.running() / 2 < number
    }

    /// Twice the number of the latest call that the worker began, and 1 more if it runs.
    pub(crate) fn running(&self) -> u64 {
        self.theirs().running.load(Acquire)
    }

    pub(crate) fn has_replies(&self, head: u32) -> bool {
        self.theirs().reply_tail.position.load(Acquire) != head
    }

    /// The next reply after `head`: where its bytes are, and its head, checked.
    pub(crate) fn next_reply(&self, head: u32) -> Result<Option<(u32, ReplyHead)>, Corrupt> {
        let tail = self.theirs().reply_tail.position.load(Acquire);
        if tail == head {
            return Ok(None);
        }
        // SAFETY: a `ReplyHead` is integers, with its length first.
        unsafe { self.replies().next(head, tail, |reply: &ReplyHead| reply.length) }.map(Some)
    }

    /// The bytes of a reply that [`next_reply`](Self::next_reply) found.
    pub(crate) fn reply_bytes(&self, start: u32) -> *const u8 {
        self.replies().at(start.wrapping_add(REPLY_HEAD))
    }

    /// The worker may write over the replies up to `head`.
    pub(crate) fn free_replies(&self, head: u32) {
        self.words().progress.reply_head.store(head, Release);
    }

    /// Whether the worker sleeps for want of room, or is about to without having seen what was
    /// freed.
    pub(crate) fn wants_room(&self) -> bool {
        self.sleeper().is_some_and(|sleep| sleep % 4 == 3)
    }

    pub(crate) fn release_segment(&self, segment: usize) {
        self.words().released[segment].fetch_add(1, Release);
    }

    /// Says who wants to hear of replies from now on. One thread at a time does.
    pub(crate) fn listen(&self, listener: Listener) {
        let word = &self.words().listening;
        let changes = word.load(Relaxed) / 4;
        word.store(changes.wrapping_add(1) * 4 + listener as u32, Release);
        // Then we look for replies, while the worker writes one and then looks who listens.
        fence(SeqCst);
    }

    /// Sleeps until there is a reply after `head`, or [`wake_joiner`](Self::wake_joiner).
    /// `still` is asked after the thread can be woken.
    pub(crate) fn sleep(&self, head: u32, still: impl Fn() -> bool) {
        if still() {
            sleep_on(&self.theirs().reply_tail.position, head, None);
        }
    }

    /// The core that the worker was on when it sent its last reply.
    pub(crate) fn core(&self) -> u32 {
        self.theirs().reply_tail.core.load(Relaxed)
    }

    /// Wakes the joining thread that sleeps; false if there is none yet.
    pub(crate) fn wake_joiner(&self) -> bool {
        ring_bell(&self.theirs().reply_tail.position) > 0
    }

    /// What the worker left about the panic that killed it.
    pub(crate) fn report(&self) -> Option<Vec<u8>> {
        let length = self.theirs().report_length.load(Acquire) as usize;
        if length == 0 || length > WORDS - REPORT {
            return None;
        }
        let mut report = vec![0; length];
        // SAFETY: within the worker's half; the worker is dead and writes no more.
        unsafe {
            let from = self.memory.start().add(HALF + REPORT);
            std::ptr::copy_nonoverlapping(from, report.as_mut_ptr(), length);
        }
        Some(report)
    }

    pub(crate) fn is_over_limit(&self) -> bool {
        self.theirs().over_limit.load(Acquire) != 0
    }
}
