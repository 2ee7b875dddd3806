//! Variants that are left out or renamed, and enums that are recognized by their contents.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::structs::SkipSerializing;

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    #[serde(skip)]
    _Draft,
    Buy(u32),
    #[serde(alias = "0", alias = "Z")]
    Sell(u32, u32),
    #[serde(skip_deserializing)]
    Unread,
    #[serde(skip_serializing)]
    _Unwritten,
    #[serde(rename = "stay")]
    Hold {
        #[serde(skip_serializing, default)]
        secret: u8,
        level: u8,
    },
    None,
}

#[derive(Debug, Serialize, Deserialize)]
enum Unread {
    A,
    #[serde(skip_deserializing)]
    B(u8),
}

#[derive(Debug, Serialize, Deserialize)]
enum Unwritten {
    #[serde(skip_serializing)]
    A,
}

#[derive(Debug, Serialize, Deserialize)]
enum Other {
    #[serde(skip_deserializing)]
    Newer,
    Known,
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u32),
    Text(String),
    Point { x: f32, y: f32 },
    Pair(u8, Box<Self>),
    Many(Vec<Untagged>),
    Choice(Order),
    Unit,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Internal {
    Unit,
    Newtype(SkipSerializing),
    Map(BTreeMap<String, Option<u8>>),
    Fields { x: Option<Option<u8>>, order: Order },
    Nested(Box<Self2>),
}

