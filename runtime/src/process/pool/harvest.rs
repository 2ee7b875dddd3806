//! Taking replies: by the joining thread, or else by the dispatcher.
//!
//! Whoever holds a worker's desk takes all its replies, for any calls, and sends it more requests.
//! A joining thread takes the desk, polls for a moment, and sleeps on the reply tail, so a call and
//! its result need no hand-over between threads. No values are decoded here, and nothing runs that
//! follows a call's end: that may take long, and make further calls.

#![allow(unsafe_code, reason = "replies in memory that a worker writes")]

use std::cell::Cell;
use std::sync::Arc;

use super::books::Pool;
use super::link::{Desk, Inbox, Link};
use super::outbox::{Answer, Answering, Sent};
use super::request::Request;
use crate::process::channel::{
    Corrupt, GROWN, LARGE, Large, Listener, Loan, REPLY_HEAD, ReplyBytes, ReplyHead, record,
};
use crate::process::job::{Address, AnyCall, Reply, codec_error, status};
use crate::process::platform::{Handle, View};
use crate::sync::MutexGuard;
use crate::{aside, relay, wait};

/// The maximum number of replies to take at once.
const BATCH: usize = 32;

/// Replies that are being taken, and what they answer.
#[derive(Default)]
struct Batch {
    replies: Vec<Brought>,
    answers: Vec<Answer>,
}

/// A reply that was taken off the channel.
struct Brought {
    number: u64,
    /// Until the books have it.
    heading: Option<Answering>,
    reply: Result<Reply, Corrupt>,
}

thread_local! {
    /// A reused buffer.
    static ROOM: Cell<Batch> = Cell::default();
}

impl Pool {
    /// Serves the worker of a call that this thread waits for, as long as that helps.
    pub(crate) fn help(&'static self, call: &dyn AnyCall) {
        while !call.has_news() {
            let address = call.address().load();
            // Not with a worker, or just being withdrawn: whoever changes that sends it on.
            let Some((link, is_alone)) = self.link_of(address) else { return };
            // Another thread holds the desk, and will finish this call as well.
            let Some(mut desk) = link.try_desk() else { return };
            if !is_alone || call.ahead() > 0 {
                // If only one reply is pending, it is taken before the worker would notify anybody.
                link.announce(&mut desk, Listener::Looking);
            }
            let is_wanted = || !call.has_news() && call.address().load() == address;
            self.work(&link, &mut desk, is_wanted);
            self.leave(&link, desk);
            if relay::has_held() {
                aside::take(relay::drain_wakers());
                relay::release();
            }
            if link.is_doomed() {
                return;
            }
        }
    }

    /// Spins for a few microseconds for a call that this thread polls, if it is likely to end in
    /// them. The thread has other tasks, but waking it would take longer.
    pub(crate) fn glance(&'static self, call: &dyn AnyCall) {
        // If the worker has other calls, this one may take any time.
        let Some((link, true)) = self.link_of(call.address().load()) else { return };
        let Some(mut desk) = link.try_desk() else { return };
        if desk.papers.glances.are_worth_it() {
            link.announce(&mut desk, Listener::Looking);
            let Inbox { head, mut glances, .. } = desk.papers;
            glances.glance(|| link.channel.core(), || link.channel.has_replies(head));
            desk.papers.glances = glances;
            self.harvest(&link, &mut desk.papers);
        }
        self.leave(&link, desk);
        if relay::has_held() {
            // An executor's thread runs no code of other tasks either.
            aside::take(relay::drain());
        }
    }

