//! The decoder: a serde `Deserializer` over bytes that somebody else may be writing.
//!
//! Replies lie in memory that a worker can still write, so nothing here makes a reference into
//! it: scalars and runs are copied out first and judged afterwards, lengths are held against
//! what is left, and a string is checked in its private copy.

use super::{WireError, bulk};
use serde::de::value::U32Deserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use std::marker::PhantomData;

/// Bytes to decode from: read by copying only.
pub(crate) struct Reader<'a> {
    next: *const u8,
    left: usize,
    /// How many more elements there may be that take no bytes.
    empty: usize,
    memory: PhantomData<&'a [u8]>,
}

/// Far more than anybody sends, and done in a moment.
const EMPTY_MAX: usize = 1 << 24;

/// Decodes a `T` that fills `reader` to its end.
pub(crate) fn decode<T>(mut reader: Reader<'_>) -> Result<T, WireError>
where
    T: DeserializeOwned,
{
    let value = get(PhantomData::<T>, &mut reader)?;
    match reader.left {
        0 => Ok(value),
        left => Err(WireError::new(format!("{left} bytes left over"))),
    }
}

#[inline]
fn get<'de, S>(seed: S, reader: &mut Reader<'_>) -> Result<S::Value, WireError>
where
    S: DeserializeSeed<'de>,
{
    match bulk::decode::<S, S::Value>(reader) {
        Some(result) => result,
        None => seed.deserialize(reader),
    }
}

#[cold]
fn short() -> WireError {
    WireError::new("the encoded value ends too early")
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { next: bytes.as_ptr(), left: bytes.len(), empty: EMPTY_MAX, memory: PhantomData }
    }

    /// # Safety
    /// `length` bytes from `next` on must stay mapped and readable for `'a`. Others may write
    /// them meanwhile.
    pub(crate) unsafe fn from_raw(next: *const u8, length: usize) -> Self {
        Self { next, left: length, empty: EMPTY_MAX, memory: PhantomData }
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<*const u8, WireError> {
        if length > self.left {
            return Err(short());
        }
        let taken = self.next;
        // SAFETY: `length` bytes are left from `next` on.
        self.next = unsafe { taken.add(length) };
        self.left -= length;
        Ok(taken)
    }

    /// Copies a primitive out. Private to this module and `bulk`: `N` must be a number.
    #[inline]
    fn number<N: Copy>(&mut self) -> Result<N, WireError> {
        let bytes = self.take(size_of::<N>())?;
        // SAFETY: `take` found that many bytes; `N` is a number, whose every bit pattern is a
        // value; the read assumes no alignment.
        Ok(unsafe { bytes.cast::<N>().read_unaligned() })
    }

    #[inline]
    fn length(&mut self) -> Result<usize, WireError> {
        usize::try_from(self.number::<u64>()?).map_err(|_| short())
    }

    /// The length of a sequence. What has more elements than there are bytes can only be of
    /// elements that take none, with which a false length would keep the reader for ever.
    fn count(&mut self) -> Result<usize, WireError> {
        let count = self.length()?;
        let empty = self.empty.checked_sub(count.saturating_sub(self.left));
        self.empty = empty.ok_or_else(|| WireError::new("more elements than bytes"))?;
        Ok(count)
    }

    /// A run of numbers. Private to this module and `bulk`: `N` must be a number.
    pub(crate) fn numbers<N: Copy>(&mut self) -> Result<Vec<N>, WireError> {
        let count = self.length()?;
        let size = count.checked_mul(size_of::<N>()).ok_or_else(short)?;
        let bytes = self.take(size)?;
        let mut numbers = Vec::<N>::with_capacity(count);
        // SAFETY: `size` bytes were found, the vector has room for them, and every bit pattern
        // of a number is a value.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes, numbers.as_mut_ptr().cast::<u8>(), size);
            numbers.set_len(count);
        }
        Ok(numbers)
    }

    /// A copy of all that is left.
    pub(crate) fn into_vec(mut self) -> Vec<u8> {
        let length = self.left;
        let mut bytes = vec![0; length];
        if let Ok(from) = self.take(length) {
            // SAFETY: that many bytes are there, and the vector has them too.
            unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), length) };
        }
        bytes
    }

    /// All that is left, as text for a person.
    pub(crate) fn text(self) -> String {
        String::from_utf8_lossy(&self.into_vec()).into_owned()
    }

    fn string(&mut self) -> Result<String, WireError> {
        String::from_utf8(self.numbers::<u8>()?)
            .map_err(|_| WireError::new("a string is not UTF-8"))
    }
}

