//! The format: what goes in comes out, and no bytes that come in do harm.

#![allow(unsafe_code, reason = "bytes of a test")]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Reader, decode, tag};
use crate::process::value::lent::{LentSlice, LentStr};
use crate::process::value::message::Message;
use crate::stack;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f64),
    Box(u8, i16),
    Path { points: Vec<(f32, f32)>, name: Option<String> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    numbers: Vec<f64>,
    bytes: Box<[u8]>,
    nested: Vec<Vec<u32>>,
    shapes: [Shape; 4],
    map: BTreeMap<String, Vec<i128>>,
    letters: (char, bool, ()),
    maybe: Option<Vec<u64>>,
    text: String,
    sizes: Vec<usize>,
}

fn everything() -> Everything {
    Everything {
        numbers: vec![1.5, f64::NEG_INFINITY, -0.0],
        bytes: (0..=255).collect(),
        nested: vec![vec![], vec![1, 2, 3]],
        shapes: [
            Shape::Point,
            Shape::Circle(2.0),
            Shape::Box(1, -2),
            Shape::Path { points: vec![(1.0, 2.0)], name: Some("ä".into()) },
        ],
        map: [("a".to_owned(), vec![i128::MIN]), (String::new(), vec![])].into(),
        letters: ('ß', true, ()),
        maybe: Some(vec![u64::MAX]),
        text: "text".repeat(100),
        sizes: vec![usize::MAX, 0],
    }
}

fn bytes_of<A: Serialize>(value: &A) -> Vec<u8> {
    let message = Message::encode(value).unwrap();
    message.bytes.as_slice().to_vec()
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    decode(Reader::new(bytes)).map_err(|error| error.to_string())
}

fn crosses<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    assert_eq!(read::<T>(&bytes_of(value)).as_ref(), Ok(value));
}

#[test]
fn everything_crosses() {
    crosses(&everything());
    crosses(&());
    crosses(&(1_u8, "two".to_owned(), [3_i64; 3]));
    crosses(&HashMap::from([(1, 'a'), (2, 'b')]));
    crosses(&Result::<u8, String>::Err("no".into()));
}

#[test]
fn a_run_of_numbers_and_its_elements_are_read_as_each_other() {
    // A `VecDeque` goes element by element, on both sides.
    let numbers = vec![1.0_f64, 2.5, f64::MAX];
    let one_by_one = bytes_of(&VecDeque::from(numbers.clone()));
    let in_one_piece = bytes_of(&numbers);
    assert!(one_by_one.len() > in_one_piece.len());
    assert_eq!(bytes_of(&(numbers.as_slice(),)), bytes_of(&(numbers.clone(),)));
    assert_eq!(read::<Vec<f64>>(&one_by_one), Ok(numbers.clone()));
    assert_eq!(read::<VecDeque<f64>>(&in_one_piece), Ok(numbers.into()));
    macro_rules! each_kind {
        ($($number:ident)*) => { $(
            let numbers = [$number::MIN, $number::MAX, 7 as $number];
            let run = bytes_of(&(true, numbers.to_vec()));
            assert_eq!(read(&run), Ok((true, VecDeque::from(numbers))));
            assert_eq!(read(&run), Ok((true, VecDeque::from(numbers.map(Some)))));
            assert_eq!(read(&run), Ok((true, VecDeque::from(numbers.map(Metres)))));
        )* };
    }
    each_kind!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64);
}

#[derive(Debug, PartialEq, Deserialize)]
struct Metres<N>(N);

#[test]
fn borrowed_arguments_arrive_owned() {
    let (text, numbers) = (String::from("text"), [1_u16, 2]);
    let bytes = bytes_of(&(text.as_str(), &numbers[..], &&7_u8));
    assert_eq!(read(&bytes), Ok((text, numbers.to_vec(), 7_u8)));
}

/// What is lent, and whether it was: an address in the message says so.
fn lent<T: DeserializeOwned>(bytes: &[u8], address: impl Fn(&T) -> *const u8) -> (T, bool) {
    // SAFETY: the bytes are there, unchanged, until the test has looked.
    let reader = unsafe { Reader::lending(bytes.as_ptr(), bytes.len()) };
    let value: T = decode(reader).unwrap();
    let is_lent = bytes.as_ptr_range().contains(&address(&value));
    (value, is_lent)
}

