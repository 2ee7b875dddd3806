//! Attributes in rarer places: fields of tuples that may be left out, enums as fields of their
//! owner, types of others that are enums, identifiers, and the longest shapes without a list.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

#[derive(Debug, Serialize, Deserialize)]
struct MaybeLast(u8, #[serde(default, skip_serializing_if = "Option::is_none")] Option<u8>);

#[derive(Debug, Serialize, Deserialize)]
struct MaybeFirst(
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<u8>,
    #[serde(default)] u8,
);

#[derive(Debug, Serialize, Deserialize)]
enum MaybeVariants {
    Last(u8, #[serde(default, skip_serializing_if = "Option::is_none")] Option<u8>),
    Named {
        #[serde(skip_serializing_if = "Option::is_none")]
        first: Option<u8>,
        last: u8,
    },
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct DefaultTuple(u8, #[serde(skip)] String, u8);

#[derive(Debug, Serialize, Deserialize)]
struct Defaults {
    #[serde(skip, default = "seven")]
    skipped: u8,
    #[serde(skip_deserializing, default = "seven")]
    unread: u8,
    #[serde(skip_serializing, default = "seven")]
    unwritten: u8,
    last: u8,
}

fn seven() -> u8 {
    7
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(remote = "Ordering", rename_all = "lowercase")]
enum RemoteOrdering {
    Less,
    Equal,
    Greater,
}

#[derive(Debug, Serialize, Deserialize)]
struct Compared {
    #[serde(with = "RemoteOrdering")]
    ordering: Ordering,
    count: u32,
}

#[derive(Debug, Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Name {
    FirstOne,
    Second,
    Other(String),
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::FirstOne => "first_one",
            Self::Second => "second",
            Self::Other(other) => other,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(variant_identifier)]
enum VariantName {
    First,
    Second,
}

impl Serialize for VariantName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
enum Internal {
    NoFields,
    SomeFields { a: u8, b: Option<String> },
    StrictOnes(StrictInner),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictInner {
    c: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", content = "c", deny_unknown_fields)]
enum Adjacent {
    Unit,
    Number(i64),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Known { known: u8 },
    Any(HashMap<String, bool>),
}

#[derive(Debug, Serialize, Deserialize)]
struct FlatEnums {
    id: u8,
    #[serde(flatten)]
    internal: Internal,
    #[serde(flatten)]
    adjacent: Option<Adjacent>,
    #[serde(flatten, skip)]
    skipped: HashMap<String, u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FlatUntagged {
    #[serde(flatten)]
    newtype: Newtype,
    #[serde(flatten)]
    untagged: Untagged,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Newtype(StrictlyOne);

#[derive(Debug, Serialize, Deserialize)]
struct StrictlyOne {
    one: char,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Key {
    x: i8,
    name: Box<str>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Long {
    sixteen: Sixteen,
    twelve: (u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u64),
    one: [String; 1],
    many: [u16; 31],
    nested: [[Option<i128>; 2]; 3],
    by_key: HashMap<Key, Key>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Sixteen(u8, i8, u16, i16, u32, i32, u64, i64, u128, i128, f32, f64, char, bool, String, ());

fn long() -> Long {
    let key = Key { x: -1, name: "ß".into() };
    Long {
        sixteen: Sixteen(
            1,
            -2,
            3,
            -4,
            5,
            -6,
            7,
            -8,
            9,
            -10,
            11.5,
            -12.5,
            '\u{d7ff}',
            true,
            "15".into(),
            (),
        ),
        twelve: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, u64::MAX),
        one: ["one".into()],
        many: std::array::from_fn(|index| index as u16),
        nested: [[Some(i128::MIN), None], [None, Some(0)], [None, None]],
        by_key: [(key.clone(), key)].into(),
    }
}

/// Those that signal keep that as well.
#[derive(Serialize, Deserialize)]
struct Signaling(f32, f64);

impl fmt::Debug for Signaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x} {:x}", self.0.to_bits(), self.1.to_bits())
    }
}

rows! {
    last_of_a_tuple_that_may_be_left_out MaybeLast: [MaybeLast(1, Some(2)), MaybeLast(1, None)]
        or "`MaybeLast`: 1 unnamed fields";
    first_of_a_tuple_that_may_be_left_out MaybeFirst: [MaybeFirst(Some(1), 2), MaybeFirst(None, 2)]
        or "`MaybeFirst`: 1 unnamed fields";
    variants_with_what_may_be_left_out MaybeVariants: [
        MaybeVariants::Last(1, Some(2)),
        MaybeVariants::Last(1, None),
        MaybeVariants::Named { first: None, last: 1 },
        MaybeVariants::Named { first: Some(1), last: 2 },
    ] or "`MaybeVariants`: 1 unnamed fields";
    default_tuple DefaultTuple: [DefaultTuple(1, "2".into(), 3)];
    defaults_of_functions Vec<Defaults>:
        [vec![Defaults { skipped: 1, unread: 2, unwritten: 3, last: 4 }]];
    remote_enum Vec<Compared>: [[Ordering::Less, Ordering::Equal, Ordering::Greater]
        .map(|ordering| Compared { ordering, count: 1 })
        .into()];
    field_identifier Vec<Name>: [vec![Name::FirstOne, Name::Second, Name::Other("a".into())]];
    variant_identifier Vec<VariantName>: [vec![VariantName::First, VariantName::Second]];
    enums_in_flatten Vec<FlatEnums>: [vec![
        FlatEnums {
            id: 1,
            internal: Internal::SomeFields { a: 2, b: Some("b".into()) },
            adjacent: Some(Adjacent::Number(-3)),
            skipped: [("skipped".into(), 4)].into(),
        },
        FlatEnums {
            id: 2,
            internal: Internal::NoFields,
            adjacent: None,
            skipped: [].into(),
        },
    ]];
    untagged_enum_in_flatten Vec<FlatUntagged>: [vec![
        FlatUntagged {
            newtype: Newtype(StrictlyOne { one: '1' }), untagged: Untagged::Known { known: 2 },
        },
        FlatUntagged {
            newtype: Newtype(StrictlyOne { one: '\0' }),
            untagged: Untagged::Any([].into()),
        },
    ]];
    tagged_and_strict Vec<Internal>: [vec![
        Internal::StrictOnes(StrictInner { c: vec![1, 2] }),
        Internal::SomeFields { a: 1, b: None },
        Internal::NoFields,
    ]];
    adjacently_tagged_and_strict Vec<Adjacent>:
        [vec![Adjacent::Unit, Adjacent::Number(i64::MIN)]];
    long_tuples_and_arrays Long: [long()];
    signaling_floats Vec<Signaling>: [vec![
        Signaling(f32::from_bits(0x7fa0_0001), f64::from_bits(0x7ff4_0000_0000_0001)),
        Signaling(f32::from_bits(0xffff_ffff), f64::from_bits(u64::MAX)),
    ]];
}
