//! The decoder: a serde `Deserializer` over bytes that another process may be writing.
//!
//! For each requested type the value's tag is checked first. Nearly always it is the expected one,
//! and the value is read directly; `any.rs` handles the rest.

use std::any::type_name;
use std::marker::PhantomData;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Visitor};

use super::access::{Items, Kind, Variant};
use super::depth::Depth;
use super::names::Names;
use super::reader::short;
use super::{WireError, bulk, tag};
use crate::process::value::lent::{LentSlice, LentStr};

pub(crate) use super::reader::Reader;

/// A message that is being decoded.
pub(super) struct Decoder<'a> {
    /// The rest of it.
    pub(super) reader: Reader<'a>,
    /// All of it.
    pub(super) whole: Reader<'a>,
    pub(super) depth: Depth,
    pub(super) names: Names,
}

/// Decodes a `T` that fills `reader` to its end.
pub(crate) fn decode<T>(reader: Reader<'_>) -> Result<T, WireError>
where
    T: DeserializeOwned,
{
    let whole = reader.clone();
    let mut decoder = Decoder { reader, whole, depth: Depth::new(), names: Names::new() };
    let value = get(PhantomData::<T>, &mut decoder);
    let value = value.map_err(|error| error.of(type_name::<T>()))?;
    match decoder.reader.left() {
        0 => Ok(value),
        left => Err(WireError::new(format!("{left} bytes left over"))),
    }
}

#[inline]
pub(super) fn get<'de, S>(seed: S, decoder: &mut Decoder<'_>) -> Result<S::Value, WireError>
where
    S: DeserializeSeed<'de>,
{
    match bulk::decode::<S, S::Value>(decoder) {
        Some(result) => result,
        None => seed.deserialize(decoder),
    }
}

impl Decoder<'_> {
    /// The tag of the next value.
    #[inline]
    pub(super) fn tag(&self) -> Result<u8, WireError> {
        self.reader.peek().ok_or_else(short)
    }

    /// Skips a tag without a value.
    #[inline]
    pub(super) fn pass_tag(&mut self) {
        let _ = self.reader.skip(1);
    }

    /// The number in the next word.
    #[inline]
    pub(super) fn number_in_word(&mut self) -> Result<u64, WireError> {
        Ok(tag::split(self.reader.number()?).1)
    }

    #[inline]
    pub(super) fn length(&mut self) -> Result<usize, WireError> {
        usize::try_from(self.number_in_word()?).map_err(|_| short())
    }

    /// A count of values, each of which takes at least one byte.
    pub(super) fn count(&mut self) -> Result<usize, WireError> {
        let count = self.length()?;
        if count > self.reader.left() {
            return Err(WireError::new("there are more elements than bytes"));
        }
        Ok(count)
    }

    /// The count of a run with this tag, whose first number is next then.
    pub(super) fn run_of(&mut self, tag: u8) -> Result<usize, WireError> {
        let count = self.length()?;
        let position = self.whole.left() - self.reader.left();
        self.reader.skip(tag::padding(tag, position))?;
        Ok(count)
    }

    /// A run of numbers with this tag, if that is next. Private to `bulk`.
    #[inline]
    pub(super) fn run<N: Copy>(&mut self, tag: u8) -> Option<Result<Vec<N>, WireError>> {
        (self.reader.peek() == Some(tag))
            .then(|| self.run_of(tag).and_then(|count| self.reader.numbers(count)))
    }

    /// The same in place, if it may be lent. Private to `bulk`.
    #[inline]
    pub(super) fn lent_run<N: Copy>(&mut self, tag: u8) -> Option<Result<LentSlice<N>, WireError>> {
        (self.reader.peek() == Some(tag))
            .then(|| self.run_of(tag).and_then(|count| self.reader.lent_numbers(count)))
    }

    /// A string in place, if that is next and may be lent.
    #[inline]
    pub(super) fn lent_string(&mut self) -> Option<Result<LentStr, WireError>> {
        (self.reader.peek() == Some(tag::STRING))
            .then(|| self.length().and_then(|length| self.reader.lent_string(length)))
    }

    /// So many values in a row.
    #[inline]
    pub(super) fn items<'de, V: Visitor<'de>>(
        &mut self,
        kind: Kind,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        self.depth.check()?;
        let mut items = Items { decoder: self, left: count };
        let value = match kind {
            Kind::Values => visitor.visit_seq(&mut items)?,
            Kind::Pairs => visitor.visit_map(&mut items)?,
        };
        items.finish(count)?;
        Ok(value)
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident: $type:ty = $tag:ident,)*) => { $(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
            match self.reader.tagged::<$type>(tag::$tag) {
                Some(number) => visitor.$visit(number),
                None => self.bare(visitor),
            }
        }
    )* };
}

macro_rules! by_look {
    ($($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
            self.bare(visitor)
        }
    )* };
}

impl<'de> de::Deserializer<'de> for &mut Decoder<'_> {
    type Error = WireError;

    numbers! {
        deserialize_i8 visit_i8: i8 = I8,
        deserialize_i16 visit_i16: i16 = I16,
        deserialize_i32 visit_i32: i32 = I32,
        deserialize_i64 visit_i64: i64 = I64,
        deserialize_i128 visit_i128: i128 = I128,
        deserialize_u8 visit_u8: u8 = U8,
        deserialize_u16 visit_u16: u16 = U16,
        deserialize_u32 visit_u32: u32 = U32,
        deserialize_u64 visit_u64: u64 = U64,
        deserialize_u128 visit_u128: u128 = U128,
        deserialize_f32 visit_f32: f32 = F32,
        deserialize_f64 visit_f64: f64 = F64,
    }

    by_look! {
        deserialize_bool deserialize_char deserialize_str deserialize_bytes deserialize_byte_buf
        deserialize_map deserialize_identifier
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        match self.tag()? {
            tag::STRING => {
                let length = self.length()?;
                visitor.visit_string(self.reader.string(length)?)
            }
            _ => self.bare(visitor),
        }
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        self.any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        self.any(visitor)
    }

    /// A value that is not an option counts as `Some`, as in JSON.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        match self.tag()? {
            tag::SOME => {
                self.pass_tag();
                self.depth.check()?;
                visitor.visit_some(self)
            }
            tag::NONE | tag::UNIT => {
                self.pass_tag();
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        match self.tag()? {
            tag::UNIT | tag::NONE => {
                self.pass_tag();
                visitor.visit_unit()
            }
            _ => self.bare(visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        match self.tag()? {
            tag::BYTES => {
                let length = self.length()?;
                self.one_by_one(tag::U8S, length, visitor)
            }
            _ => self.bare(visitor),
        }
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        if length < tag::SHORT_TUPLE && self.tag()? == tag::TUPLE + length as u8 {
            self.pass_tag();
            return self.items(Kind::Values, length, visitor);
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        self.exact_tuple(length, visitor).map_err(|error| error.of(name))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, WireError> {
        let result = match self.tag()? {
            tag::STRUCT => self.structure(fields, visitor),
            _ => self.bare(visitor),
        };
        result.map_err(|error| error.of(name))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, WireError> {
        self.depth.check()?;
        self.pass_some();
        let result = match self.tag()? {
            tag::VARIANT | tag::UNIT_VARIANT => visitor.visit_enum(Variant { decoder: self }),
            _ => self.variant_by_look(visitor),
        };
        result.map_err(|error| error.of(name))
    }
}