#[derive(Debug, Serialize, Deserialize)]
struct Self2 {
    inner: Vec<Internal>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    #[serde(skip)]
    _None,
    Unit,
    Newtype(u32),
    Tuple(u8, String),
    Fields {
        a: u8,
        b: Vec<Adjacent>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
enum Tuples {
    Short(u8, #[serde(skip_serializing, default)] u8),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Wide {
    Number(i128),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Address {
    Of(IpAddr),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "UPPERCASE")]
enum RenamedAll {
    BigFirst {
        some_field: u8,
    },
    ThenSecond,
    #[serde(rename_all = "PascalCase")]
    AndThird {
        other_field: u8,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all(serialize = "lowercase"))]
enum RenamedOnOneSide {
    Written,
}

#[derive(Debug, Serialize, Deserialize)]
enum WithVariant {
    #[serde(with = "as_list")]
    List(u8),
    #[serde(serialize_with = "as_list::serialize", deserialize_with = "as_list::deserialize")]
    Each(u8),
    Skipping {
        #[serde(skip)]
        hidden: u8,
        shown: u8,
    },
    Pair(#[serde(skip)] u8, u8),
}

mod as_list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(number: &u8, to: S) -> Result<S::Ok, S::Error> {
        vec![*number; 2].serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
        Vec::deserialize(from).map(|numbers: Vec<u8>| numbers[0])
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum AdjacentSkips {
    #[serde(skip_deserializing)]
    _Unread(u8),
    Field(#[serde(skip_serializing, default)] u8, u8),
    #[serde(other)]
    Rest,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields)]
enum StrictTagged {
    Fields {
        a: u8,
        #[serde(skip_deserializing)]
        b: u8,
    },
    Flat {
        id: u8,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        maybe: Option<Box<Self>>,
    },
    Unit {},
}

#[derive(Debug, Serialize, Deserialize)]
enum FlatVariants {
    Only {
        #[serde(flatten)]
        all: BTreeMap<String, u8>,
    },
    Beside {
        id: u8,
        #[serde(flatten)]
        inner: SkipSerializing,
        #[serde(flatten)]
        other: Option<HasUnits>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct HasUnits {
    units: Vec<()>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum NumbersOfNames {
    #[serde(rename = "1")]
    Two,
    #[serde(rename = "0")]
    One,
    #[serde(rename = "")]
    Empty(u8),
}

rows! {
    enum_tagged_and_strict Vec<StrictTagged>: [
        vec![
            StrictTagged::Flat { id: 1, maybe: None },
            StrictTagged::Flat { id: 2, maybe: Some(Box::new(StrictTagged::Unit {})) },
        ],
        vec![StrictTagged::Fields { a: 1, b: 2 }],
    ] or "unknown field `b`";
    enum_with_flattened_variants Vec<FlatVariants>: [vec![
        FlatVariants::Only { all: [("a".into(), 1), ("".into(), 2)].into() },
        FlatVariants::Only { all: BTreeMap::new() },
        FlatVariants::Beside {
            id: 1,
            inner: SkipSerializing { secret: 2, level: 3 },
            other: Some(HasUnits { units: vec![(); 3] }),
        },
        FlatVariants::Beside {
            id: 1,
            inner: SkipSerializing { secret: 2, level: 3 },
            other: None,
        },
    ]];
    enum_with_names_that_are_numbers BTreeMap<u8, NumbersOfNames>: [[
        (0, NumbersOfNames::One),
        (1, NumbersOfNames::Two),
        (2, NumbersOfNames::Empty(3)),
    ].into()];
    enum_renamed_as_a_whole Vec<RenamedAll>: [vec![
        RenamedAll::BigFirst { some_field: 1 },
        RenamedAll::ThenSecond,
        RenamedAll::AndThird { other_field: 2 },
    ]];
    enum_renamed_on_one_side RenamedOnOneSide: [RenamedOnOneSide::Written]
        or "`RenamedOnOneSide`: unknown variant `written`";
    enum_with_variants_by_functions Vec<WithVariant>: [vec![
        WithVariant::List(1),
        WithVariant::Each(2),
        WithVariant::Skipping { hidden: 3, shown: 4 },
        WithVariant::Pair(5, 6),
    ]];
    enum_adjacently_tagged_with_fewer AdjacentSkips:
        [AdjacentSkips::Rest, AdjacentSkips::Field(1, 2)] or "field `c` of `AdjacentSkips`: ";
    enum_with_skipped_variants Vec<Order>: [
        vec![Order::Buy(100)],
        vec![Order::Sell(1, 2), Order::Hold { secret: 3, level: 4 }, Order::None],
    ];
    enum_with_an_unread_unit Order: [Order::Unread] or "`Order`: unknown variant `Unread`";
    enum_with_an_unread_variant Unread: [Unread::A, Unread::B(1)]
        or "`Unread`: unknown variant `B`";
    enum_with_an_unwritten_variant Unwritten: [Unwritten::A] or "Unwritten";
    enum_other Vec<Other>: [vec![Other::Newer, Other::Known, Other::Unknown]];
    enum_untagged Untagged: [
        Untagged::Number(1),
        Untagged::Text("a".into()),
        Untagged::Point { x: 1.5, y: 2.5 },
        Untagged::Pair(1, Box::new(Untagged::Number(2))),
        Untagged::Many(vec![Untagged::Number(3), Untagged::Unit]),
        Untagged::Choice(Order::Buy(1)),
        Untagged::Choice(Order::Hold { secret: 1, level: 2 }),
        Untagged::Unit,
    ];
    enum_internally_tagged Vec<Internal>: [vec![
        Internal::Unit,
        Internal::Newtype(SkipSerializing { secret: 1, level: 2 }),
        Internal::Map([("a".into(), Some(1)), ("b".into(), None)].into()),
        Internal::Fields { x: Some(Some(1)), order: Order::Sell(1, 2) },
        Internal::Fields { x: None, order: Order::None },
        Internal::Nested(Box::new(Self2 { inner: vec![Internal::Unit] })),
    ]];
    enum_adjacently_tagged Vec<Adjacent>: [vec![
        Adjacent::Unit,
        Adjacent::Newtype(1),
        Adjacent::Tuple(2, "a".into()),
        Adjacent::Fields { a: 1, b: vec![Adjacent::Unit] },
    ]];
    tuple_variant_with_fewer Tuples: [Tuples::Short(1, 2)] or "`Tuples`: 1 unnamed fields";
    wide_number_without_a_tag Wide: [Wide::Number(1)] or "as i128";
    address_without_a_tag Address: [Address::Of([127, 0, 0, 1].into())];
}

/// An enum without a tag names no type to serde; the call knows it.
#[test]
fn what_matches_no_variant_is_an_error_that_names_the_type() {
    #[trine::concurrent(process)]
    fn echo(wide: Wide) -> Wide {
        wide
    }

    #[trine::concurrent(process)]
    fn make() -> Wide {
        Wide::Number(1)
    }

    for task in [echo(Wide::Number(1)), make()] {
        let why = super::codec(task.join().unwrap_err());
        assert!(why.contains("Wide"), "{why}");
    }
}
