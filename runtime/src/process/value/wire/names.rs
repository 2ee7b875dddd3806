//! Reading a struct: which fields it has, and how to pass them to its type.
//!
//! If the names are those that the type expects, in its order, the fields are passed by position,
//! without lookups. That is checked once per struct in a message.

use std::rc::Rc;

use serde::de::Visitor;

use super::WireError;
use super::access::{InOrder, Keyed};
use super::decode::Decoder;
use super::reader::{MAX_NAME, Reader, short};

/// What is known about the names in a message.
pub(super) struct Names {
    /// Names that were found to be a type's fields.
    agreed: [Agreed; AGREED],
    /// The names that were read last, and where they are.
    read: Option<(u64, Rc<[Box<str>]>)>,
}

/// Where the names are, and the fields.
type Agreed = (u64, *const &'static str);

const AGREED: usize = 4;

impl Names {
    #[inline]
    pub(super) fn new() -> Self {
        Self { agreed: [(0, std::ptr::null()); AGREED], read: None }
    }
}

impl<'a> Decoder<'a> {
    /// A struct as the requesting type knows it: by position, if the fields match.
    pub(super) fn structure<'de, V: Visitor<'de>>(
        &mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, WireError> {
        self.depth.check()?;
        let place = self.number_in_word()?;
        if !self.agrees(place, fields)? {
            return self.by_name(place, visitor);
        }
        let mut access = InOrder { decoder: self, fields };
        let value = visitor.visit_seq(&mut access)?;
        access.finish()?;
        self.pass_names(place)?;
        Ok(value)
    }

    /// A struct by its fields' names, as a map.
    #[cold]
    pub(super) fn by_name<'de, V: Visitor<'de>>(
        &mut self,
        place: u64,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        let names = self.names_of(place)?;
        let mut access = Keyed { decoder: self, names: &names, done: 0 };
        let value = visitor.visit_map(&mut access)?;
        access.finish()?;
        self.pass_names(place)?;
        Ok(value)
    }

    /// Whether these names, in this order, are at a place in the message.
    #[inline]
    fn agrees(&mut self, place: u64, fields: &'static [&'static str]) -> Result<bool, WireError> {
        let slot = (place as usize ^ place as usize >> 4) % AGREED;
        let agreed = (place, fields.as_ptr());
        if self.names.agreed[slot] == agreed {
            return Ok(true);
        }
        let agrees = self.compare(place, fields)?;
        if agrees {
            self.names.agreed[slot] = agreed;
        }
        Ok(agrees)
    }

    #[cold]
    fn compare(&self, place: u64, fields: &[&str]) -> Result<bool, WireError> {
        let (count, mut names) = self.names_at(place)?;
        if count != fields.len() {
            return Ok(false);
        }
        for field in fields {
            if !names.is_name(field)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// How many names are at a place in the message, and what they are read from.
    fn names_at(&self, place: u64) -> Result<(usize, Reader<'a>), WireError> {
        let mut at = self.whole.clone();
        at.skip(usize::try_from(place).map_err(|_| short())?)?;
        let _length = at.number::<u32>()?;
        Ok((usize::from(at.number::<u16>()?), at))
    }

    /// The names at a place in the message.
    #[cold]
    fn names_of(&mut self, place: u64) -> Result<Rc<[Box<str>]>, WireError> {
        if let Some((known, names)) = &self.names.read
            && *known == place
        {
            return Ok(Rc::clone(names));
        }
        let (count, mut at) = self.names_at(place)?;
        let mut room = [0; MAX_NAME];
        let names = (0..count).map(|_| at.name(&mut room).map(Box::from));
        let names = names.collect::<Result<Rc<[_]>, _>>()?;
        self.names.read = Some((place, Rc::clone(&names)));
        Ok(names)
    }

    /// Skips the names, if they are here.
    #[inline]
    fn pass_names(&mut self, place: u64) -> Result<(), WireError> {
        let position = self.whole.left() - self.reader.left();
        if position as u64 == place {
            let length = self.reader.number::<u32>()?;
            self.reader.skip(length as usize)?;
        }
        Ok(())
    }
}
