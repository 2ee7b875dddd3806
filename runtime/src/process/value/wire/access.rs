//! The parts of one value, as serde's visitors walk over them.

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::decode::{Decoder, Reader, get};
use super::reader::MAX_NAME;
use super::{WireError, tag};

/// What a row consists of.
pub(super) enum Kind {
    Values,
    Pairs,
}

#[cold]
fn left_over(left: usize, of: usize) -> WireError {
    WireError::new(format!("{left} of {of} values were not read"))
}

/// Values or pairs in a row.
pub(super) struct Items<'r, 'a> {
    pub(super) decoder: &'r mut Decoder<'a>,
    pub(super) left: usize,
}

impl Items<'_, '_> {
    #[inline]
    pub(super) fn finish(self, of: usize) -> Result<(), WireError> {
        if self.left == 0 { Ok(()) } else { Err(left_over(self.left, of)) }
    }

    /// No more than could be there: a false length must not reserve memory.
    fn hint(&self) -> Option<usize> {
        Some(self.left.min(self.decoder.reader.left()))
    }
}

impl<'de> de::SeqAccess<'de> for &mut Items<'_, '_> {
    type Error = WireError;

    #[inline]
    fn next_element_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, WireError>
    where
        S: DeserializeSeed<'de>,
    {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        get(seed, self.decoder).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> de::MapAccess<'de> for &mut Items<'_, '_> {
    type Error = WireError;

    fn next_key_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, WireError>
    where
        S: DeserializeSeed<'de>,
    {
        de::SeqAccess::next_element_seed(self, seed)
    }

    fn next_value_seed<S>(&mut self, seed: S) -> Result<S::Value, WireError>
    where
        S: DeserializeSeed<'de>,
    {
        get(seed, self.decoder)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

/// The numbers of a run, one by one, for visitors that do not take the run as a whole. It does not
/// depend on the kind of number, or each visitor would be compiled once for each kind.
pub(super) struct Run<'r, 'a> {
    pub(super) decoder: &'r mut Decoder<'a>,
    pub(super) tag: u8,
    pub(super) left: usize,
}

impl Run<'_, '_> {
    pub(super) fn finish(self, of: usize) -> Result<(), WireError> {
        if self.left == 0 { Ok(()) } else { Err(left_over(self.left, of)) }
    }
}

impl<'de> de::SeqAccess<'de> for &mut Run<'_, '_> {
    type Error = WireError;

    fn next_element_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, WireError>
    where
        S: DeserializeSeed<'de>,
    {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(Number { reader: &mut self.decoder.reader, tag: self.tag }).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(self.decoder.reader.left() / tag::number_size(self.tag)))
    }
}

/// The next number of a run with that tag.
struct Number<'r, 'a> {
    reader: &'r mut Reader<'a>,
    tag: u8,
}

impl<'de> de::Deserializer<'de> for Number<'_, '_> {
    type Error = WireError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        let reader = self.reader;
        match self.tag {
            tag::I8S => visitor.visit_i8(reader.number()?),
            tag::I16S => visitor.visit_i16(reader.number()?),
            tag::I32S => visitor.visit_i32(reader.number()?),
            tag::I64S => visitor.visit_i64(reader.number()?),
            tag::I128S => visitor.visit_i128(reader.number()?),
            tag::U8S => visitor.visit_u8(reader.number()?),
            tag::U16S => visitor.visit_u16(reader.number()?),
            tag::U32S => visitor.visit_u32(reader.number()?),
            tag::U64S => visitor.visit_u64(reader.number()?),
            tag::U128S => visitor.visit_u128(reader.number()?),
            tag::F32S => visitor.visit_f32(reader.number()?),
            _ => visitor.visit_f64(reader.number()?),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The fields of a struct whose names are known to be these.
pub(super) struct InOrder<'r, 'a> {
    pub(super) decoder: &'r mut Decoder<'a>,
    pub(super) fields: &'static [&'static str],
}

impl InOrder<'_, '_> {
    pub(super) fn finish(self) -> Result<(), WireError> {
        match self.fields {
            [] => Ok(()),
            [field, ..] => Err(WireError::new("it was not read").in_field(field)),
        }
    }
}

impl<'de> de::SeqAccess<'de> for &mut InOrder<'_, '_> {
    type Error = WireError;

    #[inline]
    fn next_element_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, WireError>
    where
        S: DeserializeSeed<'de>,
    {
        let Some((field, rest)) = self.fields.split_first() else { return Ok(None) };
        self.fields = rest;
        get(seed, self.decoder).map(Some).map_err(|error| error.in_field(field))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.fields.len())
    }
}

/// The fields of a struct by their names.
pub(super) struct Keyed<'r, 'n, 'a> {
    pub(super) decoder: &'r mut Decoder<'a>,
    pub(super) names: &'n [Box<str>],
    pub(super) done: usize,
}

impl Keyed<'_, '_, '_> {
    pub(super) fn finish(self) -> Result<(), WireError> {
        match self.names.len() - self.done {
            0 => Ok(()),
            left => Err(left_over(left, self.names.len())),
        }
    }
}

