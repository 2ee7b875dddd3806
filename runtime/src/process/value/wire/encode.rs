//! The encoder: a serde `Serializer` that writes native bytes.

use super::{WireError, bulk};
use serde::Serialize;
use serde::ser;

pub(crate) use crate::process::value::output::Output;

/// Encodes `value` at the end of `output`.
pub(crate) fn encode<T>(value: &T, output: &mut Output) -> Result<(), WireError>
where
    T: Serialize + ?Sized,
{
    put(value, &mut Encoder { output })?;
    output.check()
}

struct Encoder<'a> {
    output: &'a mut Output,
}

#[inline]
fn put<T>(value: &T, encoder: &mut Encoder<'_>) -> Result<(), WireError>
where
    T: Serialize + ?Sized,
{
    if bulk::encode(value, encoder.output) { Ok(()) } else { value.serialize(encoder) }
}

/// A sequence or map under way; its length is written when it is known for sure.
pub(crate) struct Counted<'a, 'b> {
    encoder: &'a mut Encoder<'b>,
    length_at: usize,
    length: u64,
}

impl<'a, 'b> Counted<'a, 'b> {
    fn start(encoder: &'a mut Encoder<'b>) -> Self {
        let length_at = encoder.output.len();
        encoder.output.write(&0_u64.to_ne_bytes());
        Self { encoder, length_at, length: 0 }
    }

    fn finish(self) -> Result<(), WireError> {
        self.encoder.output.patch(self.length_at, &self.length.to_ne_bytes());
        Ok(())
    }
}

macro_rules! scalars {
    ($($method:ident: $type:ty,)*) => { $(
        #[inline]
        fn $method(self, value: $type) -> Result<(), WireError> {
            self.output.write(&value.to_ne_bytes());
            Ok(())
        }
    )* };
}

impl<'a, 'b> ser::Serializer for &'a mut Encoder<'b> {
    type Ok = ();
    type Error = WireError;
    type SerializeSeq = Counted<'a, 'b>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Counted<'a, 'b>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    scalars! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64, serialize_u128: u128, serialize_f32: f32, serialize_f64: f64,
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), WireError> {
        self.serialize_u8(u8::from(value))
    }

    fn serialize_char(self, value: char) -> Result<(), WireError> {
        self.serialize_u32(value.into())
    }

    fn serialize_str(self, value: &str) -> Result<(), WireError> {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), WireError> {
        self.output.write(&(value.len() as u64).to_ne_bytes());
        self.output.write(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), WireError> {
        self.serialize_u8(0)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), WireError> {
        self.output.write(&[1]);
        put(value, self)
    }

    fn serialize_unit(self) -> Result<(), WireError> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), WireError> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), WireError> {
        self.serialize_u32(index)
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
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), WireError> {
        self.output.write(&index.to_ne_bytes());
        put(value, self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, WireError> {
        Ok(Counted::start(self))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, WireError> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, WireError> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, WireError> {
        self.output.write(&index.to_ne_bytes());
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, WireError> {
        Ok(Counted::start(self))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, WireError> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, WireError> {
        self.output.write(&index.to_ne_bytes());
        Ok(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl ser::SerializeSeq for Counted<'_, '_> {
    type Ok = ();
    type Error = WireError;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WireError> {
        self.length += 1;
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
        self.length += 1;
        put(key, self.encoder)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WireError> {
        put(value, self.encoder)
    }

    fn end(self) -> Result<(), WireError> {
        self.finish()
    }
}

macro_rules! fixed {
    ($($trait:ident::$method:ident,)*) => { $(
        impl ser::$trait for &mut Encoder<'_> {
            type Ok = ();
            type Error = WireError;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WireError> {
                put(value, self)
            }

            fn end(self) -> Result<(), WireError> {
                Ok(())
            }
        }
    )* };
}

fixed! {
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

macro_rules! fields {
    ($($trait:ident,)*) => { $(
        impl ser::$trait for &mut Encoder<'_> {
            type Ok = ();
            type Error = WireError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _: &'static str,
                value: &T,
            ) -> Result<(), WireError> {
                put(value, self)
            }

            /// The reader could not know that the field is missing.
            fn skip_field(&mut self, field: &'static str) -> Result<(), WireError> {
                Err(WireError::new(format!(
                    "the field `{field}` is left out (`skip_serializing_if`): \
                     values that cross to a worker are not self-describing"
                )))
            }

            fn end(self) -> Result<(), WireError> {
                Ok(())
            }
        }
    )* };
}

fields! { SerializeStruct, SerializeStructVariant, }