#[test]
fn what_is_aligned_is_lent_and_what_is_not_is_copied() {
    type Runs = (u8, LentSlice<u128>, u8, LentSlice<f64>, LentSlice<u16>, LentStr);
    let (wide, floats, short) = (&[1_u128, 2][..], &[0.5, 1.5][..], &[7_u16][..]);
    let bytes = bytes_of(&(1_u8, wide, 2_u8, floats, short, "text"));
    // With the message at every place of 16.
    let mut memory = vec![0_u128; bytes.len() / 16 + 2];
    for shift in 0..16 {
        let memory: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
        let message = &mut memory[shift..][..bytes.len()];
        message.copy_from_slice(&bytes);
        let of = |address: fn(&Runs) -> *const u8| lent(message, address);
        let (runs, wide_is_lent) = of(|runs| runs.1.as_ptr().cast());
        assert_eq!((&*runs.1, &*runs.3, &*runs.4, &*runs.5), (wide, floats, short, "text"));
        assert_eq!(wide_is_lent, shift % align_of::<u128>() == 0);
        assert_eq!(of(|runs| runs.3.as_ptr().cast()).1, shift % align_of::<f64>() == 0);
        assert_eq!(of(|runs| runs.4.as_ptr().cast()).1, shift % align_of::<u16>() == 0);
        assert!(of(|runs| runs.5.as_ptr()).1);
        // A reader of what others may write lends nothing.
        let copied: Runs = decode(Reader::new(message)).unwrap();
        assert!(!message.as_ptr_range().contains(&copied.1.as_ptr().cast()));
        assert!(!message.as_ptr_range().contains(&copied.5.as_ptr()));
        assert_eq!((&*copied.1, &*copied.5), (wide, "text"));
    }
}

#[test]
fn what_is_lent_is_checked_like_what_is_copied() {
    let text = bytes_of(&b"\xff\xff".to_vec());
    let as_text = [&[tag::STRING], &text[1..]].concat();
    let numbers = bytes_of(&vec![1.0_f64; 3]);
    for (bytes, length) in [(&as_text, as_text.len()), (&numbers, numbers.len() - 1)] {
        // SAFETY: as above.
        let reader = || unsafe { Reader::lending(bytes.as_ptr(), length) };
        assert!(decode::<LentStr>(reader()).is_err());
        assert!(decode::<LentSlice<f64>>(reader()).is_err());
    }
    // What was written one by one, or as other numbers, is read as it always was.
    let one_by_one = bytes_of(&VecDeque::from([1.0_f64, 2.0]));
    assert_eq!(&*lent::<LentSlice<f64>>(&one_by_one, |_| std::ptr::null()).0, [1.0, 2.0]);
    let others = bytes_of(&vec![1_u8, 2]);
    assert_eq!(&*lent::<LentSlice<u64>>(&others, |_| std::ptr::null()).0, [1, 2]);
}

