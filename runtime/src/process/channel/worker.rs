//! The end that takes requests and sends replies.

use super::*;

impl WorkerEnd {
    /// Maps the parent's memories.
    pub(crate) fn open(Kit { to_read, to_write, alarm }: Kit) -> io::Result<Self> {
        let (mut requests, mut replies) = (View::open(to_read)?, Memory::adopt(to_write)?);
        if requests.length() < HALF || replies.length() < HALF {
            return Err(io::Error::other("the parent's memory is too short"));
        }
        requests.keep_from_forks();
        replies.keep_from_forks();
        let (sleeps, seen_taken) = (AtomicU32::new(0), AtomicU32::new(0));
        Ok(Self { requests, replies, alarm, sleeps, seen_taken })
    }

    fn theirs(&self) -> &ParentWords {
        // SAFETY: the half starts with them, for as long as it is mapped. It is mapped read-only,
        // and nothing but relaxed loads and futex calls is done with them.
        unsafe { &*self.requests.start().cast() }
    }

    pub(super) fn words(&self) -> &WorkerWords {
        // SAFETY: as above; this half is ours to write.
        unsafe { &*self.replies.start().cast() }
    }

    fn request_ring(&self) -> Ring {
        // SAFETY: within the half. Nothing is written through it.
        Ring(unsafe { self.requests.start().add(WORDS) }.cast_mut())
    }

    pub(super) fn reply_ring(&self) -> Ring {
        // SAFETY: within the half.
        Ring(unsafe { self.replies.start().add(WORDS) })
    }

    pub(crate) fn set_ready(&self) {
        self.words().ready.store(1, Release);
    }

    /// The call waits for another one, or goes on.
    pub(crate) fn set_waiting(&self, waits: bool) {
        self.words().waiting.store(waits.into(), Release);
    }

    #[inline]
    pub(crate) fn has_requests(&self, head: u32) -> bool {
        self.request_ring().expect(head);
        self.theirs().request_tail.position.acquired() != head
    }

    /// The next request after `head`: its start and its head.
    #[inline]
    pub(crate) fn next_request(&self, head: u32) -> Result<Option<(u32, RequestHead)>, Corrupt> {
        let tail = self.theirs().request_tail.position.acquired();
        if tail == head {
            return Ok(None);
        }
        // SAFETY: a `RequestHead` is integers, with its length first.
        unsafe { self.request_ring().next(head, tail, |request: &RequestHead| request.length) }
            .map(Some)
    }

    pub(crate) fn request_bytes(&self, start: u32) -> *const u8 {
        self.request_ring().at(start.wrapping_add(HEAD))
    }

    /// Announces the call that runs next; returns false if it was withdrawn.
    #[inline]
    pub(crate) fn begin(&self, number: u64, start: u32) -> bool {
        let at = self.request_ring().at(start);
        // SAFETY: `start` is that of a request; the parent treats this word as an atomic.
        let withdrawn =
            unsafe { &*at.add(std::mem::offset_of!(RequestHead, withdrawn)).cast::<AtomicU32>() };
        withdrawal::begin(
            || self.words().running.store(number * 2 + 1, Release),
            || withdrawn.load(Relaxed) != 0,
        )
    }

    pub(crate) fn end(&self, number: u64) {
        self.words().running.store(number * 2, Release);
    }

    /// The word that says how much was granted to the stream that runs.
    pub(crate) fn granted(&self) -> u64 {
        self.theirs().granted.acquired()
    }

    /// How many of the `sent` items of a stream are on the way, by that word.
    pub(crate) fn on_the_way(granted: u64, number: u64, sent: u64) -> u64 {
        if granted >> COUNT_BITS != number << COUNT_BITS >> COUNT_BITS {
            // Of a stream before this one.
            return sent;
        }
        sent.wrapping_sub(granted) & ((1 << COUNT_BITS) - 1)
    }

    /// Whether the call with this number is to end at its next yield.
    pub(crate) fn is_stopped(&self, number: u64) -> bool {
        self.theirs().stopped.acquired() == number
    }

