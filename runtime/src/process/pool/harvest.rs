//! Taking replies: by the thread that joins, or else by the dispatcher.
//!
//! Whoever holds a worker's inbox takes all its replies, for whichever calls they are, and fills
//! the worker up again. A thread that joins takes it, looks for a moment, and sleeps on the end
//! of the replies, so a call and its result cost no hand-over between threads.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;

use rustix::net::RecvFlags;

use super::Pool;
use super::link::{Inbox, Link};
use super::outbox::Entry;
use crate::process::call::{Pending, Reply, codec};
use crate::process::channel::{Corrupt, LARGE, Large, Listener, REPLY_HEAD, ReplyHead, record};
use crate::process::linux::control::{self, Packet};
use crate::process::linux::memory::{Access, Memory};
use crate::process::value::wire::Reader;
use crate::process::worker::status;
use crate::sync::Guard;
use crate::wait;

/// The most replies that are taken at once.
const BATCH: usize = 32;

/// Works for a call that this thread is to wait for, as long as that is of use.
pub(crate) fn help(pool: &'static Pool, call: &dyn Pending) {
    while !call.is_finished() {
        let place = call.sent().load(Ordering::Acquire);
        // Not with a worker, or just going back: whoever changes that hands it out.
        let Some((link, alone)) = pool.link_of(place) else { return };
        // Somebody else is at it, and will finish this one as well.
        let Some(mut inbox) = link.try_inbox() else { return };
        if !alone {
            // With one reply to come, it is taken before the worker would tell anybody.
            inbox.listen(&link, Listener::Looking);
        }
        let wanted = || !call.is_finished() && call.sent().load(Ordering::Acquire) == place;
        work(&link, &mut inbox, wanted);
        leave(&link, inbox);
        if link.is_doomed() {
            return;
        }
    }
}

fn work(link: &Link, inbox: &mut Inbox, wanted: impl Fn() -> bool) {
    loop {
        harvest(link, inbox);
        let go_on = || wanted() && !link.is_doomed();
        if !go_on() {
            return;
        }
        let Inbox { head, patience, listening, .. } = inbox;
        let sleep = || {
            wait::blocking(|| {
                link.channel.listen(Listener::Joiner);
                link.sleep(*head, || !link.channel.has_replies(*head) && go_on());
                link.channel.listen(Listener::Looking);
            });
            *listening = Listener::Looking;
        };
        let core = || link.channel.core();
        patience.wait(core, || link.channel.has_replies(*head) || !go_on(), sleep);
    }
}

/// Leaves a worker's replies to the dispatcher.
pub(crate) fn leave<'a>(link: &'a Link, mut inbox: Guard<'a, Inbox>) {
    loop {
        if inbox.listening != Listener::Dispatcher {
            inbox.listen(link, Listener::Dispatcher);
        }
        let head = inbox.head;
        drop(inbox);
        // What came before the dispatcher was announced has been announced to nobody; and it may
        // have come, heard, and found the inbox taken.
        if !link.was_knocked() && !link.channel.has_replies(head) || link.is_doomed() {
            return;
        }
        // By a knock, since the one just heard is then passed on to whoever has it.
        match link.knock() {
            Some(again) => inbox = again,
            None => return,
        }
        inbox.listen(link, Listener::Looking);
        harvest(link, &mut inbox);
    }
}

/// Takes all replies that are there; returns how many.
pub(crate) fn harvest(link: &Link, inbox: &mut Inbox) -> usize {
    let mut taken = 0;
    let mut batch = std::mem::take(&mut inbox.batch);
    loop {
        match take(link, inbox, &mut batch) {
            Ok(0) => break,
            Ok(count) => taken += count,
            Err(Corrupt(what)) => {
                link.condemn(format!("its worker is corrupt: {what}"));
                break;
            }
        }
    }
    inbox.batch = batch;
    taken
}

/// Replies that are being taken, and the calls that they answer.
#[derive(Default)]
pub(crate) struct Batch {
    replies: Vec<(u32, ReplyHead)>,
    entries: Vec<Entry>,
}

