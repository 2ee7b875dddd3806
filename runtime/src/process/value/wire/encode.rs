//! The encoder: a serde `Serializer` that writes native bytes.

use std::any::type_name;

use serde::Serialize;
use serde::ser;

use super::depth::Depth;
use super::fields::{Fields, Names, write_name};
use super::{WireError, bulk, tag};

pub(crate) use crate::process::value::output::Output;

/// Encodes `value` at the end of `output`.
pub(crate) fn encode<T>(value: &T, output: &mut Output) -> Result<(), WireError>
where
    T: Serialize + ?Sized,
{
    let base = output.len();
    let depth = Depth::new();
    let mut encoder = Encoder { output, base, names: None, depth, has_failed: false };
    put(value, &mut encoder).map_err(|error| error.of(type_name::<T>()))?;
    let Encoder { output, names, has_failed, .. } = encoder;
    if let Some(names) = names {
        names.recycle();
    }
    if has_failed {
        let error = WireError::new("its `Serialize` ignored the error of one of its parts");
        return Err(error.of(type_name::<T>()));
    }
    output.check()
}

pub(super) struct Encoder<'a> {
    pub(super) output: &'a mut Output,
    /// Where the message starts.
    pub(super) base: usize,
    pub(super) names: Option<Box<Names>>,
    pub(super) depth: Depth,
    /// Whether a part is incomplete.
    has_failed: bool,
}

#[inline]
pub(super) fn put<T>(value: &T, encoder: &mut Encoder<'_>) -> Result<(), WireError>
where
    T: Serialize + ?Sized,
{
    if bulk::encode(value, encoder.base, encoder.output) {
        return Ok(());
    }
    let result = value.serialize(&mut *encoder);
    if result.is_err() {
        encoder.has_failed = true;
    }
    result
}

impl Encoder<'_> {
    /// Writes the name of a variant, before its value.
    #[inline]
    fn variant(&mut self, tag: u8, name: &str, variant: &str) -> Result<(), WireError> {
        self.depth.check()?;
        self.output.write(&[tag]);
        write_name(variant, self.output).map_err(|error| error.of(name))
    }

    /// Starts a tuple.
    #[inline]
    fn tuple(&mut self, length: usize) -> Result<(), WireError> {
        self.depth.check()?;
        if length < tag::SHORT_TUPLE {
            self.output.write(&[tag::TUPLE + length as u8]);
        } else {
            self.output.write(&tag::word(tag::SEQUENCE, length));
        }
        Ok(())
    }
}

/// A sequence or map in progress; its length is written once it is known for certain.
pub(super) struct Counted<'a, 'b> {
    encoder: &'a mut Encoder<'b>,
    tag: u8,
    word_at: usize,
    /// The elements or keys.
    count: usize,
    /// The values of a map.
    values: usize,
}

impl<'a, 'b> Counted<'a, 'b> {
    fn start(encoder: &'a mut Encoder<'b>, tag: u8) -> Result<Self, WireError> {
        encoder.depth.check()?;
        let word_at = encoder.output.len();
        encoder.output.write(&tag::word(tag, 0));
        Ok(Self { encoder, tag, word_at, count: 0, values: 0 })
    }

    fn finish(self) -> Result<(), WireError> {
        self.encoder.output.patch(self.word_at, &tag::word(self.tag, self.count));
        Ok(())
    }
}

/// A tuple in progress, whose length was given at the start.
pub(super) struct Fixed<'a, 'b> {
    encoder: &'a mut Encoder<'b>,
    left: usize,
}

impl<'a, 'b> Fixed<'a, 'b> {
    #[inline]
    fn start(encoder: &'a mut Encoder<'b>, left: usize) -> Result<Self, WireError> {
        encoder.tuple(left)?;
        Ok(Self { encoder, left })
    }
}

#[cold]
fn miscounted() -> WireError {
    WireError::new("its `Serialize` did not write as many values as it announced")
}