    /// Finds room for a reply of up to `bytes` at or after `tail`: its start, and where its bytes
    /// go.
    #[inline]
    pub(crate) fn place_reply(&self, tail: u32, bytes: u32) -> Option<(u32, *mut u8)> {
        let ring = self.reply_ring();
        let place = |taken| ring.place(tail, taken, record(REPLY_HEAD, bytes));
        let start = place(self.seen_taken.load(Relaxed)).or_else(|| {
            let taken = self.taken();
            self.seen_taken.store(taken, Relaxed);
            place(taken)
        })?;
        Some((start, ring.at(start.wrapping_add(REPLY_HEAD))))
    }

    /// Writes the head of a reply whose bytes are there, and publishes it; returns its end.
    #[inline]
    pub(crate) fn publish_reply(&self, start: u32, head: &ReplyHead) -> u32 {
        // SAFETY: `start` comes from `place_reply`, which found room.
        unsafe { self.reply_ring().at(start).cast::<ReplyHead>().write(*head) };
        let tail = start.wrapping_add(record(REPLY_HEAD, head.length));
        self.words().reply_tail.publish(tail);
        tail
    }

    /// The same for one of many.
    #[inline]
    pub(crate) fn publish_item(&self, start: u32, head: &ReplyHead) -> u32 {
        let tail = self.publish_reply(start, head);
        self.reply_ring().claim(tail);
        tail
    }

    /// The core from which the last request was sent.
    pub(crate) fn core(&self) -> Option<u32> {
        self.theirs().request_tail.core()
    }

    /// How far the parent has read the replies.
    pub(crate) fn taken(&self) -> u32 {
        self.theirs().reply_head.acquired()
    }

    /// Whether there are so many replies up to `tail` that the parent has not taken that it will
    /// say when it has.
    pub(crate) fn is_ahead(&self, tail: u32) -> bool {
        let is_much = |taken| tail.wrapping_sub(taken) >= MUCH;
        is_much(self.seen_taken.load(Relaxed)) && is_much(self.taken())
    }

    /// How far the parent had read the replies when it sent the last request.
    pub(crate) fn note_taken(&self, last: &RequestHead) -> u32 {
        self.seen_taken.store(last.taken, Relaxed);
        last.taken
    }

    /// The rendezvous of this side and whoever takes its replies.
    pub(crate) fn rendezvous(&self) -> Rendezvous<SharedWord<'_>> {
        let shared = |word| SharedWord { word, ringer: self.alarm.of_parent() };
        let (tail, listening) = (&self.words().reply_tail.position, &self.theirs().listening);
        Rendezvous { tail: shared(tail), listening: shared(listening) }
    }

    /// How many messages in one of our segments the parent has finished reading.
    pub(crate) fn released(&self, segment: usize) -> u32 {
        self.theirs().released[segment].acquired()
    }

    /// Sleeps until the parent wakes us or `most` has passed, unless `awaited` (a request, or room)
    /// is already true.
    pub(crate) fn sleep(&self, for_room: bool, most: Option<Duration>, awaited: impl Fn() -> bool) {
        let bell = self.theirs().bell.acquired();
        let sleeping = &self.words().sleeping;
        let awake = self.sleeps.load(Relaxed);
        sleeping.store(awake + if for_room { 3 } else { 1 }, Relaxed);
        fence(SeqCst);
        if !awaited() {
            let sleep = || self.alarm.of_worker().wait(&self.theirs().bell, bell, most);
            self.words().reply_tail.while_asleep(sleep);
        }
        self.sleeps.store(awake.wrapping_add(4), Relaxed);
        sleeping.store(awake.wrapping_add(4), Release);
    }

    /// Leaves a description of a panic, in case it kills this process.
    pub(crate) fn leave_report(&self, report: &[u8]) {
        let length = report.len().min(WORDS - REPORT);
        // SAFETY: within our half, after the words; the parent reads it once we are dead.
        unsafe {
            let to = self.replies.start().add(REPORT);
            std::ptr::copy_nonoverlapping(report.as_ptr(), to, length);
        }
        self.words().report_length.store(length as u32, Release);
    }

    pub(crate) fn clear_report(&self) {
        self.words().report_length.store(0, Relaxed);
    }

    /// Records why this process is about to die. Safe in a signal handler.
    pub(crate) fn set_cause(&self, cause: Cause) {
        self.words().cause.store(cause as u32, Release);
    }
}
