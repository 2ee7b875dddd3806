//! Self-describing values: for types that choose by the input, and for values that are not exactly
//! of the requested kind.

use serde::de::{self, IntoDeserializer, Visitor};

use super::access::{Kind, Pair, Payload, Run};
use super::decode::Decoder;
use super::reader::MAX_NAME;
use super::{WireError, tag};

impl Decoder<'_> {
    /// The next value, whatever it is.
    pub(super) fn any<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, WireError> {
        macro_rules! number {
            ($visit:ident) => {{
                self.pass_tag();
                visitor.$visit(self.reader.number()?)
            }};
        }
        match self.tag()? {
            tag::I8 => number!(visit_i8),
            tag::I16 => number!(visit_i16),
            tag::I32 => number!(visit_i32),
            tag::I64 => number!(visit_i64),
            tag::I128 => number!(visit_i128),
            tag::U8 => number!(visit_u8),
            tag::U16 => number!(visit_u16),
            tag::U32 => number!(visit_u32),
            tag::U64 => number!(visit_u64),
            tag::U128 => number!(visit_u128),
            tag::F32 => number!(visit_f32),
            tag::F64 => number!(visit_f64),
            tag @ tag::I8S..=tag::F64S => {
                let count = self.run_of(tag)?;
                self.one_by_one(tag, count, visitor)
            }
            tag::STRUCT => {
                self.depth.check()?;
                let place = self.number_in_word()?;
                self.by_name(place, visitor)
            }
            _ => self.any_other(visitor),
        }
    }

    fn any_other<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, WireError> {
        let tag = self.tag()?;
        match tag {
            tag::SEQUENCE | tag::MAP => {
                let count = self.count()?;
                let kind = if tag == tag::MAP { Kind::Pairs } else { Kind::Values };
                return self.items(kind, count, visitor);
            }
            tag::STRING => {
                let length = self.length()?;
                return visitor.visit_string(self.reader.string(length)?);
            }
            tag::BYTES => {
                let length = self.length()?;
                return visitor.visit_byte_buf(self.reader.numbers(length)?);
            }
            _ => self.pass_tag(),
        }
        match tag {
            tag::UNIT => visitor.visit_unit(),
            tag::NONE => visitor.visit_none(),
            tag::FALSE => visitor.visit_bool(false),
            tag::TRUE => visitor.visit_bool(true),
            tag::SOME => {
                self.depth.check()?;
                visitor.visit_some(self)
            }
            tag::CHAR => {
                let character = char::from_u32(self.reader.number()?);
                visitor.visit_char(character.ok_or_else(|| WireError::new("not a character"))?)
            }
            tag::UNIT_VARIANT => visitor.visit_str(self.reader.name(&mut [0; MAX_NAME])?),
            tag::VARIANT => {
                self.depth.check()?;
                let mut pair = Pair { decoder: self, is_read: false };
                visitor.visit_map(&mut pair)
            }
            _ if tag >= tag::TUPLE && usize::from(tag - tag::TUPLE) < tag::SHORT_TUPLE => {
                self.items(Kind::Values, usize::from(tag - tag::TUPLE), visitor)
            }
            _ => Err(WireError::new("no value begins with this byte")),
        }
    }

    /// The same for a type that knows what it wants: an optional value counts as present.
    pub(super) fn bare<'de, V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, WireError> {
        self.pass_some();
        self.any(visitor)
    }

    pub(super) fn pass_some(&mut self) {
        while self.reader.peek() == Some(tag::SOME) {
            self.pass_tag();
        }
    }

    /// The numbers of a run with this tag, one by one.
    pub(super) fn one_by_one<'de, V: Visitor<'de>>(
        &mut self,
        tag: u8,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        let mut run = Run { decoder: self, tag, left: count };
        let value = visitor.visit_seq(&mut run)?;
        run.finish(count)?;
        Ok(value)
    }

    /// A tuple of a type's own. If the length differs, the two halves of the type disagree on what
    /// is omitted, and reading by position would mix up values.
    pub(super) fn exact_tuple<'de, V: Visitor<'de>>(
        &mut self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        let sent = match self.tag()? {
            tag::SEQUENCE => tag::split(self.reader.clone().number()?).1,
            tag if tag >= tag::TUPLE => u64::from(tag - tag::TUPLE),
            _ => return self.bare(visitor),
        };
        if sent != length as u64 {
            return Err(WireError::new(format!(
                "{sent} unnamed fields were written, but {length} are read"
            )));
        }
        self.any(visitor)
    }

    /// A variant that was not written as one: its name alone, or a map from it to its value.
    #[cold]
    pub(super) fn variant_by_look<'de, V: Visitor<'de>>(
        &mut self,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        match self.tag()? {
            tag::STRING => {
                let length = self.length()?;
                visitor.visit_enum(self.reader.string(length)?.into_deserializer())
            }
            tag::MAP if self.count()? == 1 => visitor.visit_enum(One { decoder: self }),
            tag::MAP => Err(WireError::new("only a map with one pair can be a variant")),
            _ => self.any(visitor),
        }
    }
}

/// A map of one pair, as a variant.
struct One<'r, 'a> {
    decoder: &'r mut Decoder<'a>,
}

impl<'r, 'a, 'de> de::EnumAccess<'de> for One<'r, 'a> {
    type Error = WireError;
    type Variant = Payload<'r, 'a>;

    fn variant_seed<S>(self, seed: S) -> Result<(S::Value, Payload<'r, 'a>), WireError>
    where
        S: de::DeserializeSeed<'de>,
    {
        let Self { decoder } = self;
        let name = seed.deserialize(&mut *decoder)?;
        Ok((name, Payload { decoder, has_value: true }))
    }
}
