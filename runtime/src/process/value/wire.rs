//! How values cross: a serde format of the engine's own.
//!
//! Both ends are the same executable on the same machine, so the format is the plainest there
//! is: every scalar in its native bytes, every length as a `u64`, nothing aligned, no names, no
//! tags. Why not postcard or bincode? Their variable-length integers go byte by byte, and a
//! `Vec<f64>` passes element by element. Here a run of numbers is laid out just as it lies in
//! memory, so the encoder and the decoder may copy it in one piece. They do so wherever serde
//! hands them the value itself (an argument, a field, an element: see [`bulk`]), which needs no
//! specialization and no attribute, and where they cannot, the bytes come out the same.
//!
//! The format is not self-describing: types that must look before they know what they are
//! (`#[serde(untagged)]`, `#[serde(flatten)]`, `serde_json::Value`) do not cross, and say so.

mod bulk;
mod decode;
mod encode;

use std::fmt;

pub(crate) use decode::{Reader, decode};
pub(crate) use encode::{Output, encode};

/// Why a value could not be encoded or decoded.
#[derive(Debug)]
pub(crate) struct WireError(Box<str>);

impl WireError {
    pub(crate) fn new(message: impl Into<Box<str>>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
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
