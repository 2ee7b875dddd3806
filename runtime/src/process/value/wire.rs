//! How values cross: the engine's own serde format.
//!
//! Both ends are the same executable on the same machine, so this is the simplest self-describing
//! format: each number in native bytes after a byte for its kind, each length in one word, nothing
//! aligned but runs of numbers. Why not postcard or bincode? Their variable-length integers go byte
//! by byte, and a `Vec<f64>` element by element. Here a run of numbers has its in-memory layout, so
//! it can be copied in one piece, or a borrowed argument be read in place. That happens wherever
//! serde passes the value itself (an argument, a field, an element: see [`bulk`]), without
//! specialization or attributes.
//!
//! And why self-describing, if both ends have the same types? Because `Serialize` and `Deserialize`
//! of a type need not agree. `#[serde(skip_serializing)]` omits a field that the reader still
//! counts, `#[serde(skip)]` on a variant numbers the others differently, and a positional format
//! would take one value for another. So variants go by name, and so do fields: the names of a
//! struct's fields are written once per message, and if they match what the reader expects, which
//! it checks once, the fields are read by position. This also makes `untagged` enums and the like
//! work. Like JSON it counts as human-readable, which serde's buffers for `untagged` do in any
//! case: a type with two forms would be written in one and read in the other. And the short form
//! may lose something: that of a `SocketAddrV6` has no scope.

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
    /// The innermost field, and its type.
    field: Option<Box<str>>,
    of: Option<Box<str>>,
}

impl WireError {
    #[cold]
    pub(crate) fn new(message: impl Into<Box<str>>) -> Self {
        Self(Box::new(Fault { message: message.into(), field: None, of: None }))
    }

    /// Adds the field, if not known yet.
    #[cold]
    fn in_field(mut self, field: &str) -> Self {
        if self.0.of.is_none() && self.0.field.is_none() {
            self.0.field = Some(field.into());
        }
        self
    }

    /// Adds the type, if not known yet.
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
