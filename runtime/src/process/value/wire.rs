//! How values cross: a serde format of the engine's own.
//!
//! Both ends are the same executable on the same machine, so the format is the plainest there is
//! that still says what comes: every number in its native bytes, behind a byte that says its kind;
//! every length in one word; nothing aligned. Why not postcard or bincode? Their variable-length
//! integers go byte by byte, and a `Vec<f64>` passes element by element. Here a run of numbers is
//! laid out just as it lies in memory, so the encoder and the decoder may copy it in one piece.
//! They do so wherever serde hands them the value itself (an argument, a field, an element: see
//! [`bulk`]), which needs no specialization and no attribute.
//!
//! And why does it describe itself, when both ends have the same types? Because a type's two halves
//! need not agree. `#[serde(skip_serializing)]` leaves out what the reader still counts,
//! `#[serde(skip)]` of a variant gives the others two numberings, and a format that goes by
//! position takes one value for another. So variants go by name, and so do fields: the names of a
//! struct's fields are written once in a message, and if they are the ones that the reader expects,
//! which it compares once, its fields go by position after all. What is read by its look,
//! `untagged` enums and the like, comes along with that.

mod access;
mod any;
mod bulk;
mod decode;
mod depth;
mod encode;
mod fields;
mod names;
mod reader;
mod tag;

use std::fmt;

pub(crate) use decode::{Reader, decode};
pub(crate) use encode::{Output, encode};

/// Why a value could not be encoded or decoded.
#[derive(Debug)]
pub(crate) struct WireError(Box<Fault>);

#[derive(Debug)]
struct Fault {
    message: Box<str>,
    /// In which field of it, and in which type: the innermost.
    field: Option<Box<str>>,
    of: Option<Box<str>>,
}

impl WireError {
    #[cold]
    pub(crate) fn new(message: impl Into<Box<str>>) -> Self {
        Self(Box::new(Fault { message: message.into(), field: None, of: None }))
    }

    /// Says in which field it was, if that is not known.
    #[cold]
    fn in_field(mut self, field: &str) -> Self {
        if self.0.of.is_none() && self.0.field.is_none() {
            self.0.field = Some(field.into());
        }
        self
    }

    /// Says in which type it was, if that is not known.
    #[cold]
    fn of(mut self, name: &str) -> Self {
        if self.0.of.is_none() {
            self.0.of = Some(name.into());
        }
        self
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { message, field, of } = &*self.0;
        match (field, of) {
            (Some(field), Some(of)) => write!(formatter, "field `{field}` of `{of}`: {message}"),
            (Some(place), None) | (None, Some(place)) => write!(formatter, "`{place}`: {message}"),
            (None, None) => formatter.write_str(message),
        }
    }
}

impl std::error::Error for WireError {}

impl serde::ser::Error for WireError {
    fn custom<M: fmt::Display>(message: M) -> Self {
        Self::new(message.to_string())
    }
}

impl serde::de::Error for WireError {
    fn custom<M: fmt::Display>(message: M) -> Self {
        Self::new(message.to_string())
    }
}

#[cfg(test)]
mod tests;