#[test]
fn what_is_cut_short_or_too_long_is_refused() {
    let bytes = bytes_of(&everything());
    for length in 0..bytes.len() {
        assert!(read::<Everything>(&bytes[..length]).is_err(), "{length}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(read::<Everything>(&longer), Err("1 bytes left over".into()));
}

#[test]
fn impossible_lengths_reserve_nothing() {
    let lengths = [u64::MAX, u64::MAX / 16, 1 << 40];
    let tags = [tag::SEQUENCE, tag::MAP, tag::STRING, tag::BYTES, tag::F64S, tag::U8S];
    for (length, tag) in tags.into_iter().flat_map(|tag| lengths.map(|length| (length, tag))) {
        let bytes = (length << 8 | u64::from(tag)).to_ne_bytes();
        assert!(read::<Vec<f64>>(&bytes).is_err());
        assert!(read::<Vec<String>>(&bytes).is_err());
        assert!(read::<String>(&bytes).is_err());
        assert!(read::<HashMap<u8, u8>>(&bytes).is_err());
        // Elements without content would go on for as long.
        assert!(read::<Vec<()>>(&bytes).is_err());
        assert!(read::<HashMap<(), ()>>(&bytes).is_err());
    }
    crosses(&vec![(); 100_000]);
}

/// A value that makes given calls to the serializer.
enum Odd {
    /// A tuple with fewer elements than it says, or more.
    Tuple(usize, usize),
    /// A map with these calls.
    Map(&'static [bool]),
    /// A sequence that goes on after an element failed.
    PassedOver,
}

impl Serialize for Odd {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::{SerializeMap, SerializeSeq, SerializeTuple};
        match *self {
            Self::Tuple(said, given) => {
                let mut tuple = serializer.serialize_tuple(said)?;
                (0..given).try_for_each(|_| tuple.serialize_element(&1_u8))?;
                tuple.end()
            }
            Self::Map(calls) => {
                let mut map = serializer.serialize_map(None)?;
                for &is_key in calls {
                    if is_key { map.serialize_key(&1_u8)? } else { map.serialize_value(&2_u8)? }
                }
                map.end()
            }
            Self::PassedOver => {
                let mut sequence = serializer.serialize_seq(None)?;
                let _ = sequence.serialize_element(&Self::Tuple(3, 1));
                sequence.serialize_element(&1_u8)?;
                sequence.end()
            }
        }
    }
}

#[test]
fn who_serializes_at_odds_with_itself_is_refused() {
    let refused = [
        Odd::Tuple(2, 1),
        Odd::Tuple(1, 2),
        Odd::Tuple(100, 99),
        Odd::Map(&[true]),
        Odd::Map(&[true, true, false, false]),
        Odd::Map(&[false, true]),
        Odd::PassedOver,
    ];
    for odd in refused {
        let Err(why) = Message::encode(&(odd,)) else { panic!("it crossed") };
        assert!(why.to_string().contains("Odd"), "{why}");
    }
    assert_eq!(read(&bytes_of(&Odd::Tuple(2, 2))), Ok((1_u8, 1_u8)));
    assert_eq!(read(&bytes_of(&Odd::Map(&[true, false]))), Ok(HashMap::from([(1_u8, 2_u8)])));
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sparse {
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<u8>,
    b: u8,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    c: Vec<Sparse>,
}

#[test]
fn structs_with_different_fields_there_mix() {
    let sparse = |bits: u8, c| Sparse { a: (bits & 1 > 0).then_some(bits), b: bits, c };
    let leaves = |count: u8| (0..count).map(|bits| sparse(bits, vec![])).collect::<Vec<_>>();
    crosses(&(0..50).map(|bits| sparse(bits, leaves(bits % 5))).collect::<Vec<_>>());
    // Of one shape, their names are there once.
    let [one, two] = [1, 2].map(|count| bytes_of(&vec![sparse(1, vec![]); count]).len());
    let names = 4 + 2 + 2 + 2;
    assert_eq!(two - one, one - 8 - names);
}

/// Under AddressSanitizer, locals are elsewhere.
#[test]
fn the_depth_is_measured_on_the_stack() {
    let is_on = |(start, end)| (start..end).contains(&stack::position());
    assert!(stack::bounds().is_none_or(is_on));
}

/// A list as deep as it is long.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Link {
    next: Option<Box<Self>>,
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut link) = next {
            next = link.next.take();
        }
    }
}

#[test]
fn what_is_deeper_than_the_stack_is_an_error_both_ways() {
    let chain = |length: u32| {
        (0..length).fold(Link::default(), |link, _| Link { next: Some(Box::new(link)) })
    };
    let on_stack = |kilobytes: usize, run: fn(Link) -> Result<Vec<u8>, String>, length| {
        let link = chain(length);
        let thread = std::thread::Builder::new().stack_size(kilobytes << 10);
        thread.spawn(move || run(link)).unwrap().join().unwrap()
    };
    let encode = |link: Link| {
        Message::encode(&link)
            .map(|message| message.bytes.as_slice().to_vec())
            .map_err(|why| why.to_string())
    };
    let too_deep = on_stack(2 << 10, encode, 1_000_000).unwrap_err();
    assert!(too_deep.contains("`next` of `Link`") && too_deep.contains("deep"), "{too_deep}");
    let bytes = on_stack(256 << 10, encode, 50_000).unwrap();
    let read_on = |kilobytes: usize| {
        let bytes = bytes.clone();
        let thread = std::thread::Builder::new().stack_size(kilobytes << 10);
        thread.spawn(move || read::<Link>(&bytes).map(drop)).unwrap().join().unwrap()
    };
    assert!(read_on(2 << 10).unwrap_err().contains("deep"));
    assert_eq!(read_on(256 << 10), Ok(()));
    assert!(on_stack(2 << 10, encode, 200).is_ok());
}

/// Random bytes, and valid bytes with a few changes, give a value or an error and nothing else.
/// `fuzz/` tries the same for longer.
#[test]
fn no_bytes_harm_the_decoder() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let truth = bytes_of(&everything());
    for _ in 0..20_000 {
        let mut bytes = truth.clone();
        if random() % 4 == 0 {
            bytes.truncate(random() as usize % 200);
            bytes.fill_with(|| random() as u8);
        }
        for _ in 0..random() % 4 {
            let at = random() as usize % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random() as u8;
            }
        }
        let _ = read::<Everything>(&bytes);
        let _ = read::<Vec<Shape>>(&bytes);
        let _ = read::<(String, Vec<u64>, Option<char>)>(&bytes);
    }
}
