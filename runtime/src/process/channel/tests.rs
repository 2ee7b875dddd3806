//! The rings: records of every size around the end, and nonsense from the other side.

use super::ring::SKIP;
use super::*;
use crate::process::job::status;
use crate::process::value::wire::Reader;

fn random() -> impl FnMut() -> u32 {
    let mut state = 0x2545_f491_u32;
    move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    }
}

fn ends() -> (ParentEnd, WorkerEnd) {
    let (parent, kit) = ParentEnd::new().unwrap();
    let worker = WorkerEnd::open(kit).unwrap();
    (parent, worker)
}

/// The suite of hostile workers writes the words by these numbers. They are in its `raw.rs`, with a
/// line for each word that a worker has.
#[test]
fn a_hostile_worker_knows_where_its_words_are() {
    use std::mem::offset_of;
    let words = [
        offset_of!(WorkerWords, reply_tail),
        offset_of!(WorkerWords, running),
        offset_of!(WorkerWords, sleeping),
        offset_of!(WorkerWords, ready),
        offset_of!(WorkerWords, waiting),
        offset_of!(WorkerWords, report_length),
        offset_of!(WorkerWords, cause),
    ];
    assert_eq!(words, [0, 128, 256, 384, 512, 516, 520]);
    assert_eq!(size_of::<WorkerWords>(), 640);
    assert_eq!(offset_of!(ParentWords, reply_head), 128);
    assert_eq!(size_of::<ReplyHead>(), 24);
}

/// Every request arrives whole, wherever the end of the ring is, and none is overwritten before it
/// is freed.
#[test]
fn requests_of_all_lengths_go_round_the_ring() {
    let (parent, worker) = ends();
    let mut random = random();
    let (mut tail, mut read) = (0, 0);
    for number in 0..5_000_u64 {
        let bytes = vec![number as u8; random() as usize % MAX_INLINE];
        let head = RequestHead { length: bytes.len() as u32, number, ..RequestHead::default() };
        let start = parent.write_request(tail, read, &head, &bytes).unwrap();
        tail = start.wrapping_add(record(HEAD, head.length));
        parent.publish_requests(tail);
        let (start, seen) = worker.next_request(read).unwrap().unwrap();
        assert_eq!((seen.number, seen.length), (number, head.length));
        // SAFETY: `next_request` found that many bytes.
        let seen = unsafe {
            std::slice::from_raw_parts(worker.request_bytes(start), seen.length as usize)
        };
        assert_eq!(seen, bytes);
        read = start.wrapping_add(record(HEAD, head.length));
    }
    // If nobody reads, it fills up and reports that.
    let bytes = [0; 1000];
    let head = RequestHead { length: 1000, ..RequestHead::default() };
    let mut written = 0;
    while let Some(start) = parent.write_request(tail, read, &head, &bytes) {
        tail = start.wrapping_add(record(HEAD, 1000));
        written += 1;
    }
    assert!((200..=RING / 1000).contains(&written), "{written}");
}

/// Whatever a worker writes, the parent finds a reply within the ring, or none, or reports
/// corruption. `fuzz/` tries the same for longer.
#[test]
fn no_reply_leads_out_of_the_ring() {
    let (parent, worker) = ends();
    let mut random = random();
    let ring = worker.reply_ring().0;
    let mut found = 0;
    for _ in 0..20_000 {
        for _ in 0..8 {
            // Mostly plausible lengths, at plausible positions of a head.
            let at = (random() & (RING - 1) & !7) as usize;
            let value = [SKIP, 8, 0, random(), random() % RING][random() as usize % 5];
            // SAFETY: within the ring, which both ends have mapped and nobody refers to.
            unsafe { ring.add(at).cast::<u32>().write_volatile(value) };
        }
        let tail = [random(), (random() % RING) & !7][random() as usize % 2];
        worker.words().reply_tail.publish(tail);
        let head = (random() % RING) & !7;
        if let Ok(Some((start, reply))) = parent.next_reply(head) {
            let offset = (start & (RING - 1)) + REPLY_HEAD;
            assert!(offset + reply.length <= RING);
            found += 1;
        }
    }
    assert!(found > 100, "the run tries too little: {found}");
}

