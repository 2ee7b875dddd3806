//! The format: what goes in comes out, and no bytes that come in do harm.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Reader, decode};
use crate::process::value::message::Message;

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
    message.bytes.private().unwrap().to_vec()
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
fn a_run_of_numbers_has_the_bytes_of_its_elements() {
    // A `VecDeque` goes element by element, on both sides.
    let numbers = vec![1.0_f64, 2.5, f64::MAX];
    let one_by_one = bytes_of(&VecDeque::from(numbers.clone()));
    assert_eq!(bytes_of(&numbers), one_by_one);
    assert_eq!(bytes_of(&(numbers.as_slice(),)), one_by_one);
    assert_eq!(read::<Vec<f64>>(&one_by_one), Ok(numbers.clone()));
    assert_eq!(read::<VecDeque<f64>>(&bytes_of(&numbers)), Ok(numbers.into()));
}

#[test]
fn borrowed_arguments_arrive_owned() {
    let (text, numbers) = (String::from("text"), [1_u16, 2]);
    let bytes = bytes_of(&(text.as_str(), &numbers[..], &&7_u8));
    assert_eq!(read(&bytes), Ok((text, numbers.to_vec(), 7_u8)));
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
    for length in [u64::MAX, u64::MAX / 8, 1 << 62, 1 << 40] {
        let bytes = length.to_ne_bytes();
        assert!(read::<Vec<f64>>(&bytes).is_err());
        assert!(read::<Vec<String>>(&bytes).is_err());
        assert!(read::<String>(&bytes).is_err());
        assert!(read::<HashMap<u8, u8>>(&bytes).is_err());
        // Elements that take no bytes would go on for as long.
        assert!(read::<Vec<()>>(&bytes).is_err());
        assert!(read::<HashMap<(), ()>>(&bytes).is_err());
    }
    crosses(&vec![(); 100_000]);
}

#[test]
fn what_cannot_cross_says_why() {
    #[derive(Serialize, Deserialize, Debug)]
    #[serde(untagged)]
    enum Either {
        Number(u8),
    }
    let why = read::<Either>(&bytes_of(&Either::Number(1))).unwrap_err();
    assert!(why.contains("untagged"), "{why}");

    #[derive(Serialize)]
    struct Sparse {
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<u8>,
    }
    let Err(why) = Message::encode(&Sparse { field: None }) else { panic!("it crossed") };
    assert!(why.to_string().contains("`field`"), "{why}");
}

/// Bytes from nowhere, and true bytes with a few wrong, give a value or an error, and nothing
/// else. The same as `fuzz/` tries for longer.
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
