//! Shapes that need no attribute, or one in a rarer place: keys of every kind, bytes, options in
//! options, types that ask what the format is or take whatever comes.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CString, OsString};
use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::{NonZeroU8, Wrapping};
use std::ops::{Bound, Range};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Bytes in one piece, as `serde_bytes` and the like write and read them.
#[derive(Debug)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Taker;

        impl<'de> Visitor<'de> for Taker {
            type Value = Vec<u8>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut all: A,
            ) -> Result<Vec<u8>, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = all.next_element()? {
                    bytes.push(byte);
                }
                Ok(bytes)
            }
        }

        deserializer.deserialize_bytes(Taker).map(Self)
    }
}

/// Another form for people than for programs, as identifiers and addresses have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Id(u64);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&format_args!("#{}", self.0))
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return u64::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        let number = text.strip_prefix('#').and_then(|number| number.parse().ok());
        number.map(Self).ok_or_else(|| serde::de::Error::custom("not an id"))
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Key<T>(T);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Color {
    Red,
    #[serde(rename = "verde")]
    Green,
}

#[derive(Debug, Serialize, Deserialize)]
struct Keys {
    numbers: BTreeMap<Key<u32>, u8>,
    texts: BTreeMap<Key<String>, u8>,
    characters: BTreeMap<char, u8>,
    colors: BTreeMap<Color, u8>,
    flags: BTreeMap<bool, u8>,
    wide: BTreeMap<i128, u8>,
    ids: BTreeMap<Id, u8>,
}

/// Those that JSON has no keys for.
#[derive(Debug, Serialize, Deserialize)]
struct OddKeys {
    pairs: BTreeMap<(u8, String), u8>,
    options: BTreeMap<Option<u8>, u8>,
    units: BTreeMap<(), u8>,
    lists: BTreeSet<Vec<Key<char>>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Options {
    none: Option<Option<u8>>,
    some_none: Option<Option<u8>>,
    some: Option<Option<Option<String>>>,
    units: [Option<()>; 2],
    list: Vec<Option<Option<bool>>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, Serialize, Deserialize)]
enum Units {
    A(Unit),
    B(()),
    C { unit: Unit, nothing: () },
    D(Unit, ()),
    E(Option<Unit>),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind")]
struct Tagged {
    name: Box<str>,
    bytes: Bytes,
}

#[derive(Debug, Serialize, Deserialize)]
enum PartlyUntagged {
    Known(u8),
    #[serde(untagged)]
    Point {
        x: i64,
        y: u64,
    },
    #[serde(untagged)]
    Rest(serde_json::Value),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Any {
    Letter { letter: char },
    Wide { unsigned: u64 },
    Pair((i8, Option<bool>)),
    Bytes(Bytes),
    Numbers(Vec<f32>),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum WithId {
    Id { id: Id },
}

#[derive(Debug, Serialize, Deserialize)]
struct FlatId {
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Debug, Serialize, Deserialize)]
struct Inner {
    id: Id,
}

#[derive(Debug, Serialize, Deserialize)]
struct FlatWide {
    #[serde(flatten)]
    inner: Wide,
}

#[derive(Debug, Serialize, Deserialize)]
struct Wide {
    wide: u128,
}

#[derive(Debug, Serialize, Deserialize)]
struct Std {
    when: SystemTime,
    long: Duration,
    addresses: (IpAddr, SocketAddr, SocketAddrV6),
    path: PathBuf,
    c: CString,
    none_zero: Option<NonZeroU8>,
    wrapping: Wrapping<u64>,
    range: Range<u32>,
    bound: Bound<u8>,
    shared: RefCell<Vec<i128>>,
    borrowed: Cow<'static, [u16]>,
    result: Result<Id, Key<Id>>,
    wide: (u128, [i128; 2]),
}

fn std() -> Std {
    Std {
        when: SystemTime::UNIX_EPOCH + Duration::new(7, 123_456_789),
        long: Duration::MAX,
        addresses: (
            [127, 0, 0, 1].into(),
            ([0_u16, 1, 2, 3, 4, 5, 6, 7], 80).into(),
            SocketAddrV6::new([0xfe80, 0, 0, 0, 0, 0, 0, 1].into(), 80, 0, 3),
        ),
        path: "/a/b".into(),
        c: c"text".into(),
        none_zero: NonZeroU8::new(0),
        wrapping: Wrapping(u64::MAX),
        range: 3..5,
        bound: Bound::Excluded(7),
        shared: RefCell::new(vec![i128::MIN, i128::MAX]),
        borrowed: vec![1, 2].into(),
        result: Err(Key(Id(5))),
        wide: (u128::MAX, [-1, 1]),
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Odd {
    name: OsString,
}

rows! {
    bytes Vec<Bytes>: [vec![Bytes(vec![]), Bytes((0..=255).collect())]];
    human_readable (Id, Vec<Id>, Option<Id>): [(Id(1), vec![Id(2), Id(3)], Some(Id(4)))];
    human_readable_in_a_tag WithId: [WithId::Id { id: Id(1) }];
    human_readable_in_flatten FlatId: [FlatId { inner: Inner { id: Id(1) } }];
    wide_in_flatten FlatWide: [FlatWide { inner: Wide { wide: 1 } }]
        or "invalid type: integer `1` as u128";
    keys Keys: [Keys {
        numbers: [(Key(1), 1), (Key(u32::MAX), 2)].into(),
        texts: [(Key("a".into()), 1)].into(),
        characters: [('a', 1), ('\u{10ffff}', 2)].into(),
        colors: [(Color::Red, 1), (Color::Green, 2)].into(),
        flags: [(false, 1), (true, 2)].into(),
        wide: [(i128::MIN, 1)].into(),
        ids: [(Id(1), 1)].into(),
    }];
    odd_keys OddKeys: [OddKeys {
        pairs: [((1, "a".into()), 1)].into(),
        options: [(None, 1), (Some(1), 2)].into(),
        units: [((), 1)].into(),
        lists: [vec![Key('a'), Key('b')], vec![]].into(),
    }];
    options_in_options Options: [Options {
        none: None,
        some_none: Some(None),
        some: Some(Some(Some("a".into()))),
        units: [None, Some(())],
        list: vec![None, Some(None), Some(Some(true))],
    }];
    units_in_enums Vec<Units>: [vec![
        Units::A(Unit),
        Units::B(()),
        Units::C { unit: Unit, nothing: () },
        Units::D(Unit, ()),
        Units::E(None),
        Units::E(Some(Unit)),
    ]];
    tagged_struct Tagged: [Tagged { name: "a".into(), bytes: Bytes(vec![1, 2]) }];
    partly_untagged Vec<PartlyUntagged>: [vec![
        PartlyUntagged::Known(1),
        PartlyUntagged::Point { x: -1, y: u64::MAX },
        PartlyUntagged::Rest(serde_json::json!([1, "a", null])),
    ]];
    untagged_shapes Vec<Any>: [vec![
        Any::Letter { letter: 'ß' },
        Any::Wide { unsigned: u64::MAX },
        Any::Pair((-1, Some(true))),
        Any::Numbers(vec![0.1, f32::MAX, -0.0]),
    ]];
    untagged_bytes Any: [Any::Bytes(Bytes(vec![1, 2, 3]))];
    what_std_has Std: [std()];
    names_that_are_no_text Odd: [Odd { name: trine_tests::system::no_text() }];
}