    /// Leaves further replies to the dispatcher, which may have come in vain for those that are
    /// there. Then its bells are read as well: once they filled the socket, the next one would not
    /// be heard.
    pub(super) fn leave<'a>(&'static self, link: &'a Link, desk: MutexGuard<'a, Desk>) {
        link.leave(desk, |desk| {
            read_socket(link, &mut desk.papers);
            self.harvest(link, &mut desk.papers);
        });
    }

    /// Takes what the worker of a call has sent so far. Whoever is at its desk does so anyway.
    pub(crate) fn take_in(&'static self, address: Address) {
        if let Some((link, _)) = self.link_of(address) {
            self.take_once(&link);
        }
        if relay::has_held() {
            aside::take(relay::drain());
        }
    }

    /// Takes what a worker has sent so far, unless somebody is at its desk.
    pub(super) fn take_once(&'static self, link: &Link) {
        let Some(mut desk) = link.try_desk() else { return };
        link.announce(&mut desk, Listener::Looking);
        read_socket(link, &mut desk.papers);
        self.harvest(link, &mut desk.papers);
        self.leave(link, desk);
    }

    fn work(&'static self, link: &Link, desk: &mut Desk, is_wanted: impl Fn() -> bool) {
        loop {
            self.harvest(link, &mut desk.papers);
            let go_on = || is_wanted() && !link.is_doomed();
            if !go_on() || relay::has_held() {
                return;
            }
            let head = desk.papers.head;
            let mut patience = desk.papers.patience;
            let is_done = || link.channel.has_replies(head) || !go_on();
            let sleep = || wait::blocking(|| link.sleep(desk, go_on));
            patience.wait(|| link.channel.core(), is_done, sleep);
            desk.papers.patience = patience;
        }
    }

    /// Takes all available replies; returns how many. Foreign code that follows from that is held
    /// until the desk has been left.
    pub(super) fn harvest(&'static self, link: &Link, inbox: &mut Inbox) -> usize {
        relay::hold(|| self.harvest_all(link, inbox))
    }

    fn harvest_all(&'static self, link: &Link, inbox: &mut Inbox) -> usize {
        let mut taken = 0;
        let mut batch = ROOM.try_with(Cell::take).unwrap_or_default();
        loop {
            match self.take(link, inbox, &mut batch) {
                Ok(0) => break,
                Ok(count) => taken += count,
                Err(Corrupt(what)) => {
                    link.condemn(format!("its worker is corrupt: {what}"));
                    break;
                }
            }
        }
        let _ = ROOM.try_with(|room| room.set(batch));
        taken
    }

    fn take(
        &'static self,
        link: &Link,
        inbox: &mut Inbox,
        batch: &mut Batch,
    ) -> Result<usize, Corrupt> {
        let Batch { replies, answers } = batch;
        replies.clear();
        answers.clear();
        let mut head = inbox.head;
        // All of it first: the worker may change it as soon as it has another call.
        while replies.len() < BATCH {
            let (start, reply) = match link.channel.next_reply(head) {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(corrupt) if replies.is_empty() => return Err(corrupt),
                // What comes before it is right, and it will be found again.
                Err(_) => break,
            };
            head = start.wrapping_add(record(REPLY_HEAD, reply.length));
            let earlier = replies.last().and_then(|earlier| earlier.reply.as_ref().err());
            let brought = match earlier {
                Some(&corrupt) => Err(corrupt),
                None => bring(link, inbox, start, reply),
            };
            let is_grown = reply.flags & GROWN != 0;
            let is_item = reply.status == status::ITEM;
            let heading = Answering { number: reply.number, is_grown, is_item };
            replies.push(Brought { heading: Some(heading), number: reply.number, reply: brought });
        }
        if replies.is_empty() {
            return Ok(0);
        }
        let headings = replies.iter_mut().filter_map(|brought| brought.heading.take());
        let was_asked = self.answered(link, headings, answers);
        let mut result = Ok(replies.len());
        for (brought, answer) in replies.drain(..).zip(answers.drain(..)) {
            let given = match answer {
                Answer::Whole(sent) => self.give_whole(brought.reply, sent),
                Answer::Item(call) => give_item(link, brought, call),
            };
            result = result.and_then(|count| given.map(|()| count));
        }
        inbox.free(link, head);
        if link.unanswered.load(std::sync::atomic::Ordering::Relaxed) == 0 {
            // The remaining replies answer nothing.
            inbox.handles.clear();
        }
        if was_asked {
            result
        } else {
            result.and(Err(Corrupt("it answered a call that it was not sent")))
        }
    }

    /// Gives a reply to the call that it ends.
    fn give_whole(
        &'static self,
        reply: Result<Reply, Corrupt>,
        mut sent: Sent,
    ) -> Result<(), Corrupt> {
        let denies = |reply: &Reply| {
            let has_yielded = |sent: &Sent| sent.request.as_ref().is_some_and(Request::has_yielded);
            reply.status == status::SKIPPED && has_yielded(&sent)
        };
        let reply = match reply {
            Ok(reply) if denies(&reply) => Err(Corrupt("it denied a call that had yielded")),
            reply => reply,
        };
        match reply {
            Ok(reply) => {
                self.give(reply, &mut sent.request);
                Ok(())
            }
            // It has run, with an unknown result.
            Err(corrupt) => {
                if let Some(request) = &sent.request {
                    let why = format!("its worker is corrupt: {}", corrupt.0);
                    let error = codec_error(request.call.function().name(), &why);
                    request.call.fail(error);
                }
                Err(corrupt)
            }
        }
    }

    /// Gives a reply to the call that waits for it, if one does.
    fn give(&'static self, reply: Reply, request: &mut Option<Request>) {
        let is_skipped = reply.status == status::SKIPPED;
        if let Some(request) = request.as_ref().filter(|_| !is_skipped) {
            request.call.complete(reply);
        }
        // A call that was taken back, but then the caller changed its mind, or never knew.
        if let Some(request) = request.take_if(|request| is_skipped && !request.call.is_finished())
        {
            self.resubmit(request);
        }
    }
}

