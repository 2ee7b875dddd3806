//! What goes through a tube: items, who sends them, and how it ends.
//!
//! A frame is one packet. Its first byte says what it is. Short items come together in one, an item
//! with handles alone, and a long one in memory that nobody can change any more. The parent
//! believes nothing: lengths are checked against the packet, and memory against its seals.

use std::io;

use crate::process::channel::ReplyBytes;
use crate::process::fault::Fault;
use crate::process::job::{Reply, status};
use crate::process::platform::{Handle, PACKET_HANDLES, Tube, View, freeze};
use crate::process::value::message::Message;
use crate::process::value::output::MAX_INLINE;
use crate::process::value::wire::{self, Reader};

const ITEMS: u8 = 0;
const WITH_HANDLES: u8 = 1;
const LONG: u8 = 2;
const BEGUN: u8 = 3;
const ENDED: u8 = 4;
const WHOLE: u8 = 5;
const FAILED: u8 = 6;

/// Items together in a frame take so many bytes at most.
const MAX_TOGETHER: usize = MAX_INLINE;
const MAX_FRAME: usize = MAX_INLINE + 16;

/// What came.
pub(super) enum Frame {
    Items(Vec<Reply>),
    /// Whoever was lent the sender with this key has it.
    Begun(u64),
    /// And has dropped it.
    Ended(u64),
    /// All items of a stream have come.
    Whole,
    /// It failed.
    Failed(Fault),
}

/// Why nothing more comes.
pub(super) enum Stop {
    /// The other side has closed its end.
    Closed,
    /// It has sent something impossible.
    Corrupt(&'static str),
}

/// The frames that come through a tube.
pub(super) struct Frames<'a> {
    tube: &'a Tube,
    room: Box<[u8]>,
}

impl<'a> Frames<'a> {
    pub(super) fn of(tube: &'a Tube) -> Self {
        // One more, to see what is too long.
        Self { tube, room: vec![0; MAX_FRAME + 1].into() }
    }

    /// Waits for the next one.
    pub(super) fn next(&mut self) -> Result<Frame, Stop> {
        let (length, handles) =
            self.tube.receive(&mut self.room).map_err(|_| Stop::Corrupt("it sent no memory"))?;
        let Some((&kind, bytes)) = self.room[..length].split_first() else {
            return Err(Stop::Closed);
        };
        if length > MAX_FRAME || handles.len() > PACKET_HANDLES {
            return Err(Stop::Corrupt("it sent too much at once"));
        }
        parse(kind, bytes, handles)
    }
}

fn parse(kind: u8, bytes: &[u8], mut handles: Vec<Handle>) -> Result<Frame, Stop> {
    let number = || bytes.try_into().map(u64::from_ne_bytes).map_err(|_| CUT);
    match kind {
        ITEMS => items(bytes).map(Frame::Items),
        WITH_HANDLES => Ok(Frame::Items(vec![item(bytes.to_vec().into(), handles)])),
        LONG => {
            let length = usize::try_from(number()?).map_err(|_| CUT)?;
            if handles.is_empty() {
                return Err(Stop::Corrupt("a long item without its memory"));
            }
            let memory = View::open_frozen(handles.remove(0), length);
            let memory = memory.map_err(|_| Stop::Corrupt("a long item is cut short"))?;
            Ok(Frame::Items(vec![item(ReplyBytes::frozen(memory), handles)]))
        }
        BEGUN => number().map(Frame::Begun),
        ENDED => number().map(Frame::Ended),
        WHOLE => Ok(Frame::Whole),
        FAILED => {
            let fault = wire::decode(Reader::new(bytes));
            fault.map(Frame::Failed).map_err(|_| Stop::Corrupt("a failure without a cause"))
        }
        _ => Err(Stop::Corrupt("it sent something unknown")),
    }
}

const CUT: Stop = Stop::Corrupt("it sent something cut short");

fn items(mut bytes: &[u8]) -> Result<Vec<Reply>, Stop> {
    let mut items = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = u32::from_ne_bytes(*length) as usize;
        let (this, rest) = rest.split_at_checked(length).ok_or(CUT)?;
        items.push(item(this.to_vec().into(), Vec::new()));
        bytes = rest;
    }
    if bytes.is_empty() { Ok(items) } else { Err(CUT) }
}

fn item(bytes: ReplyBytes, handles: Vec<Handle>) -> Reply {
    Reply { status: status::ITEM, bytes, handles }
}

/// How frames are sent: waiting for room, or not.
pub(super) type Send<'a> = &'a dyn Fn(&[u8], &[&Handle]) -> io::Result<()>;

/// Short items, to be sent together.
pub(super) struct Together(Vec<u8>);

impl Together {
    pub(super) fn new() -> Self {
        Self(vec![ITEMS])
    }

    /// Adds an item, and sends those that it does not fit with.
    pub(super) fn add(&mut self, item: &Message, send: Send<'_>) -> io::Result<()> {
        let inline = item.bytes.private().filter(|_| item.files.is_empty());
        let Some(bytes) = inline.filter(|bytes| bytes.len() + 4 <= MAX_TOGETHER) else {
            self.send(send)?;
            return send_alone(item, send);
        };
        if self.0.len() + 4 + bytes.len() > MAX_TOGETHER {
            self.send(send)?;
        }
        self.0.extend_from_slice(&(bytes.len() as u32).to_ne_bytes());
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    /// Sends them.
    pub(super) fn send(&mut self, send: Send<'_>) -> io::Result<()> {
        if self.0.len() > 1 {
            send(&self.0, &[])?;
            self.0.truncate(1);
        }
        Ok(())
    }
}

fn send_alone(item: &Message, send: Send<'_>) -> io::Result<()> {
    let mut handles: Vec<&Handle> = item.files.iter().map(|file| &**file).collect();
    if handles.len() >= PACKET_HANDLES {
        return Err(io::Error::other("it has too many shared slices"));
    }
    let bytes = item.bytes.as_slice();
    if bytes.len() <= MAX_INLINE {
        return send(&[&[WITH_HANDLES], bytes].concat(), &handles);
    }
    let memory = freeze(bytes)?;
    handles.insert(0, &memory);
    send(&numbered(LONG, bytes.len() as u64), &handles)
}

pub(super) fn begun(key: u64) -> [u8; 9] {
    numbered(BEGUN, key)
}

pub(super) fn ended(key: u64) -> [u8; 9] {
    numbered(ENDED, key)
}

pub(super) const fn whole() -> [u8; 1] {
    [WHOLE]
}

pub(super) fn failed(fault: &Fault) -> Vec<u8> {
    let encoded = Message::encode(fault).ok();
    let bytes = encoded.as_ref().and_then(|message| message.bytes.private());
    match bytes.filter(|bytes| bytes.len() <= MAX_INLINE) {
        Some(bytes) => [&[FAILED], bytes].concat(),
        None => failed(&Fault::Codec { message: "its error is too long to be sent".to_owned() }),
    }
}

fn numbered(kind: u8, number: u64) -> [u8; 9] {
    let mut frame = [kind; 9];
    frame[1..].copy_from_slice(&number.to_ne_bytes());
    frame
}