macro_rules! numbers {
    ($($method:ident: $type:ty = $tag:ident,)*) => { $(
        #[inline]
        fn $method(self, value: $type) -> Result<(), WireError> {
            let mut bytes = [tag::$tag; 1 + size_of::<$type>()];
            bytes[1..].copy_from_slice(&value.to_ne_bytes());
            self.output.write(&bytes);
            Ok(())
        }
    )* };
}

impl<'a, 'b> ser::Serializer for &'a mut Encoder<'b> {
    type Ok = ();
    type Error = WireError;
    type SerializeSeq = Counted<'a, 'b>;
    type SerializeTuple = Fixed<'a, 'b>;
    type SerializeTupleStruct = Fixed<'a, 'b>;
    type SerializeTupleVariant = Fixed<'a, 'b>;
    type SerializeMap = Counted<'a, 'b>;
    type SerializeStruct = Fields<'a, 'b>;
    type SerializeStructVariant = Fields<'a, 'b>;

    numbers! {
        serialize_i8: i8 = I8, serialize_i16: i16 = I16, serialize_i32: i32 = I32,
        serialize_i64: i64 = I64, serialize_i128: i128 = I128, serialize_u8: u8 = U8,
        serialize_u16: u16 = U16, serialize_u32: u32 = U32, serialize_u64: u64 = U64,
        serialize_u128: u128 = U128, serialize_f32: f32 = F32, serialize_f64: f64 = F64,
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), WireError> {
        self.output.write(&[if value { tag::TRUE } else { tag::FALSE }]);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), WireError> {
        self.output.write(&[tag::CHAR]);
        self.output.write(&u32::from(value).to_ne_bytes());
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), WireError> {
        self.output.write(&tag::word(tag::STRING, value.len()));
        self.output.write(value.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), WireError> {
        self.output.write(&tag::word(tag::BYTES, value.len()));
        self.output.write(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), WireError> {
        self.output.write(&[tag::NONE]);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), WireError> {
        self.depth.check()?;
        self.output.write(&[tag::SOME]);
        put(value, self)
    }

    fn serialize_unit(self) -> Result<(), WireError> {
        self.output.write(&[tag::UNIT]);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), WireError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), WireError> {
        self.variant(tag::UNIT_VARIANT, name, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), WireError> {
        put(value, self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), WireError> {
        self.variant(tag::VARIANT, name, variant)?;
        put(value, self).map_err(|error| error.of(&format!("{name}::{variant}")))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, WireError> {
        Counted::start(self, tag::SEQUENCE)
    }

    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, WireError> {
        Fixed::start(self, length)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleStruct, WireError> {
        Fixed::start(self, length)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, WireError> {
        self.variant(tag::VARIANT, name, variant)?;
        Fixed::start(self, length)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, WireError> {
        Counted::start(self, tag::MAP)
    }

    fn serialize_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStruct, WireError> {
        Fields::start(self, name, length)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, WireError> {
        self.variant(tag::VARIANT, name, variant)?;
        Fields::start(self, variant, length)
    }
}

impl ser::SerializeSeq for Counted<'_, '_> {
    type Ok = ();
    type Error = WireError;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WireError> {
        self.count += 1;
        put(value, self.encoder)
    }

    fn end(self) -> Result<(), WireError> {
        self.finish()
    }
}

impl ser::SerializeMap for Counted<'_, '_> {
    type Ok = ();
    type Error = WireError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), WireError> {
        self.count += 1;
        put(key, self.encoder)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WireError> {
        self.values += 1;
        if self.values != self.count {
            return Err(miscounted());
        }
        put(value, self.encoder)
    }

    fn end(self) -> Result<(), WireError> {
        if self.values == self.count { self.finish() } else { Err(miscounted()) }
    }
}

macro_rules! fixed {
    ($($trait:ident::$method:ident,)*) => { $(
        impl ser::$trait for Fixed<'_, '_> {
            type Ok = ();
            type Error = WireError;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WireError> {
                self.left = self.left.checked_sub(1).ok_or_else(miscounted)?;
                put(value, self.encoder)
            }

            #[inline]
            fn end(self) -> Result<(), WireError> {
                if self.left == 0 { Ok(()) } else { Err(miscounted()) }
            }
        }
    )* };
}

fixed! {
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}
