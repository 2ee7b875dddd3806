//! The requests that were sent to a worker and not answered yet: the parent's own record of what is
//! in the channel. Protected by the pool's lock.

use std::collections::VecDeque;
use std::io;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::chance::{Chance, ROUND};
use super::link::Link;
use super::renewal::Renewal;
use super::request::Request;
use crate::function::Function;
use crate::process::address::Address;
use crate::process::channel::{Corrupt, HEAD, LARGE, Large, RING, ReplyBytes, RequestHead, record};
use crate::process::job::{AnyCall, Reply, status};
use crate::process::platform::{self, Handle, PACKET_HANDLES};
use crate::process::segment::{SEGMENTS, Segment};
use crate::process::value::message::Bytes;
use crate::process::value::output::MAX_INLINE;

/// The maximum number of calls that a worker holds. Others stay claimable until some worker is
/// free.
const MAX_CALLS: usize = 1024;
/// The maximum number of calls with large arguments among them.
const MAX_LARGE: usize = 4;

/// A request in the ring.
pub(crate) struct Sent {
    /// `None` if it was withdrawn and only its answer is pending.
    pub(crate) request: Option<Request>,
    start: u32,
    end: u32,
    is_large: bool,
}

/// A reply that was taken off the channel.
pub(super) struct Brought {
    pub(super) number: u64,
    /// The worker has grown too large.
    pub(super) is_grown: bool,
    /// It has forked a child, which may go on reading the arguments.
    pub(super) has_forked: bool,
    /// It is an item of a stream.
    pub(super) is_item: bool,
    pub(super) contents: Result<Reply, Corrupt>,
    /// What it is of, once the books have said so.
    pub(super) answer: Option<Answer>,
}

impl Brought {
    /// Items of a stream.
    pub(super) fn items(number: u64, bytes: ReplyBytes) -> Self {
        let reply = Reply { status: status::ITEM, bytes, handles: Vec::new() };
        let (is_grown, has_forked) = (false, false);
        Self { number, is_grown, has_forked, is_item: true, contents: Ok(reply), answer: None }
    }
}

/// What a reply is of.
pub(super) enum Answer {
    /// A call, if somebody wants it.
    Whole(Option<Request>),
    /// An item of a call that goes on, if somebody wants it.
    Item(Option<Arc<dyn AnyCall>>),
}

// The compiler moves up to that much without a call of `memcpy`.
const _: () = assert!(size_of::<Sent>() <= 128 && size_of::<Option<Answer>>() <= 128);

/// Why a request was not sent.
pub(crate) enum NotSent {
    /// There is no room until something is answered.
    Full(Box<Request>),
    /// The worker is gone, which the dispatcher will find out.
    Gone(Box<Request>),
    Failed(Box<Request>, String),
}

/// A worker in the pool's books.
pub(crate) struct Outbox {
    pub(crate) link: Arc<Link>,
    pub(crate) unanswered: VecDeque<Sent>,
    /// The number of the first of them.
    pub(crate) first: u64,
    /// The end of the requests, and of those that were answered.
    tail: u32,
    taken: u32,
    large: usize,
    /// The last sleep that it was woken from.
    woken: u32,
    /// The function of the last call that was sent, and so of all that are unanswered.
    latest: Option<&'static Function>,
    /// The state of its replacement.
    pub(crate) renewal: Renewal,
    /// The number that was next at the last check, and its worker's chance to begin it.
    stalled: Option<(u64, Chance)>,
}

