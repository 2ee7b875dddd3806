//! Taking replies: by the joining thread, or else by the dispatcher.
//!
//! Whoever holds a worker's desk takes all its replies, for any calls, and sends it more requests.
//! A joining thread takes the desk, polls for a moment, and sleeps on the reply tail, so a call and
//! its result need no hand-over between threads. No values are decoded at a desk, and nothing runs
//! there that follows a call's end: that may take long, and make further calls. Once it has been
//! left, a joining thread does what follows the end of its own call, which may be closures that it
//! waits for. What follows the ends of others is nothing to it (`relay::settle`).

#![allow(unsafe_code, reason = "replies in memory that a worker writes")]

use std::cell::Cell;
use std::sync::Arc;

use super::books::Pool;
use super::joined::Joined;
use super::link::{Desk, Inbox, Link};
use super::outbox::{Answer, Brought};
use super::request::Request;
use crate::process::address::Address;
use crate::process::channel::{
    Corrupt, FORKED, GROWN, Listener, REPLY_HEAD, RING, ReplyBytes, ReplyHead, record,
};
use crate::process::job::{AnyCall, Reply, status};
use crate::process::platform::Handle;
use crate::process::spin;
use crate::sync::MutexGuard;
use crate::{relay, timer, wait};

/// The maximum number of replies to take at once.
const BATCH: usize = 32;
/// For how many batches in a row: as many as a full ring can be. Others have replies too.
const MAX_BATCHES: usize = (RING / REPLY_HEAD) as usize / BATCH + 1;
/// The maximum number of packets to read at once. A socket holds a few hundred, and a worker that
/// does nothing wrong sends no more while they are read.
const MAX_PACKETS: usize = 4096;

thread_local! {
    /// A reused buffer.
    static ROOM: Cell<Vec<Brought>> = const { Cell::new(Vec::new()) };
}

impl Pool {
    /// Serves the worker of a call that this thread waits for, as long as that helps.
    pub(crate) fn help(&'static self, call: &dyn AnyCall) {
        self.attend(call, &Joined::new(call));
    }

    /// Serves the worker of a call that is to end before the one that this thread waits for.
    pub(crate) fn assist(&'static self, call: &dyn AnyCall) {
        self.attend(call, &Joined::none());
    }

    fn attend(&'static self, call: &dyn AnyCall, joined: &Joined<'_>) {
        while !call.has_news() && !timer::needs_stand_in() {
            let address = call.address().load();
            // Not with a worker, or just being withdrawn: whoever changes that sends it on.
            let Some((link, is_alone)) = self.link_of(address) else { return };
            // Another thread holds the desk, and will finish this call as well.
            let Some(mut desk) = link.try_desk() else { return };
            // Many items come, and this thread goes to and fro. The worker, which looks at what is
            // said of that after each item, is not told each time.
            let comes_back = desk.papers.item_size > 0 && desk.is_left_to_reader();
            if !is_alone || call.ahead() > 0 && !comes_back {
                // If only one reply is pending, it is taken before the worker would notify anybody.
                link.announce(&mut desk, Listener::Looking);
            }
            let goes_on = || {
                // Where no thread keeps the time, whoever waits does; nobody can at a desk.
                !call.is_finished() && call.address().load() == address && !timer::needs_stand_in()
            };
            relay::as_bystander(|| {
                self.work(&link, &mut desk, call, joined, goes_on);
                if is_alone && call.ahead() > 0 {
                    let take = |desk: &mut Desk| _ = self.harvest(&link, &mut desk.papers, joined);
                    link.leave_to_read(desk, take, || link.runs(address), || !call.is_finished());
                } else {
                    self.leave(&link, desk, joined);
                }
            });
            joined.follow();
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
        relay::as_bystander(|| {
            if desk.papers.glances.are_worth_it() {
                link.announce(&mut desk, Listener::Looking);
                let Inbox { head, mut glances, .. } = desk.papers;
                glances.glance(|| link.channel.core(), || link.channel.has_replies(head));
                desk.papers.glances = glances;
                self.harvest(&link, &mut desk.papers, &Joined::none());
            }
            self.leave(&link, desk, &Joined::none());
        });
    }

    /// Leaves further replies to the dispatcher, which may have come in vain for those that are
    /// there. Then its bells are read as well: once they filled the socket, the next one would not
    /// be heard.
    pub(super) fn leave<'a>(
        &'static self,
        link: &'a Link,
        desk: MutexGuard<'a, Desk>,
        joined: &Joined<'_>,
    ) {
        link.leave(desk, |desk| {
            read_socket(link, &mut desk.papers);
            self.greet(link);
            self.harvest(link, &mut desk.papers, joined);
        });
    }