impl<'de> de::MapAccess<'de> for &mut Keyed<'_, '_, '_> {
    type Error = WireError;

    fn next_key_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, WireError>
    where
        S: DeserializeSeed<'de>,
    {
        let Some(name) = self.names.get(self.done) else { return Ok(None) };
        let name: StrDeserializer<'_, WireError> = name.as_ref().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S>(&mut self, seed: S) -> Result<S::Value, WireError>
    where
        S: DeserializeSeed<'de>,
    {
        let name = &self.names[self.done];
        self.done += 1;
        get(seed, self.decoder).map_err(|error| error.in_field(name))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.names.len() - self.done)
    }
}

/// A variant: its name, then its value if it has one.
pub(super) struct Variant<'r, 'a> {
    pub(super) decoder: &'r mut Decoder<'a>,
}

impl<'r, 'a, 'de> de::EnumAccess<'de> for Variant<'r, 'a> {
    type Error = WireError;
    type Variant = Payload<'r, 'a>;

    #[inline]
    fn variant_seed<S>(self, seed: S) -> Result<(S::Value, Payload<'r, 'a>), WireError>
    where
        S: DeserializeSeed<'de>,
    {
        let Self { decoder } = self;
        let has_value = decoder.reader.number::<u8>()? == tag::VARIANT;
        let value = name_as(seed, decoder)?;
        Ok((value, Payload { decoder, has_value }))
    }
}

/// The variant itself, as one pair of a name and a value.
pub(super) struct Pair<'r, 'a> {
    pub(super) decoder: &'r mut Decoder<'a>,
    pub(super) is_read: bool,
}

impl<'de> de::MapAccess<'de> for &mut Pair<'_, '_> {
    type Error = WireError;

    fn next_key_seed<S>(&mut self, seed: S) -> Result<Option<S::Value>, WireError>
    where
        S: DeserializeSeed<'de>,
    {
        if std::mem::replace(&mut self.is_read, true) {
            return Ok(None);
        }
        name_as(seed, self.decoder).map(Some)
    }

    fn next_value_seed<S>(&mut self, seed: S) -> Result<S::Value, WireError>
    where
        S: DeserializeSeed<'de>,
    {
        get(seed, self.decoder)
    }
}

fn name_as<'de, S>(seed: S, decoder: &mut Decoder<'_>) -> Result<S::Value, WireError>
where
    S: DeserializeSeed<'de>,
{
    let mut room = [0; MAX_NAME];
    let name: StrDeserializer<'_, WireError> = decoder.reader.name(&mut room)?.into_deserializer();
    seed.deserialize(name)
}

/// The value of a variant.
pub(super) struct Payload<'r, 'a> {
    pub(super) decoder: &'r mut Decoder<'a>,
    pub(super) has_value: bool,
}

impl<'r, 'a> Payload<'r, 'a> {
    fn value(self, expected: &dyn de::Expected) -> Result<&'r mut Decoder<'a>, WireError> {
        if self.has_value {
            return Ok(self.decoder);
        }
        Err(de::Error::invalid_type(de::Unexpected::UnitVariant, expected))
    }
}

impl<'de> de::VariantAccess<'de> for Payload<'_, '_> {
    type Error = WireError;

    #[inline]
    fn unit_variant(self) -> Result<(), WireError> {
        if self.has_value { de::Deserialize::deserialize(self.decoder) } else { Ok(()) }
    }

    #[inline]
    fn newtype_variant_seed<S>(self, seed: S) -> Result<S::Value, WireError>
    where
        S: DeserializeSeed<'de>,
    {
        get(seed, self.value(&"a variant with a value")?)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        self.value(&visitor)?.exact_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, WireError> {
        let decoder = self.value(&visitor)?;
        match decoder.tag()? {
            tag::STRUCT => decoder.structure(fields, visitor),
            _ => decoder.bare(visitor),
        }
    }
}
