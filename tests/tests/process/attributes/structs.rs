//! Fields that are left out, renamed, or present on one side only.

use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Skip {
    pub(super) a: u32,
    #[serde(skip)]
    pub(super) b: u32,
    pub(super) c: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SkipSerializing {
    #[serde(skip_serializing, default)]
    pub(super) secret: u8,
    pub(super) level: u8,
}

#[derive(Debug, Serialize, Deserialize)]
struct SkipDeserializing {
    #[serde(skip_deserializing)]
    cache: u32,
    id: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct SkipEach {
    #[serde(skip_serializing, default)]
    secret: u32,
    id: u32,
    #[serde(skip_deserializing)]
    cache: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Required {
    #[serde(skip_serializing)]
    required: u8,
    other: u8,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    #[serde(skip_deserializing)]
    unknown: u8,
    other: u8,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Sparse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) a: Option<u32>,
    #[serde(skip_serializing_if = "String::is_empty", default = "unnamed")]
    pub(super) b: String,
    pub(super) c: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) d: Vec<Sparse>,
}

fn unnamed() -> String {
    "unnamed".into()
}

pub(super) fn sparse(bits: u32, d: Vec<Sparse>) -> Sparse {
    Sparse { a: (bits & 1 > 0).then_some(bits), b: "b".repeat(bits as usize & 2), c: bits, d }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Renamed {
    #[serde(rename = "x")]
    long_name: u8,
    #[serde(alias = "a", alias = "z")]
    other_name: u8,
    #[serde(rename(serialize = "new", deserialize = "old"), default)]
    one_sided: u8,
    #[serde(rename(serialize = "wrote"), alias = "wrote")]
    read: u8,
}

#[derive(Debug, Serialize, Deserialize)]
struct Swapped {
    #[serde(rename(serialize = "b"))]
    a: u8,
    #[serde(rename(serialize = "a"))]
    b: u8,
}

#[derive(Debug, Serialize, Deserialize)]
struct Pair(u8, #[serde(skip)] u8, u8);

#[derive(Debug, Serialize, Deserialize)]
struct Short(#[serde(skip_serializing, default)] u8, #[serde(default)] u8);

#[derive(Debug, Serialize, Deserialize)]
struct Long(#[serde(skip_deserializing)] u8, u8);

#[derive(Debug, Serialize, Deserialize)]
#[serde(default = "filled", rename_all(deserialize = "UPPERCASE", serialize = "UPPERCASE"))]
struct Filled {
    #[serde(skip_serializing)]
    first: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    second: Vec<u8>,
    #[serde(skip_deserializing)]
    third: i128,
}

fn filled() -> Filled {
    Filled { first: Some(1), second: vec![], third: i128::MIN }
}

#[derive(Debug, Hash, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Place {
    x: i32,
    y: Option<u64>,
}

rows! {
    defaults_of_a_function Filled: [
        Filled { first: None, second: vec![2], third: 3 },
        Filled { first: Some(4), second: vec![], third: 5 },
    ];
    structs_as_keys std::collections::BTreeMap<Place, Vec<Place>>: [
        [(Place { x: -1, y: None }, vec![Place { x: 1, y: Some(u64::MAX) }])].into(),
    ];
    skip Skip: [Skip { a: 1, b: 2, c: 3 }];
    skip_serializing SkipSerializing: [SkipSerializing { secret: 1, level: 7 }];
    skip_deserializing SkipDeserializing: [SkipDeserializing { cache: 1, id: 2 }];
    skip_each_on_one_side SkipEach: [SkipEach { secret: 1, id: 5, cache: 9 }];
    skip_what_is_required Required:
        [Required { required: 1, other: 2 }] or "`Required`: missing field `required`";
    deny_unknown_fields Strict:
        [Strict { unknown: 1, other: 2 }] or "`Strict`: unknown field `unknown`";
    skip_serializing_if Sparse: [
        sparse(0, vec![]),
        sparse(3, (0..20).map(|bits| sparse(bits, vec![sparse(3 - bits % 4, vec![])])).collect()),
    ];
    rename_and_alias Renamed:
        [Renamed { long_name: 1, other_name: 2, one_sided: 3, read: 4 }];
    rename_swapped Swapped: [Swapped { a: 1, b: 2 }];
    tuple_struct Pair: [Pair(1, 2, 3)];
    tuple_struct_with_fewer Short: [Short(1, 2)] or "`Short`: 1 unnamed fields";
    tuple_struct_with_more Long: [Long(1, 2)] or "`Long`: 2 unnamed fields";
}
