//! Types that are encoded as other types, and those that need no attribute.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::enums::Order;
use super::structs::{SkipSerializing, Sparse, sparse};

#[derive(Debug, Serialize, Deserialize)]
struct Level {
    height: f32,
    width: Option<Option<u8>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Flat {
    id: u8,
    #[serde(flatten)]
    sparse: Sparse,
    #[serde(flatten)]
    maybe: Option<Level>,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Serialize, Deserialize)]
struct With {
    #[serde(with = "as_text")]
    both: u32,
    #[serde(serialize_with = "as_text::serialize", deserialize_with = "as_text::deserialize")]
    each: u32,
    #[serde(serialize_with = "as_some")]
    some: u32,
    #[serde(deserialize_with = "doubled")]
    doubled: u32,
    #[serde(with = "Remote")]
    remote: Duration,
}

mod as_text {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(number: &u32, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

fn as_some<S: serde::Serializer>(number: &u32, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_some(number)
}

fn doubled<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    u64::deserialize(from).map(|number| number as u32 * 2)
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Duration")]
struct Remote {
    #[serde(getter = "Duration::as_secs", rename = "s")]
    seconds: u64,
    #[serde(getter = "Duration::subsec_nanos", skip_serializing_if = "is_zero", default)]
    nanoseconds: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl From<Remote> for Duration {
    fn from(Remote { seconds, nanoseconds }: Remote) -> Self {
        Self::new(seconds, nanoseconds)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
struct Through(u32);

impl From<Through> for String {
    fn from(Through(number): Through) -> Self {
        format!("{number}")
    }
}

impl TryFrom<String> for Through {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
        if number == 13 { Err("unlucky".into()) } else { Ok(Self(number)) }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "(u8, u8)", from = "(u8, u8)", crate = "serde")]
struct From2(u16);

impl From<From2> for (u8, u8) {
    fn from(From2(number): From2) -> Self {
        number.to_be_bytes().into()
    }
}

impl From<(u8, u8)> for From2 {
    fn from(bytes: (u8, u8)) -> Self {
        Self(u16::from_be_bytes(bytes.into()))
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: Deserialize<'de> + Default"))]
struct Bound<T> {
    text: Cow<'static, str>,
    #[serde(skip)]
    default: T,
    kept: T,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Transparent<T> {
    value: Vec<T>,
    #[serde(skip)]
    skipped: u8,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
struct Generic<T, const N: usize> {
    #[serde(skip_serializing, default)]
    secret: [u8; 2],
    length: usize,
    kind: PhantomData<T>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, Serialize, Deserialize)]
struct Plain<'a> {
    unit: Unit,
    numbers: [u8; 3],
    long: [u64; 32],
    maybe: Option<Option<()>>,
    text: Cow<'a, str>,
    results: Vec<Result<(), String>>,
    by_order: HashMap<char, (u8, f64)>,
}

fn plain() -> Plain<'static> {
    Plain {
        unit: Unit,
        numbers: [1, 2, 3],
        long: [4; 32],
        maybe: None,
        text: "text".into(),
        results: vec![Ok(()), Err("no".into())],
        by_order: [('a', (1, 2.0))].into(),
    }
}

rows! {
    flatten Flat: [
        Flat { id: 1, sparse: sparse(3, vec![]), maybe: None, rest: BTreeMap::new() },
        Flat {
            id: 1,
            sparse: sparse(2, vec![sparse(1, vec![])]),
            maybe: Some(Level { height: 1.5, width: None }),
            rest: [("more".into(), serde_json::json!({ "a": [1, null, "b", 2.5, { "c": -1 }] }))]
                .into(),
        },
    ];
    json_value serde_json::Value:
        [serde_json::json!([null, true, 1, -1, 2.5, "text", [], { "a": { "b": [] } }])];
    with_and_remote Vec<With>: [(0..3)
        .map(|both| With {
            both, each: 2, some: 3, doubled: 4, remote: Duration::new(5, both),
        })
        .collect()];
    into_and_from Vec<From2>: [vec![From2(1), From2(u16::MAX)]];
    bounds Bound<i32>:
        [Bound { text: "text".into(), default: 1, kept: 2 }];
    into_and_try_from Through: [Through(7)];
    try_from_that_refuses Through2: [Through2 { id: Through(13) }]
        or "field `id` of `Through2`: unlucky";
    transparent Transparent<SkipSerializing>: [Transparent {
        value: vec![SkipSerializing { secret: 1, level: 2 }], skipped: 3,
    }];
    transparent_numbers Transparent<f64>: [Transparent { value: vec![1.5; 3], skipped: 3 }];
    generics Generic<Order, 5>:
        [Generic { secret: [1, 2], length: 5, kind: PhantomData }];
    plain_types Plain<'static>: [plain()];
}

#[derive(Debug, Serialize, Deserialize)]
struct Through2 {
    id: Through,
}