/// The contents of a reply, taken off the channel.
fn bring(link: &Link, inbox: &mut Inbox, start: u32, head: ReplyHead) -> Result<Reply, Corrupt> {
    let mut handles = receive(link, inbox, usize::from(head.handles))?;
    let bytes = if head.flags & LARGE == 0 {
        // SAFETY: `next_reply` found it, and it is freed after this.
        unsafe { link.channel.reply_bytes(start, &head) }
    } else {
        // SAFETY: as above.
        let large = unsafe { link.channel.large_reply(start, &head) }?;
        ReplyBytes::Loan(find(link, inbox, large, &mut handles)?)
    };
    Ok(Reply { status: head.status, bytes, handles })
}

/// The location of a large reply.
fn find(
    link: &Link,
    inbox: &mut Inbox,
    large: Large,
    handles: &mut Vec<Handle>,
) -> Result<Loan, Corrupt> {
    let length =
        usize::try_from(large.length).map_err(|_| Corrupt("a reply has an impossible length"))?;
    let sent = if large.sent == 0 { None } else { handles.pop() };
    let opened = sent.map(View::open).transpose();
    let opened = opened.map_err(|_| Corrupt("a handle that is not memory"))?;
    let number = large.segment as usize;
    let Some(known) = inbox.segments.get_mut(number) else {
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
    Ok(Loan::new(Arc::clone(view), length, Some((Arc::clone(&link.channel), number))))
}

/// Takes handles from the socket, where they arrive before the reply does.
fn receive(link: &Link, inbox: &mut Inbox, count: usize) -> Result<Vec<Handle>, Corrupt> {
    while inbox.handles.len() < count {
        match link.socket.try_receive() {
            Ok(packet) if !inbox.is_flooded => {
                if !inbox.note(link, packet) {
                    return Err(Corrupt("a reply's handles are missing"));
                }
            }
            Ok(_) => return Err(Corrupt("it sent too many handles")),
            Err(_) => return Err(Corrupt("a reply's handles are missing")),
        }
    }
    Ok(inbox.handles.drain(..count).collect())
}

/// Reads everything from the socket.
pub(super) fn read_socket(link: &Link, inbox: &mut Inbox) {
    while let Ok(packet) = link.socket.try_receive()
        && inbox.note(link, packet)
    {}
}

/// Gives an item to the call that yields it, if somebody wants it.
fn give_item(link: &Link, brought: Brought, call: Option<Arc<dyn AnyCall>>) -> Result<(), Corrupt> {
    let item = brought.reply?;
    let take = |call: Arc<dyn AnyCall>| call.take_item(&link.channel, brought.number, item);
    if call.is_none_or(take) { Ok(()) } else { Err(Corrupt("it yields more than it may")) }
}
