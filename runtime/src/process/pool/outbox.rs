//! What was sent to a worker and not yet answered. Lives under the pool's lock.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::net::SendFlags;

use super::link::Link;
use crate::limit::Place;
use crate::process::call::{Job, Pending, sent};
use crate::process::channel::{HEAD, LARGE, Large, RING, RequestHead, record};
use crate::process::linux::control;
use crate::process::linux::memory::SEGMENTS;
use crate::process::value::message::{Bytes, Message};
use crate::process::value::output::INLINE_MAX;
use crate::process::worker::one_file;
use crate::timer::Alarm;

/// The most calls that a worker holds. What is left is claimable, and goes where it is free.
const CALLS_MAX: usize = 1024;
/// The most calls with large arguments among them.
const LARGE_MAX: usize = 4;

/// A call that was claimed.
pub(crate) struct Claimed {
    pub(crate) call: Arc<dyn Pending>,
    pub(crate) job: Job,
    pub(crate) place: Place,
    pub(crate) alarm: Option<Alarm>,
    /// How often it was sent and did not run.
    pub(crate) returned: u32,
}

/// A call that was sent.
pub(crate) struct Entry {
    /// `None` when it was taken back: only its answer is to come.
    pub(crate) call: Option<Arc<dyn Pending>>,
    pub(crate) place: Place,
    start: u32,
    end: u32,
    invoke: i64,
    body: i64,
    returned: u32,
    more: Option<Box<More>>,
}

/// What is left of a call that was taken back for good.
pub(crate) type GivenUp = (Option<Arc<dyn Pending>>, Place, Option<Alarm>);

/// What few calls have.
pub(crate) struct More {
    alarm: Option<Alarm>,
    /// Bytes outside of the ring, and files.
    message: Option<Message>,
    is_large: bool,
}

/// A worker in the pool's books.
pub(crate) struct Slot {
    pub(crate) link: Arc<Link>,
    pub(crate) pending: VecDeque<Entry>,
    /// The number of the first of them.
    pub(crate) first: u64,
    /// The end of the requests, and of those that were answered.
    tail: u32,
    taken: u32,
    /// Which of the pool's segments the worker has.
    known: [bool; SEGMENTS],
    large: usize,
    /// The last of its sleeps that it was woken from.
    woken: u32,
    /// Whether anything was sent ever.
    pub(crate) used: bool,
}