    /// Takes what the worker of a call has sent so far. Whoever is at its desk does so anyway.
    pub(crate) fn take_in(&'static self, address: Address) {
        if let Some((link, _)) = self.link_of(address) {
            relay::as_bystander(|| self.take_once(&link));
        }
    }

    /// Takes what a worker has sent so far, unless somebody is at its desk.
    pub(super) fn take_once(&'static self, link: &Link) {
        let Some(mut desk) = link.try_desk() else { return };
        link.announce(&mut desk, Listener::Looking);
        read_socket(link, &mut desk.papers);
        self.greet(link);
        self.harvest(link, &mut desk.papers, &Joined::none());
        self.leave(link, desk, &Joined::none());
    }

    /// Takes replies until there is news of the call, or it does not go on here.
    fn work(
        &'static self,
        link: &Link,
        desk: &mut Desk,
        call: &dyn AnyCall,
        joined: &Joined<'_>,
        goes_on: impl Fn() -> bool,
    ) {
        let go_on = || goes_on() && !link.is_doomed();
        loop {
            if desk.papers.item_size > 0 {
                await_more_items(link, &desk.papers, call.ahead());
            }
            if link.channel.has_replies(desk.papers.head) {
                self.harvest(link, &mut desk.papers, joined);
            }
            if call.has_news() || !go_on() || relay::has_gathered() {
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

    /// Takes all available replies; returns how many. What follows from that waits until the desk
    /// has been left: the caller holds it.
    pub(super) fn harvest(
        &'static self,
        link: &Link,
        inbox: &mut Inbox,
        joined: &Joined<'_>,
    ) -> usize {
        let mut taken = 0;
        let mut replies = ROOM.try_with(Cell::take).unwrap_or_default();
        for _ in 0..MAX_BATCHES {
            match self.take(link, inbox, &mut replies, joined) {
                Ok(BATCH) => taken += BATCH,
                Ok(last) => {
                    taken += last;
                    break;
                }
                Err(Corrupt(what)) => {
                    link.condemn(format!("its worker is corrupt: {what}"));
                    break;
                }
            }
        }
        let _ = ROOM.try_with(|room| room.set(replies));
        taken
    }

    /// Takes up to a batch of replies; fewer only if there are no more.
    fn take(
        &'static self,
        link: &Link,
        inbox: &mut Inbox,
        replies: &mut Vec<Brought>,
        joined: &Joined<'_>,
    ) -> Result<usize, Corrupt> {
        let head = read(link, inbox, replies)?;
        if replies.is_empty() {
            return Ok(0);
        }
        let was_asked = self.answered(link, replies);
        let mut result = Ok(replies.len());
        for Brought { number, has_forked, contents, answer, .. } in replies.drain(..) {
            let given = match answer {
                Some(Answer::Whole(request)) => {
                    self.give_whole(contents, request, has_forked, joined)
                }
                Some(Answer::Item(call)) => give_item(link, number, contents, call),
                None => break,
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

    /// Gives a reply to the call that it ends, if somebody waits for that.
    fn give_whole(
        &'static self,
        reply: Result<Reply, Corrupt>,
        request: Option<Request>,
        has_forked: bool,
        joined: &Joined<'_>,
    ) -> Result<(), Corrupt> {
        let Some(request) = request else { return reply.map(drop) };
        if has_forked {
            request.job.message.bytes.leave();
        }
        let is_skipped = |reply: &Reply| reply.status == status::SKIPPED;
        match reply {
            // A call that was taken back, but then the caller changed its mind, or never knew.
            Ok(reply) if is_skipped(&reply) && !request.has_yielded() => {
                if !request.call.is_finished() {
                    self.resubmit(request);
                }
                Ok(())
            }
            Ok(reply) if is_skipped(&reply) => {
                Err(request.is_lost(Corrupt("it denied a call that had yielded")))
            }
            Ok(reply) => {
                joined.complete(&*request.call, reply);
                Ok(())
            }
            Err(corrupt) => Err(request.is_lost(corrupt)),
        }
    }
}

/// Reads up to a batch of replies; returns where the next one is.
fn read(link: &Link, inbox: &mut Inbox, replies: &mut Vec<Brought>) -> Result<u32, Corrupt> {
    replies.clear();
    let mut head = inbox.head;
    let (mut items, mut items_length) = (0, 0);
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
        let is_item = reply.status == status::ITEM;
        // SAFETY: `next_reply` found it just now.
        let run = is_item.then(|| unsafe { link.channel.run(start, reply.status) }).flatten();
        if let Some((run, next, are_more)) = run {
            head = next;
            items += run.count() as u32;
            items_length += run.length() as u32;
            replies.push(Brought::items(reply.number, ReplyBytes::Run(run)));
            if are_more {
                continue;
            }
            // What its worker writes meanwhile is best taken together too.
            break;
        }
        if is_item {
            items += 1;
            items_length += record(REPLY_HEAD, reply.length);
        }
        let earlier = replies.last().and_then(|earlier| earlier.contents.as_ref().err());
        let contents = earlier.copied().map_or_else(|| bring(link, inbox, start, reply), Err);
        replies.push(Brought {
            number: reply.number,
            is_grown: reply.flags & GROWN != 0,
            has_forked: reply.flags & FORKED != 0,
            is_item,
            contents,
            answer: None,
        });
    }
    if !replies.is_empty() {
        inbox.item_size = if items > 1 { items_length / items } else { 0 };
    }
    Ok(head)
}

/// When many items come, lets more come while this thread looks away; all are taken at once then.
fn await_more_items(link: &Link, inbox: &Inbox, ahead: u32) {
    let (channel, head) = (&link.channel, inbox.head);
    let come = || channel.reply_tail().wrapping_sub(head);
    let enough = (ahead / 2).saturating_mul(inbox.item_size).min(RING / 8);
    spin::linger(|| channel.core(), come, enough);
}

/// The contents of a reply, taken off the channel.
fn bring(link: &Link, inbox: &mut Inbox, start: u32, head: ReplyHead) -> Result<Reply, Corrupt> {
    let mut handles = receive(link, inbox, usize::from(head.handles))?;
    let received = &mut inbox.received;
    // SAFETY: `next_reply` found it, and it is freed after this.
    let bytes = unsafe { received.bring(&link.channel, start, &head, &mut handles) }?;
    Ok(Reply { status: head.status, bytes, handles })
}

/// Takes handles from the socket, where they arrive before the reply does.
fn receive(link: &Link, inbox: &mut Inbox, count: usize) -> Result<Vec<Handle>, Corrupt> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut packets = 0;
    while inbox.handles.len() < count {
        packets += 1;
        match link.socket.try_receive() {
            Ok(_) if packets > MAX_PACKETS => return Err(Corrupt("it floods its socket")),
            // What looks like the end may be a packet without a byte, of an earlier call.
            Ok(packet) if !inbox.is_flooded => _ = inbox.note(link, packet),
            Ok(_) => return Err(Corrupt("it sent too many handles")),
            Err(_) => return Err(Corrupt("a reply's handles are missing")),
        }
    }
    Ok(inbox.handles.drain(..count).collect())
}

/// Reads everything from the socket.
pub(super) fn read_socket(link: &Link, inbox: &mut Inbox) {
    for _ in 0..MAX_PACKETS {
        let packet = link.socket.try_receive();
        if !packet.is_ok_and(|packet| inbox.note(link, packet)) {
            return;
        }
    }
    link.condemn("its worker is corrupt: it floods its socket".into());
}

/// Gives an item to the call that yields it, if somebody wants it.
fn give_item(
    link: &Link,
    number: u64,
    item: Result<Reply, Corrupt>,
    call: Option<Arc<dyn AnyCall>>,
) -> Result<(), Corrupt> {
    let item = item?;
    let take = |call: Arc<dyn AnyCall>| call.take_item(&link.channel, number, item);
    if call.is_none_or(take) { Ok(()) } else { Err(Corrupt("it yields more than it may")) }
}