macro_rules! scalars {
    ($($method:ident $visit:ident: $type:ty,)*) => { $(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
            visitor.$visit(self.number::<$type>()?)
        }
    )* };
}

impl<'de> de::Deserializer<'de> for &mut Reader<'_> {
    type Error = WireError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, WireError> {
        Err(WireError::new(
            "this type must look at the data to know what it is (`untagged`, `flatten`, \
             a JSON value): values that cross to a worker are not self-describing",
        ))
    }

    scalars! {
        deserialize_i8 visit_i8: i8,
        deserialize_i16 visit_i16: i16,
        deserialize_i32 visit_i32: i32,
        deserialize_i64 visit_i64: i64,
        deserialize_i128 visit_i128: i128,
        deserialize_u8 visit_u8: u8,
        deserialize_u16 visit_u16: u16,
        deserialize_u32 visit_u32: u32,
        deserialize_u64 visit_u64: u64,
        deserialize_u128 visit_u128: u128,
        deserialize_f32 visit_f32: f32,
        deserialize_f64 visit_f64: f64,
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        match self.number::<u8>()? {
            0 => visitor.visit_bool(false),
            1 => visitor.visit_bool(true),
            _ => Err(WireError::new("neither true nor false")),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        let code = self.number::<u32>()?;
        visitor.visit_char(char::from_u32(code).ok_or_else(|| WireError::new("not a character"))?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        visitor.visit_string(self.string()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        visitor.visit_string(self.string()?)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        visitor.visit_byte_buf(self.numbers::<u8>()?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        visitor.visit_byte_buf(self.numbers::<u8>()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        match self.number::<u8>()? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            _ => Err(WireError::new("neither some nor none")),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        let length = self.count()?;
        visitor.visit_seq(Elements { reader: self, left: length })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        visitor.visit_seq(Elements { reader: self, left: length })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        let length = self.count()?;
        visitor.visit_map(Elements { reader: self, left: length })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, WireError> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, WireError> {
        visitor.visit_enum(self)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        self.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        self.deserialize_any(visitor)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

struct Elements<'r, 'a> {
    reader: &'r mut Reader<'a>,
    left: usize,
}

impl Elements<'_, '_> {
    /// No more than could be there: a false length must not reserve memory.
    fn hint(&self) -> Option<usize> {
        Some(self.left.min(self.reader.left))
    }
}

impl<'de> de::SeqAccess<'de> for Elements<'_, '_> {
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
        get(seed, self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> de::MapAccess<'de> for Elements<'_, '_> {
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
        get(seed, self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> de::EnumAccess<'de> for &mut Reader<'_> {
    type Error = WireError;
    type Variant = Self;

    fn variant_seed<S>(self, seed: S) -> Result<(S::Value, Self), WireError>
    where
        S: DeserializeSeed<'de>,
    {
        let index = self.number::<u32>()?;
        let deserializer: U32Deserializer<WireError> = index.into_deserializer();
        Ok((seed.deserialize(deserializer)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for &mut Reader<'_> {
    type Error = WireError;

    fn unit_variant(self) -> Result<(), WireError> {
        Ok(())
    }

    fn newtype_variant_seed<S>(self, seed: S) -> Result<S::Value, WireError>
    where
        S: DeserializeSeed<'de>,
    {
        get(seed, self)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        de::Deserializer::deserialize_tuple(self, length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, WireError> {
        de::Deserializer::deserialize_tuple(self, fields.len(), visitor)
    }
}
