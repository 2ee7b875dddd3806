//! The parent's own half changes underneath, as if its worker had found a way to write it: nothing
//! that the parent does may depend on what is there.

use super::super::*;

/// How many bytes of a script are one step.
pub const MOVE: usize = 12;

/// Two parents that do the same, and their workers. The half of the second parent changes.
pub struct Halves {
    sound: Side,
    changed: Side,
}

/// A parent with its own books, and its worker.
struct Side {
    parent: ParentEnd,
    worker: WorkerEnd,
    /// The end of the requests, and where each of them starts.
    tail: u32,
    starts: Vec<(u32, u32)>,
    /// The start of the next reply, and the end of the replies.
    head: u32,
    replied: u32,
}

/// What came of a step.
#[derive(Debug, PartialEq)]
enum Outcome {
    Written(Option<u32>, Option<u32>),
    Withdrawn(bool),
    Reply(Option<(u32, ReplyHead)>, bool),
    Room(bool, Option<u32>),
    Nothing,
}

impl Halves {
    /// New ones, where nothing was sent.
    #[expect(clippy::new_without_default, reason = "it is not cheap")]
    pub fn new() -> Self {
        Self { sound: Side::new(), changed: Side::new() }
    }

    /// Has both parents do what the script says, while the half of one changes.
    pub fn play(&mut self, script: &[u8]) {
        for step in script.as_chunks::<MOVE>().0 {
            let &[kind, number, a, b, c, d, rest @ ..] = step;
            let word = u32::from_ne_bytes([a, b, c, d]);
            if kind % 3 == 0 {
                let at = if number % 2 == 0 { word as usize % 4096 } else { word as usize };
                self.changed.scribble(at, rest);
                continue;
            }
            let outcomes = [&mut self.sound, &mut self.changed]
                .map(|side| side.step(kind / 3, u64::from(number), word));
            assert_eq!(outcomes[0], outcomes[1], "step {step:?}");
        }
    }
}

impl Side {
    fn new() -> Self {
        let (parent, kit) = ParentEnd::new().expect("there is memory");
        let worker = WorkerEnd::open(kit).expect("as before");
        Self { parent, worker, tail: 0, starts: Vec::new(), head: 0, replied: 0 }
    }

    /// Writes over the parent's half, and behind its back.
    fn scribble(&self, at: usize, bytes: [u8; 6]) {
        for (index, byte) in bytes.into_iter().cycle().take(64).enumerate() {
            // SAFETY: within the half, of which no plain reference exists.
            unsafe { self.parent.requests.start().add((at + index) % HALF).write_volatile(byte) };
        }
    }

    fn step(&mut self, kind: u8, number: u64, word: u32) -> Outcome {
        match kind % 8 {
            0 | 1 => self.send(number, word),
            // The first request has been answered.
            2 => {
                self.starts.drain(..self.starts.len().min(1));
                Outcome::Nothing
            }
            3 => {
                let Some(&(start, _)) = self.starts.get(word as usize % 8) else {
                    return Outcome::Nothing;
                };
                Outcome::Withdrawn(self.parent.withdraw(start, number))
            }
            4 => {
                self.worker.words().running.store(u64::from(word % 512), Relaxed);
                self.worker.words().sleeping.store(word >> 16, Relaxed);
                Outcome::Room(self.parent.wants_room(), self.parent.sleeper())
            }
            5 => {
                self.parent.grant(number, word.into());
                self.parent.stop(number);
                self.parent.release_segment(word as usize % SEGMENTS);
                self.parent.wake_worker();
                Outcome::Nothing
            }
            _ => self.receive(number, word),
        }
    }

    fn send(&mut self, number: u64, word: u32) -> Outcome {
        let bytes = vec![7; word as usize % MAX_INLINE];
        let head = RequestHead { length: bytes.len() as u32, number, ..RequestHead::default() };
        let taken = self.starts.first().map_or(self.tail, |&(_, taken)| taken);
        let start = self.parent.write_request(self.tail, taken, &head, &bytes);
        let Some(start) = start else { return Outcome::Written(None, None) };
        self.starts.push((start, self.tail));
        self.tail = start.wrapping_add(record(HEAD, head.length));
        Outcome::Written(Some(start), self.parent.publish_requests(self.tail))
    }

    fn receive(&mut self, number: u64, word: u32) -> Outcome {
        let length = word % 1000;
        // What the parent has freed is its own to know; here it has read everything.
        let place = self.worker.reply_ring().place(self.replied, self.head, REPLY_HEAD + 1000);
        let at = place.expect("all is read");
        let head = ReplyHead { length, number, ..ReplyHead::default() };
        self.replied = self.worker.publish_reply(at, &head);
        let next = self.parent.next_reply(self.head).expect("it is right");
        self.head = self.replied;
        self.parent.free_replies(self.head, &mut 0);
        Outcome::Reply(next, self.parent.has_replies(self.head))
    }
}