impl Outbox {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            unanswered: VecDeque::new(),
            first: 1,
            tail: 0,
            taken: 0,
            large: 0,
            woken: 0,
            latest: None,
            renewal: Renewal::default(),
            stalled: None,
        }
    }

    /// Whether a call can be sent now.
    pub(crate) fn has_room(&self) -> bool {
        let used = self.tail.wrapping_sub(self.taken);
        // Twice, since a record may have to skip that much to stay contiguous.
        self.unanswered.len() < MAX_CALLS
            && self.large < MAX_LARGE
            && used + 2 * record(HEAD, MAX_INLINE as u32) <= RING
    }

    /// For those who ask without the books.
    fn tell_load(&self) {
        self.link.unanswered.store(self.unanswered.len(), Ordering::Relaxed);
        self.link.is_full.store(!self.has_room(), Ordering::Relaxed);
    }

    /// Whether any call was ever sent.
    pub(crate) fn is_used(&self) -> bool {
        self.latest.is_some()
    }

    /// Whether the unanswered calls are of this function.
    pub(crate) fn is_serving(&self, function: &'static Function) -> bool {
        self.latest.is_some_and(|latest| ptr::eq(latest, function))
    }

    /// The number of the last call sent.
    pub(crate) fn last(&self) -> u64 {
        self.first + self.unanswered.len() as u64 - 1
    }

    /// Sends a call. Returns whether the worker has to be woken.
    pub(crate) fn send(&mut self, request: Request) -> Result<bool, NotSent> {
        let number = self.last() + 1;
        let residence = request.call.stay().map(|(residence, _)| residence);
        let mut head = RequestHead {
            number,
            invoke: request.job.invoke,
            body: request.job.body,
            size_limit: request.size_limit(residence),
            ahead: request.call.ahead(),
            flags: request.call.flags(),
            ..RequestHead::default()
        };
        // It goes into the books first: it is moved once, and that is most of what sending costs.
        let sent = Sent { request: Some(request), start: 0, end: 0, is_large: false };
        self.unanswered.push_back(sent);
        match self.write_last(&mut head) {
            Ok(Some(start)) => Ok(self.publish_last(start, &head)),
            // Only answers make room; if none are pending, there never will be any.
            Ok(None) => Err(match self.take_last() {
                request if self.unanswered.is_empty() => {
                    NotSent::Failed(request, "it is too large".into())
                }
                request => NotSent::Full(request),
            }),
            Err(Unsent::Gone) => Err(NotSent::Gone(self.take_last())),
            Err(Unsent::Failed(why)) => Err(NotSent::Failed(self.take_last(), why)),
        }
    }

    fn take_last(&mut self) -> Box<Request> {
        let last = self.unanswered.pop_back().and_then(|sent| sent.request);
        last.expect("it was put there a moment ago").into()
    }

    fn publish_last(&mut self, start: u32, head: &RequestHead) -> bool {
        let end = start.wrapping_add(record(HEAD, head.length));
        let is_large = head.flags & LARGE != 0;
        if let Some(last) = self.unanswered.back_mut() {
            (last.start, last.end, last.is_large) = (start, end, is_large);
            if let Some(request) = &last.request {
                request.call.address().store(Address::new(self.link.key, head.number));
                request.call.goes_to(self.link.process.id());
                self.latest = Some(request.call.function());
            }
        }
        (self.tail, self.large) = (end, self.large + usize::from(is_large));
        self.tell_load();
        let sleeper = self.link.channel.publish_requests(end);
        sleeper.is_some_and(|sleep| std::mem::replace(&mut self.woken, sleep) != sleep)
    }

    /// Writes the last request, unpublished; where it starts, or `None` while there is no room.
    fn write_last(&mut self, head: &mut RequestHead) -> Result<Option<u32>, Unsent> {
        let are_others = self.unanswered.len() > 1;
        let Some(Sent { request: Some(request), .. }) = self.unanswered.back_mut() else {
            return Ok(None);
        };
        let message = &mut request.job.message;
        let is_inline = message.bytes.private().is_some_and(|bytes| bytes.len() <= MAX_INLINE);
        let (mut place, mut memory) = (Large::default(), None);
        if !is_inline {
            head.flags |= LARGE;
            (place, memory) = place_in_memory(&self.link, &mut message.bytes)
                .map_err(|error| Unsent::Failed(error.to_string()))?;
        }
        let bytes = match message.bytes.private() {
            Some(bytes) if is_inline => bytes,
            _ => place.as_bytes(),
        };
        let handles: Vec<&Handle> = if message.files.is_empty() && memory.is_none() {
            Vec::new()
        } else {
            message.files.iter().map(|file| &**file).chain(&memory).collect()
        };
        head.length = bytes.len() as u32;
        let too_many = |_| Unsent::Failed("it has too many shared slices".to_owned());
        head.handles = u16::try_from(handles.len()).map_err(too_many)?;
        let Some(start) = self.link.channel.write_request(self.tail, self.taken, head, bytes)
        else {
            return Ok(None);
        };
        if !handles.is_empty() && !send_handles(&self.link, &handles, are_others)? {
            return Ok(None);
        }
        if let Bytes::Segment(lent, _) = &message.bytes {
            lent.segment().note_sent(place.segment);
        }
        Ok(Some(start))
    }

    /// Takes the request that the reply with this number answers, if somebody wants it.
    pub(crate) fn answered(&mut self, number: u64) -> Option<Option<Request>> {
        if number != self.first {
            return None;
        }
        let sent = self.unanswered.pop_front()?;
        self.first += 1;
        self.taken = sent.end;
        self.large -= usize::from(sent.is_large);
        self.tell_load();
        Some(sent.request)
    }

    /// The call that yields under this number, if it is the next to be answered, and somebody
    /// wants it.
    pub(crate) fn yielded(&self, number: u64) -> Option<Option<Arc<dyn AnyCall>>> {
        let sent = self.unanswered.front().filter(|_| number == self.first)?;
        Some(sent.request.as_ref().map(|request| Arc::clone(&request.call)))
    }

    /// A request that was sent and not answered.
    pub(crate) fn sent(&mut self, number: u64) -> Option<&mut Sent> {
        let index = number.checked_sub(self.first)?;
        self.unanswered.get_mut(usize::try_from(index).ok()?)
    }

    /// Withdraws a call if it is certain that it will not run here.
    pub(crate) fn withdraw(&mut self, number: u64) -> bool {
        let link = Arc::clone(&self.link);
        let is_noted = self.sent(number).is_some_and(|sent| {
            // Whatever it says then, it has seen this or will.
            link.channel.withdraw(sent.start, number)
        });
        is_noted && self.latest().is_some()
    }

    /// The latest call that the worker has begun, by its own word; `None` if that word cannot be
    /// right: it has begun what it has answered, and nothing that it was not sent.
    fn latest(&self) -> Option<u64> {
        let latest = self.link.channel.running() / 2;
        (self.first - 1..=self.last()).contains(&latest).then_some(latest)
    }

    /// Whether its worker says what cannot be right. It gets no more calls: nobody could tell
    /// which of them have begun.
    pub(crate) fn is_corrupt(&self) -> bool {
        self.latest().is_none()
    }

    /// Withdraws up to `count` calls from that number on, the last first, to be sent elsewhere;
    /// stops at one that may have started.
    pub(crate) fn withdraw_from(&mut self, number: u64, count: usize) -> Vec<Request> {
        let mut taken = Vec::new();
        let from = number.saturating_sub(self.first) as usize;
        for index in (from..self.unanswered.len()).rev() {
            if taken.len() == count {
                break;
            }
            if self.unanswered[index].request.is_none() {
                continue;
            }
            let (start, number) = (self.unanswered[index].start, self.first + index as u64);
            if !self.link.channel.withdraw(start, number) {
                break;
            }
            if let Some(request) = self.unanswered[index].request.take() {
                request.come_back();
                taken.push(request);
            }
        }
        taken
    }

    /// How many calls are behind the next to be answered, without withdrawn ones.
    pub(crate) fn waiting(&self) -> usize {
        self.unanswered.iter().skip(1).filter(|sent| sent.request.is_some()).count()
    }

    /// How many of the unanswered calls may have begun, according to the worker. A crash leaves
    /// one; more where the worker was stopped for what it did, and its replies are not believed.
    /// All of them if a body wrote over the words that say so: none may run twice. That includes a
    /// call that was sent to such a worker when it was dead and nobody had heard of it. To know,
    /// one would have to look at its words or its process before each call is sent, which costs
    /// every call; the words are looked at when a call is ended.
    pub(crate) fn begun(&self) -> usize {
        let latest = self.latest().filter(|_| self.link.channel.is_ready());
        let begun = latest.map_or(u64::MAX, |latest| latest + 1 - self.first);
        usize::try_from(begun).unwrap_or(usize::MAX).min(self.unanswered.len())
    }

    /// Whether the worker has had something to do, and a chance of that length to do it, and
    /// neither starts nor answers it. A running call may take any time. Looks once in a round.
    pub(crate) fn is_stalled(&mut self, most: Duration) -> bool {
        let runs = self.link.channel.running() == self.first * 2 + 1;
        if self.unanswered.is_empty() || runs || !self.link.has_served() {
            self.stalled = None;
            return false;
        }
        let process = &self.link.process;
        match &mut self.stalled {
            Some((next, chance)) if *next == self.first => chance.look(process) >= most,
            stalled => {
                *stalled = Some((self.first, Chance::new(process, ROUND)));
                false
            }
        }
    }
}

