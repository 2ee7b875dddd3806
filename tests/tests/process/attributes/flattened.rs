//! Fields of a field, as one with those of its owner; and what a type that looks first says of what
//! it cannot read.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::enums::Order;

#[derive(Debug, Serialize, Deserialize)]
struct Inner {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maybe: Option<u8>,
    number: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Twice {
    number: i64,
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Debug, Serialize, Deserialize)]
struct Deep {
    #[serde(flatten)]
    outer: Middle,
    #[serde(flatten)]
    order: Order,
    #[serde(flatten, skip_serializing_if = "BTreeMap::is_empty")]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct Middle {
    #[serde(flatten)]
    inner: Inner,
    own_text: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    id: u8,
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Debug, Serialize, Deserialize)]
struct Clash {
    a: u8,
    #[serde(flatten)]
    rest: HashMap<String, u8>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    #[serde(rename_all = "kebab-case")]
    Fields {
        long_name: u8,
    },
    Clash(HasKind),
    #[serde(other)]
    Other,
}

#[derive(Debug, Serialize, Deserialize)]
struct HasKind {
    kind: u8,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged, expecting = "one of the two")]
enum Choosy {
    #[serde(deserialize_with = "never")]
    Never(u8),
}

fn never<'de, D: serde::Deserializer<'de>>(_: D) -> Result<u8, D::Error> {
    Err(serde::de::Error::custom("never"))
}

#[derive(Debug, Serialize, Deserialize)]
struct HasChoosy {
    choosy: Choosy,
}

#[derive(Debug, Serialize, Deserialize)]
struct FlatChoosy {
    id: u8,
    #[serde(flatten)]
    has: HasChoosy,
}

fn inner(maybe: Option<u8>) -> Inner {
    Inner { maybe, number: -5 }
}

rows! {
    flatten_what_may_be_left_out Strict: [
        Strict { id: 1, inner: inner(None) },
        Strict { id: 1, inner: inner(Some(2)) },
    ];
    flatten_in_flatten Deep: [
        Deep {
            outer: Middle { inner: inner(Some(1)), own_text: "text".into() },
            order: Order::Sell(1, 2),
            rest: [("other".into(), serde_json::json!(-1))].into(),
        },
        Deep {
            outer: Middle { inner: inner(None), own_text: String::new() },
            order: Order::Hold { secret: 1, level: 2 },
            rest: BTreeMap::new(),
        },
    ];
    flatten_twice_the_same_name Twice: [Twice { number: 1, inner: inner(None) }]
        or "duplicate field `number`";
    flatten_a_key_that_is_a_field Clash: [Clash { a: 1, rest: [("a".into(), 2)].into() }]
        or "duplicate field `a`";
    tag_and_renamed_fields Vec<Tagged>: [vec![Tagged::Fields { long_name: 1 }, Tagged::Other]];
    tag_that_is_a_field Tagged: [Tagged::Clash(HasKind { kind: 1 })] or "`kind`";
    untagged_in_a_field HasChoosy: [HasChoosy { choosy: Choosy::Never(1) }]
        or "field `choosy` of `HasChoosy`: one of the two";
    untagged_in_flatten FlatChoosy:
        [FlatChoosy { id: 1, has: HasChoosy { choosy: Choosy::Never(1) } }]
        or "one of the two";
}