fn take(link: &Link, inbox: &mut Inbox, batch: &mut Batch) -> Result<usize, Corrupt> {
    let Batch { replies, entries } = batch;
    replies.clear();
    entries.clear();
    let mut head = inbox.head;
    while replies.len() < BATCH
        && let Some((start, reply)) = link.channel.next_reply(head)?
    {
        head = start.wrapping_add(record(REPLY_HEAD, reply.length));
        replies.push((start, reply));
    }
    if replies.is_empty() {
        return Ok(0);
    }
    let asked = link.pool.answered(link, replies.iter().map(|(_, reply)| reply.number), entries);
    let mut result = Ok(replies.len());
    for (&(start, reply), mut entry) in replies.iter().zip(entries.drain(..)) {
        if result.is_ok()
            && let Err(corrupt) = complete(link, inbox, start, reply, &mut entry)
        {
            result = Err(corrupt);
        }
        // They have run, and what has come of it nobody knows.
        if let (Err(Corrupt(what)), Some(call)) = (&result, entry.call.take()) {
            let name = call.function().name();
            call.fail(codec(name, &format!("its worker is corrupt: {what}")));
        }
    }
    inbox.free(link, head);
    if asked { result } else { result.and(Err(Corrupt("it answers what it was not asked"))) }
}

fn complete(
    link: &Link,
    inbox: &mut Inbox,
    start: u32,
    reply: ReplyHead,
    entry: &mut Entry,
) -> Result<(), Corrupt> {
    let mut files = receive(link, inbox, usize::from(reply.files))?;
    let mut bytes = link.channel.reply_bytes(start);
    let mut length = reply.length as usize;
    let mut single = None;
    let mut segment = None;
    if reply.flags & LARGE != 0 {
        if length < size_of::<Large>() {
            return Err(Corrupt("a large reply without its place"));
        }
        // SAFETY: that many bytes lie in the ring, aligned to 8; any bytes are a `Large`.
        let large = unsafe { bytes.cast::<Large>().read_volatile() };
        let memory = find(inbox, large, &mut files, &mut single)?;
        (bytes, length) = (memory.start(), large.length as usize);
        segment = Some(large.segment as usize).filter(|_| single.is_none());
    }
    if reply.status == status::SKIPPED {
        // Taken back, but then the caller changed its mind, or never knew.
        if let Some(claimed) = entry.reclaim(link)
            && !claimed.call.is_finished()
        {
            link.pool.resubmit(claimed);
        }
    } else if let Some(call) = entry.call.take() {
        // SAFETY: the ring's bytes were checked to be there by `next_reply`, the others by `find`;
        // nobody unmaps them meanwhile.
        let bytes = unsafe { Reader::from_raw(bytes, length) };
        call.complete(Reply { status: reply.status, bytes, files });
    }
    if let Some(number) = segment {
        if let Some(memory) = &inbox.segments[number] {
            memory.discard_if_large();
        }
        link.channel.release_segment(number);
    }
    Ok(())
}

/// The memory of a large reply.
fn find<'a>(
    inbox: &'a mut Inbox,
    large: Large,
    files: &mut Vec<OwnedFd>,
    single: &'a mut Option<Memory>,
) -> Result<&'a Memory, Corrupt> {
    let sent = if large.sent == 0 { None } else { files.pop() };
    let opened = sent.map(|file| Memory::open(file, Access::Read)).transpose();
    let opened = opened.map_err(|_| Corrupt("a file that is no memory"))?;
    let memory = match inbox.segments.get_mut(large.segment as usize) {
        None => single.insert(opened.ok_or(Corrupt("a file is missing"))?),
        Some(slot) => {
            if opened.is_some() {
                *slot = opened;
            }
            slot.as_mut().ok_or(Corrupt("a segment that was never sent"))?
        }
    };
    let length = usize::try_from(large.length).map_err(|_| Corrupt("an impossible length"))?;
    if memory.length() < length {
        let _ = memory.catch_up();
    }
    if memory.length() < length {
        return Err(Corrupt("a large reply is cut short"));
    }
    Ok(memory)
}

/// Takes files off the socket, where they are before the reply is seen.
fn receive(link: &Link, inbox: &mut Inbox, count: usize) -> Result<Vec<OwnedFd>, Corrupt> {
    while inbox.files.len() < count {
        match control::receive(link.control.as_fd(), RecvFlags::DONTWAIT) {
            Ok(Packet::Files(files)) => inbox.files.extend(files),
            // Meant for the dispatcher, which will not find it now. The worker rings once for an
            // announcement, so whoever leaves has to announce the dispatcher anew.
            Ok(Packet::Bell) => inbox.listening = Listener::Looking,
            Ok(Packet::End) | Err(_) => return Err(Corrupt("a reply's files did not come")),
        }
    }
    Ok(inbox.files.drain(..count).collect())
}

/// Reads what is on the socket.
pub(crate) fn read_socket(link: &Link, inbox: &mut Inbox) {
    while let Ok(packet) = control::receive(link.control.as_fd(), RecvFlags::DONTWAIT) {
        match packet {
            Packet::Files(files) => inbox.files.extend(files),
            Packet::Bell => {}
            Packet::End => return,
        }
    }
}