impl Slot {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            pending: VecDeque::new(),
            first: 1,
            tail: 0,
            taken: 0,
            known: [false; SEGMENTS],
            large: 0,
            woken: 0,
            used: false,
        }
    }

    /// Whether any call could be sent now.
    pub(crate) fn has_room(&self) -> bool {
        let used = self.tail.wrapping_sub(self.taken);
        // Twice, since a record may have to skip as much to be in one piece.
        self.pending.len() < CALLS_MAX
            && self.large < LARGE_MAX
            && used + 2 * record(HEAD, INLINE_MAX as u32) <= RING
    }

    /// Sends a call; gives it back when the worker cannot take it now. Says whether the worker
    /// has to be woken.
    pub(crate) fn send(&mut self, claimed: Claimed) -> Result<bool, Box<Claimed>> {
        let number = self.first + self.pending.len() as u64;
        let mut head = RequestHead {
            length: 0,
            flags: 0,
            files: claimed.job.message.files.len() as u16,
            number,
            invoke: claimed.job.invoke,
            body: claimed.job.body,
            withdrawn: 0,
            reserved: 0,
        };
        let bytes = claimed.job.message.bytes.private();
        let written = match bytes.filter(|bytes| bytes.len() <= INLINE_MAX) {
            Some(bytes) => {
                head.length = bytes.len() as u32;
                if head.files > 0 && !self.send_files(&claimed.job.message, None) {
                    return Err(Box::new(claimed));
                }
                self.link.channel.write_request(self.tail, self.taken, &head, bytes)
            }
            None => self.write_large(&mut head, &claimed.job.message),
        };
        let Some(start) = written else {
            return Err(Box::new(claimed));
        };
        let end = start.wrapping_add(record(HEAD, head.length));
        self.book(number, start, end, head.flags & LARGE != 0, claimed);
        self.tail = end;
        let sleeper = self.link.channel.publish_requests(end);
        Ok(sleeper.is_some_and(|sleep| std::mem::replace(&mut self.woken, sleep) != sleep))
    }

    fn book(&mut self, number: u64, start: u32, end: u32, is_large: bool, claimed: Claimed) {
        let Claimed { call, job, place, alarm, returned } = claimed;
        call.sent().store(sent(self.link.key, number), Ordering::Release);
        let outside = is_large || !job.message.files.is_empty();
        self.large += usize::from(is_large);
        self.used = true;
        let more = (alarm.is_some() || outside)
            .then(|| Box::new(More { alarm, message: outside.then_some(job.message), is_large }));
        let (invoke, body) = (job.invoke, job.body);
        self.pending.push_back(Entry {
            call: Some(call),
            place,
            start,
            end,
            invoke,
            body,
            returned,
            more,
        });
    }

    /// Sends the files of a message, with one more; false if they do not get through now.
    fn send_files(&self, message: &Message, last: Option<BorrowedFd<'_>>) -> bool {
        let files: Vec<_> = message.files.iter().map(|file| file.as_fd()).chain(last).collect();
        control::send_files(self.link.control.as_fd(), &files, SendFlags::DONTWAIT).is_ok()
    }

    fn write_large(&mut self, head: &mut RequestHead, message: &Message) -> Option<u32> {
        let single;
        let (file, large) = match &message.bytes {
            Bytes::Segment(lent, length) => {
                let number = lent.segment().number();
                let known = std::mem::replace(&mut self.known[number], true);
                let sent = u32::from(!known);
                let large = Large { length: *length as u64, segment: number as u32, sent };
                ((!known).then(|| lent.segment().memory.as_fd()), large)
            }
            bytes => {
                let bytes = bytes.private()?;
                single = one_file(bytes).ok()?;
                let length = bytes.len() as u64;
                (Some(single.as_fd()), Large { length, segment: SEGMENTS as u32, sent: 1 })
            }
        };
        head.flags = LARGE;
        head.length = size_of::<Large>() as u32;
        head.files += u16::from(file.is_some());
        if head.files > 0 && !self.send_files(message, file) {
            if let Some(known) = self.known.get_mut(large.segment as usize) {
                *known &= large.sent == 0;
            }
            return None;
        }
        // SAFETY: it is integers without padding.
        let bytes = unsafe {
            std::slice::from_raw_parts((&raw const large).cast::<u8>(), size_of::<Large>())
        };
        self.link.channel.write_request(self.tail, self.taken, head, bytes)
    }

    /// Takes the entry that the reply with this number answers.
    pub(crate) fn answered(&mut self, number: u64) -> Option<Entry> {
        if number != self.first {
            return None;
        }
        let entry = self.pending.pop_front()?;
        self.first += 1;
        self.forget(&entry);
        Some(entry)
    }

    fn forget(&mut self, entry: &Entry) {
        self.taken = entry.end;
        self.large -= usize::from(entry.more.as_ref().is_some_and(|more| more.is_large));
    }

    /// The entry of a call that was sent and not answered.
    pub(crate) fn entry(&mut self, number: u64) -> Option<&mut Entry> {
        let index = number.checked_sub(self.first)?;
        self.pending.get_mut(usize::try_from(index).ok()?)
    }

    /// Takes a call back if it is certain that it will not run here.
    pub(crate) fn withdraw(&mut self, number: u64) -> bool {
        let link = Arc::clone(&self.link);
        self.entry(number).is_some_and(|entry| link.channel.withdraw(entry.start, number))
    }

    /// Takes back up to `count` calls that come after that number, from the end, to be sent
    /// elsewhere; stops at one that may have begun.
    pub(crate) fn withdraw_after(&mut self, number: u64, count: usize) -> Vec<Claimed> {
        let mut taken = Vec::new();
        let link = Arc::clone(&self.link);
        let after = number.saturating_sub(self.first) as usize + 1;
        for index in (after..self.pending.len()).rev() {
            if taken.len() == count {
                break;
            }
            let number = self.first + index as u64;
            let entry = &mut self.pending[index];
            if entry.call.is_none() {
                continue;
            }
            if !link.channel.withdraw(entry.start, number) {
                break;
            }
            taken.extend(entry.reclaim(&link));
        }
        taken
    }

    /// How many calls lie behind the one whose turn it is, without those that were taken back.
    pub(crate) fn waiting(&self) -> usize {
        self.pending.iter().skip(1).filter(|entry| entry.call.is_some()).count()
    }

    /// Everything that was not answered, when the worker is dead.
    pub(crate) fn into_pending(self) -> impl Iterator<Item = Entry> {
        self.pending.into_iter()
    }
}

impl Entry {
    /// Keeps the alarm until the call has been answered. Gives it back if the call has one.
    pub(crate) fn set_alarm(&mut self, alarm: Option<Alarm>) -> Option<Alarm> {
        let more = self
            .more
            .get_or_insert_with(|| Box::new(More { alarm: None, message: None, is_large: false }));
        std::mem::replace(&mut more.alarm, alarm)
    }

    /// Lets go of a call that was taken back and will not be sent again. What is returned is to be
    /// dropped without the pool's lock: it may run other people's code.
    pub(crate) fn give_up(&mut self) -> GivenUp {
        let alarm = self.more.as_mut().and_then(|more| more.alarm.take());
        (self.call.take(), std::mem::replace(&mut self.place, Place(None)), alarm)
    }

    /// Makes it what it was before it was sent. Its files stay with what was sent; they are
    /// shared.
    pub(crate) fn reclaim(&mut self, link: &Link) -> Option<Claimed> {
        let call = self.call.take()?;
        let place = std::mem::replace(&mut self.place, Place(None));
        let more = self.more.as_mut();
        let (alarm, message) =
            more.map_or((None, None), |more| (more.alarm.take(), more.message.take()));
        let message = message.unwrap_or_else(|| Message {
            bytes: Bytes::new(&link.channel.request_bytes(self.start)),
            files: Vec::new(),
        });
        call.sent().store(0, Ordering::Release);
        let job = Job { message, invoke: self.invoke, body: self.body };
        Some(Claimed { call, job, place, alarm, returned: self.returned + 1 })
    }
}
