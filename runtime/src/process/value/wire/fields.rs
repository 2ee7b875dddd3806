//! Writing a struct: its fields in order, and where their names are.
//!
//! The fields of a struct are known only after all of them were written, since serde's attributes
//! may omit any of them. So the names follow the first struct that has them, once per message, and
//! each such struct refers to them.

use std::cell::Cell;

use serde::Serialize;
use serde::ser;

use super::encode::{Encoder, put};
use super::{WireError, reader, tag};

/// The structs that a thread has written, and whose names are already in its current message.
///
/// They are kept between messages, since most have the same few.
pub(super) struct Names {
    /// The names of all of them.
    known: Vec<&'static str>,
    /// The same as they are written, struct by struct.
    text: Vec<u8>,
    /// Names of structs in progress that differ from earlier ones.
    pending: Vec<&'static str>,
    /// The struct written last, for each hash of a type.
    shapes: [Shape; SHAPES],
    message: u64,
}

#[derive(Clone, Copy)]
struct Shape {
    /// In `known`.
    first: u32,
    count: u32,
    /// In `text`; no bytes if there was no such struct.
    text: usize,
    length: usize,
    /// The message in which its names were written, and the position there.
    message: u64,
    place: usize,
}

const SHAPES: usize = 32;
/// How much a thread remembers.
const MAX_KNOWN: usize = 1 << 12;

thread_local! {
    static SPARE: Cell<Option<Box<Names>>> = const { Cell::new(None) };
}

impl Names {
    fn new() -> Box<Self> {
        let shape = Shape { first: 0, count: 0, text: 0, length: 0, message: 0, place: 0 };
        let (known, text, pending) = (Vec::new(), Vec::new(), Vec::new());
        Box::new(Self { known, text, pending, shapes: [shape; SHAPES], message: 0 })
    }

    /// For a message; a nested one has its own.
    fn take() -> Box<Self> {
        let spare = SPARE.try_with(Cell::take).unwrap_or_default();
        let mut names =
            spare.filter(|names| names.text.len() <= MAX_KNOWN).unwrap_or_else(Self::new);
        names.pending.clear();
        names.message += 1;
        names
    }

    /// Keeps them for the thread's next message.
    pub(super) fn recycle(self: Box<Self>) {
        let _ = SPARE.try_with(|spare| spare.set(Some(self)));
    }

    /// Remembers a struct with the pending names from there on.
    fn learn(&mut self, own: usize) -> Result<Shape, WireError> {
        let (first, text) = (self.known.len(), self.text.len());
        self.known.extend(self.pending.drain(own..));
        let names = &self.known[first..];
        let length: usize = 2 + names.iter().map(|name| 1 + name.len()).sum::<usize>();
        let count = u16::try_from(names.len()).map_err(|_| WireError::new("too many fields"))?;
        let first = u32::try_from(first).map_err(|_| WireError::new("too many structs"))?;
        self.text.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
        self.text.extend(count.to_ne_bytes());
        for name in names {
            let length = u8::try_from(name.len()).map_err(|_| too_long().in_field(name))?;
            self.text.push(length);
            self.text.extend(name.as_bytes());
        }
        let length = self.text.len() - text;
        Ok(Shape { first, count: count.into(), text, length, message: 0, place: 0 })
    }
}

/// A struct in progress.
pub(super) struct Fields<'a, 'b> {
    encoder: &'a mut Encoder<'b>,
    name: &'static str,
    /// The position of the word that refers to the names.
    word_at: usize,
    is_placed: bool,
    slot: u8,
    /// Its names in `known` if it matches the last one; and which of them is next.
    first: u32,
    next: u32,
    end: u32,
    /// Where its own names start in `pending`, if it does not.
    pending: Option<u32>,
}

