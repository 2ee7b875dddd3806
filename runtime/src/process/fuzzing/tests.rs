//! The fuzzers' targets with random inputs, the same in each run: so that they are run at all, and
//! go on to compile.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::ops::{Bound, Range};
use std::time::Duration;

use super::*;

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| (self.next() >> 32) as u8).collect()
    }
}

const SEED: u64 = 0x2545_f491_4f6c_dd1d;

/// Structs, enums, texts and numbers of all kinds.
type Everything = (
    (Vec<f64>, Box<[u8]>, Vec<Vec<u32>>, Option<Option<String>>),
    [Result<Duration, String>; 2],
    BTreeMap<String, Vec<i128>>,
    VecDeque<(char, bool, ())>,
    Bound<Range<u16>>,
    Vec<IpAddr>,
    BTreeMap<u8, Vec<Bound<String>>>,
);

fn everything() -> Everything {
    (
        (vec![1.5, f64::NAN], [1, 2, 3].into(), vec![vec![4], vec![]], Some(Some("five".into()))),
        [Ok(Duration::new(6, 7)), Err("eight ✓".into())],
        [("nine".into(), vec![i128::MIN])].into(),
        [('ß', true, ()), ('x', false, ())].into(),
        Bound::Excluded(10..11),
        vec![[127, 0, 0, 1].into()],
        [(12, vec![Bound::Unbounded, Bound::Included("thirteen".into())])].into(),
    )
}

/// Bytes that encode a value, but for a few; and bytes that encode none.
#[test]
fn values() {
    let mut random = Random(SEED);
    let sent = Message::encode(&everything()).unwrap();
    let sent = sent.bytes.private().unwrap();
    for round in 0..20_000 {
        let mut bytes = sent.to_vec();
        for _ in 0..random.next() % 4 {
            let at = random.next() as usize % bytes.len();
            bytes[at] = [0, 1, 255, random.next() as u8, bytes[at] ^ 1][random.next() as usize % 5];
        }
        if round % 4 == 0 {
            bytes.truncate(random.next() as usize % bytes.len());
        }
        decode::<Everything>(&bytes);
        let length = random.next() as usize % 40;
        let bytes = random.bytes(length);
        decode::<Vec<Option<String>>>(&bytes);
        decode::<Vec<()>>(&bytes);
        decode::<Result<Box<[u8]>, Duration>>(&bytes);
        report(&bytes);
    }
}

#[test]
fn values_whose_bytes_change() {
    let mut random = Random(SEED);
    let changes: Vec<_> =
        (0..20_000).map(|_| (random.next() as u16, (random.next() >> 40) as u8)).collect();
    decode_unsteady(&everything(), &changes);
}

#[test]
fn heads_of_replies() {
    let (mut random, rings) = (Random(SEED), Rings::new());
    let mut found = 0;
    for _ in 0..5_000 {
        let mut bytes = Vec::new();
        for _ in 0..random.next() % 6 {
            // Mostly short records, so that there is a next one.
            let length = [random.next() as u32 % 40, random.next() as u32]
                [usize::from(random.next() % 8 == 0)];
            bytes.extend(length.to_ne_bytes());
            bytes.extend(random.bytes(20 + length.min(200).next_multiple_of(8) as usize));
        }
        let start = random.next() as u32 & !7;
        let length = if random.next() % 8 == 0 { random.next() as u32 } else { bytes.len() as u32 };
        found += rings.replies(start, start.wrapping_add(length), &bytes);
    }
    assert!(found > 1000, "the run tries too little: {found}");
}

#[test]
fn segments_and_what_replies_say_of_them() {
    let mut random = Random(SEED);
    let mut believed = 0;
    for _ in 0..50 {
        believed += Segments::new().play(&random.bytes(100 * STEP));
    }
    assert!((1000..4500).contains(&believed), "{believed} of 5000");
}

#[test]
fn the_parents_own_half_changes() {
    let mut random = Random(SEED);
    let mut halves = Halves::new();
    for _ in 0..50 {
        halves.play(&random.bytes(400 * MOVE));
    }
}

#[test]
fn packets_of_tubes() {
    let (mut random, tubes) = (Random(SEED), Tubes::new());
    let mut taken = 0;
    for _ in 0..5_000 {
        let mut script = Vec::new();
        for _ in 0..random.next() % 4 {
            // Mostly of a kind that there is, short, and without memories.
            let bytes = random.next() as usize % 24;
            let handles = [0, random.next() as u8][usize::from(random.next() % 4 == 0)];
            script.extend([handles, bytes as u8 + 1, (random.next() % 9) as u8]);
            let parts = random.bytes(bytes);
            // Lengths that may fit.
            script.extend(parts.into_iter().map(|byte| if byte < 128 { byte % 8 } else { 0 }));
        }
        taken += tubes.play(&script);
    }
    assert!(taken > 1000, "the run tries too little: {taken}");
}

/// An item may be longer than what was written into its memory, up to whole pages.
#[test]
fn a_tube_whose_item_reaches_beyond_what_was_written() {
    assert_eq!(Tubes::new().play(&[0x7b, 9, 2, 1, 1]), 1);
}