/// Why a request was not written, apart from room.
enum Unsent {
    Gone,
    Failed(String),
}

/// Sends handles before the request is published; returns false if that is not possible now.
fn send_handles(link: &Link, handles: &[&Handle], are_others: bool) -> Result<bool, Unsent> {
    let is_one_packet = handles.len() <= PACKET_HANDLES;
    if !is_one_packet && are_others {
        // If only some got through, they would be taken for another call's. If no call is pending,
        // the worker can be replaced.
        return Ok(false);
    }
    match link.socket.try_send(handles) {
        Ok(()) => Ok(true),
        Err(_) if is_one_packet && are_others => Ok(false),
        Err(error) => {
            link.kill();
            use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
            Err(match error.kind() {
                BrokenPipe | ConnectionReset | NotConnected => Unsent::Gone,
                _ => Unsent::Failed(format!("its shared slices cannot be sent: {error}")),
            })
        }
    }
}

/// Places a message that is too long for the ring: returns its location, and the memory if that has
/// to be sent along. Bytes that another worker has seen, or may see, are copied.
fn place_in_memory(link: &Link, bytes: &mut Bytes) -> io::Result<(Large, Option<Handle>)> {
    let reader = &link.reader;
    if let Bytes::Segment(lent, length) = bytes
        && !lent.segment().is_for(reader)
        && let Some(segment) = Segment::take_for(reader, *length)
    {
        segment.fill(bytes.as_slice());
        *bytes = Bytes::in_segment(segment, bytes.as_slice().len());
    }
    match bytes {
        Bytes::Segment(lent, length) if lent.segment().is_for(reader) => {
            let segment = lent.segment();
            let memory = (!segment.is_known()).then(|| segment.memory.share()).transpose()?;
            let (length, number) = (*length as u64, segment.number() as u32);
            Ok((Large { length, segment: number, sent: memory.is_some().into() }, memory))
        }
        bytes => {
            let bytes = bytes.as_slice();
            let large = Large { length: bytes.len() as u64, segment: SEGMENTS as u32, sent: 1 };
            Ok((large, Some(platform::freeze(bytes)?)))
        }
    }
}