impl<'a, 'b> Fields<'a, 'b> {
    pub(super) fn start(
        encoder: &'a mut Encoder<'b>,
        name: &'static str,
        length: usize,
    ) -> Result<Self, WireError> {
        encoder.depth.check()?;
        let address = name.as_ptr().addr();
        let slot = ((address ^ address >> 5 ^ length) % SHAPES) as u8;
        let names = encoder.names.get_or_insert_with(Names::take);
        let Shape { first, count, message, place, .. } = names.shapes[usize::from(slot)];
        let is_placed = message == names.message;
        let word_at = encoder.output.len();
        encoder.output.write(&tag::word(tag::STRUCT, if is_placed { place } else { 0 }));
        let end = first + count;
        Ok(Self { encoder, name, word_at, is_placed, slot, first, next: first, end, pending: None })
    }

    /// The names of a struct in progress.
    #[inline]
    fn names(&mut self) -> &mut Names {
        self.encoder.names.get_or_insert_with(Names::take)
    }

    #[inline]
    fn field<T>(&mut self, key: &'static str, value: &T) -> Result<(), WireError>
    where
        T: Serialize + ?Sized,
    {
        let next = self.next;
        if next < self.end && std::ptr::eq(self.names().known[next as usize], key) {
            self.next += 1;
        } else {
            self.differ(key);
        }
        put(value, self.encoder).map_err(|error| error.in_field(key).of(self.name))
    }

    /// A field that was not expected.
    #[cold]
    fn differ(&mut self, key: &'static str) {
        self.part();
        self.names().pending.push(key);
    }

    /// From here on it differs from the last one.
    fn part(&mut self) {
        if self.pending.is_none() {
            let seen = self.first as usize..self.next as usize;
            let Names { known, pending, .. } = self.names();
            let own = pending.len() as u32;
            pending.extend(&known[seen]);
            (self.pending, self.end, self.is_placed) = (Some(own), 0, false);
        }
    }

    fn finish(mut self) -> Result<(), WireError> {
        if self.pending.is_none() && self.next == self.end {
            if self.is_placed {
                return Ok(());
            }
            // A field's own struct may have come in between.
            let (slot, first) = (self.slot, self.first);
            let shape = self.names().shapes[usize::from(slot)];
            if shape.length > 0 && shape.first == first {
                return self.place();
            }
        }
        self.define()
    }

    /// Writes the names of the struct in this slot after the fields, unless they were written.
    fn place(&mut self) -> Result<(), WireError> {
        let Self { encoder, slot, word_at, .. } = self;
        let Encoder { output, names, base, .. } = &mut **encoder;
        let Names { text, shapes, message, .. } = &mut **names.get_or_insert_with(Names::take);
        let shape = &mut shapes[usize::from(*slot)];
        if shape.message != *message {
            (shape.message, shape.place) = (*message, output.len() - *base);
            output.write(&text[shape.text..][..shape.length]);
        }
        output.patch(*word_at, &tag::word(tag::STRUCT, shape.place));
        Ok(())
    }

    #[cold]
    fn define(&mut self) -> Result<(), WireError> {
        self.part();
        let (slot, own) = (self.slot, self.pending.unwrap_or_default());
        let shape = self.names().learn(own as usize).map_err(|error| error.of(self.name))?;
        self.names().shapes[usize::from(slot)] = shape;
        self.place()
    }
}

#[cold]
fn too_long() -> WireError {
    WireError::new("a name of more than 255 bytes")
}

/// Writes the name of a field or variant, after its length.
pub(super) fn write_name(name: &str, output: &mut super::Output) -> Result<(), WireError> {
    if name.len() > reader::MAX_NAME {
        return Err(too_long());
    }
    output.write(&[name.len() as u8]);
    output.write(name.as_bytes());
    Ok(())
}

macro_rules! fields {
    ($($trait:ident)*) => { $(
        impl ser::$trait for Fields<'_, '_> {
            type Ok = ();
            type Error = WireError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), WireError> {
                self.field(key, value)
            }

            fn end(self) -> Result<(), WireError> {
                self.finish()
            }
        }
    )* };
}

fields! { SerializeStruct SerializeStructVariant }
