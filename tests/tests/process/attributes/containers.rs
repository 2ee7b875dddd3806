//! The containers of the standard library, empty shapes, and numbers to the last bit.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashSet, LinkedList};
use std::ffi::OsStr;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::{NonZeroI128, Saturating};
use std::ops::{RangeFrom, RangeInclusive, RangeTo};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize};
use std::sync::{Mutex, RwLock};

use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Empty {}

#[derive(Debug, Serialize, Deserialize)]
struct EmptyTuple();

#[derive(Debug, Serialize, Deserialize)]
enum EmptyVariants {
    Unit,
    Tuple(),
    Fields {},
    OneUnit(()),
    NoNumbers([u8; 0]),
}

#[derive(Debug, Serialize, Deserialize)]
struct Nothing {
    empty: Empty,
    units: Vec<()>,
    arrays: Vec<[u64; 0]>,
    three: [(); 3],
    tuples: Vec<EmptyTuple>,
    variants: Vec<EmptyVariants>,
    maybe: Option<Empty>,
    bytes: Vec<u8>,
    text: String,
    last: u8,
}

fn nothing(count: usize) -> Nothing {
    use EmptyVariants::*;
    Nothing {
        empty: Empty {},
        units: vec![(); count],
        arrays: vec![[]; count],
        three: [(); 3],
        tuples: (0..count).map(|_| EmptyTuple()).collect(),
        variants: vec![Unit, Tuple(), Fields {}, OneUnit(()), NoNumbers([])],
        maybe: Some(Empty {}),
        bytes: vec![],
        text: String::new(),
        last: 7,
    }
}

/// Prints all bits, unlike the number itself.
#[derive(Serialize, Deserialize)]
struct Bits(f32, f64);

impl fmt::Debug for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x} {:x}", self.0.to_bits(), self.1.to_bits())
    }
}

fn quiet(payload: u32) -> Bits {
    let bits = 0x7fc0_0000 | payload;
    Bits(f32::from_bits(bits), f64::from_bits(0x7ff8_0000_0000_0000 | u64::from(payload) << 20))
}

#[derive(Debug, Serialize, Deserialize)]
struct Containers {
    boxed: (Box<[String]>, Box<str>),
    names: (Box<Path>, Box<OsStr>),
    sets: (BTreeSet<i128>, HashSet<char>),
    lists: (LinkedList<Option<()>>, Vec<BinaryHeap<Reverse<u8>>>),
    cells: (Cell<u16>, Mutex<Vec<i64>>, RwLock<String>),
    atomics: (AtomicBool, AtomicI64, AtomicUsize),
    ranges: (RangeInclusive<char>, RangeFrom<u8>, RangeTo<i128>),
    numbers: (NonZeroI128, Saturating<i8>, isize, usize),
    network: (Ipv4Addr, SocketAddrV4),
    zeros: String,
}

fn containers() -> Containers {
    Containers {
        boxed: (["a".to_owned(), "ß".to_owned()].into(), "".into()),
        names: (Path::new("/a").into(), OsStr::new("b").into()),
        sets: ([i128::MIN, -1, i128::MAX].into(), ['\0'].into()),
        lists: ([None, Some(())].into(), vec![[Reverse(1), Reverse(2)].into(), [].into()]),
        cells: (Cell::new(1), Mutex::new(vec![i64::MIN]), RwLock::new("text".into())),
        atomics: (true.into(), (-1).into(), usize::MAX.into()),
        ranges: ('a'..='z', 3.., ..i128::MIN),
        numbers: (NonZeroI128::MIN, Saturating(-128), isize::MIN, usize::MAX),
        network: ([1, 2, 3, 4].into(), SocketAddrV4::new([5, 6, 7, 8].into(), 9)),
        zeros: "\0a\0".into(),
    }
}

rows! {
    nothing_at_all Vec<Nothing>: [vec![nothing(0), nothing(1), nothing(10_000)]];
    only_units Vec<()>: [vec![(); 100_000]];
    no_arrays Vec<[f64; 0]>: [vec![[]; 1000]];
    floats_to_the_last_bit Vec<Bits>: [
        (0..4).map(|payload| quiet(payload * 12_345)).chain([
            Bits(-0.0, -0.0),
            Bits(f32::NEG_INFINITY, f64::INFINITY),
            Bits(f32::MIN_POSITIVE / 2.0, f64::MIN_POSITIVE / 2.0),
        ]).collect(),
    ];
    lists_of_floats (Vec<f32>, Vec<f64>): [(vec![f32::NEG_INFINITY, 1e-45], vec![f64::NAN])];
    std_containers Containers: [containers()];
}