/// Items are taken together as far as they are whole, of one call and without handles, wherever the
/// end of the ring is, and come out as they went in.
#[test]
fn items_that_follow_each_other_are_a_run() {
    let (parent, worker) = ends();
    let mut random = random();
    let (mut tail, mut longest, mut alone) = (0, 0, 0);
    for round in 0..3_000_u64 {
        let start = tail;
        let mut sent = Vec::new();
        for _ in 0..=random() % 40 {
            let bytes =
                vec![sent.len() as u8; random() as usize % [8, 60, 3000][round as usize % 3]];
            // Now and then another call's, one with a handle, or an end.
            let odd = random() % 30;
            let head = ReplyHead {
                length: bytes.len() as u32,
                flags: u16::from(odd == 1) * LARGE,
                handles: u16::from(odd == 2),
                number: round + u64::from(odd == 3),
                status: if odd == 4 { status::DONE } else { status::ITEM },
                reserved: 0,
            };
            let (at, to) = worker.place_reply(tail, head.length).unwrap();
            // SAFETY: it found that much room.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
            tail = worker.publish_reply(at, &head);
            sent.push((head, bytes));
        }
        let (mut head, mut left) = (start, &*sent);
        while let Some((at, found)) = parent.next_reply(head).unwrap() {
            let is_plain = |(of, _): &&(ReplyHead, Vec<u8>)| {
                let same = (of.flags, of.handles, of.number, of.status);
                same == (0, 0, found.number, status::ITEM)
            };
            // SAFETY: it found it just now.
            let count = if let Some((run, next, _)) = unsafe { parent.run(at, status::ITEM) } {
                let items: Vec<_> = run.readers().map(Reader::into_vec).collect();
                let expected = left.iter().take(items.len());
                assert!(
                    items.len() > 1 && expected.clone().filter(is_plain).count() == items.len()
                );
                assert!(items.iter().eq(expected.map(|(_, bytes)| bytes)));
                longest = longest.max(items.len());
                head = next;
                items.len()
            } else {
                alone += 1;
                head = at.wrapping_add(record(REPLY_HEAD, found.length));
                1
            };
            left = &left[count..];
        }
        assert!(left.is_empty() && head == tail);
        parent.free_replies(head, &mut 0);
    }
    assert!(longest > 20 && alone > 100, "{longest} at most, {alone} alone");
}

/// A worker that sleeps until its replies are taken is woken when they have been, however many are
/// taken at a time, and by nothing else: with a lost wake-up this would never end.
#[cfg(not(trine_loom))]
#[test]
fn a_worker_far_ahead_is_woken_when_its_replies_are_taken() {
    const REPLIES: u32 = 200_000;
    let (parent, worker) = ends();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut tail = 0;
            for number in 0..REPLIES {
                let (at, _) = worker.place_reply(tail, 8).unwrap();
                let head = ReplyHead { length: 8, number: number.into(), ..ReplyHead::default() };
                tail = worker.publish_reply(at, &head);
                if worker.is_ahead(tail) {
                    worker.sleep(true, None, || !worker.is_ahead(tail));
                    assert!(!worker.is_ahead(tail), "woken too early");
                }
            }
        });
        let mut random = random();
        let (mut head, mut asked, mut taken) = (0, 0, 0);
        while taken < REPLIES {
            for _ in 0..=random() % 64 {
                let Some((at, reply)) = parent.next_reply(head).unwrap() else { break };
                assert_eq!(reply.number, u64::from(taken));
                head = at.wrapping_add(record(REPLY_HEAD, reply.length));
                taken += 1;
            }
            parent.free_replies(head, &mut asked);
            // A request that comes meanwhile does not wake it.
            assert!(parent.publish_requests(0).is_none());
        }
    });
}

/// The two sides never both believe that a call is theirs. loom has a model of this.
#[cfg(not(trine_loom))]
#[test]
fn a_request_is_withdrawn_or_begun() {
    let (parent, worker) = ends();
    let start = parent.write_request(0, 0, &RequestHead::default(), &[]).unwrap();
    for number in 1..500 {
        // As if it had been written again.
        parent.reset_withdrawn(start);
        let (withdrawn, begun) = std::thread::scope(|scope| {
            let begun = scope.spawn(|| worker.begin(number, start));
            let withdrawn = parent.withdraw(start, number);
            (withdrawn, begun.join().unwrap())
        });
        assert!(!(withdrawn && begun), "{number}");
    }
}

#[cfg(not(trine_loom))]
impl ParentEnd {
    fn reset_withdrawn(&self, start: u32) {
        let at = self.request_ring().at(start);
        // SAFETY: a request was written there, and no other thread runs now.
        unsafe { at.cast::<RequestHead>().write(RequestHead::default()) };
    }
}
