//! The contents of messages, in the same encoding as values. The protocol carries parcels and
//! endings as plain bytes, which are decoded where they are used.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cluster::protocol::Weight;
use crate::options::Options;
use crate::process::fault::Fault;
use crate::process::pool::residence::Part;
use crate::process::value::message::Message;
use crate::process::value::output::{Finished, Output};
use crate::process::value::wire::{self, Reader};

/// Encoded bytes, shared with whoever may have to send them again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body(Arc<Vec<u8>>);

impl Body {
    pub(crate) fn of<T: Serialize>(value: &T, about: usize) -> Result<Self, String> {
        Ok(Self(Arc::new(encode(value, about)?)))
    }

    pub(crate) fn open<T: DeserializeOwned>(&self) -> Option<T> {
        decode(&self.0)
    }
}

impl Weight for Body {
    fn weight(&self) -> usize {
        self.0.len()
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Body;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Body, E> {
                Ok(Body(Arc::new(bytes)))
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}

/// A job packed for a machine, with the name and the options of its function.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Parcel {
    pub(crate) name: String,
    /// The distance of the code from the anchor.
    pub(crate) invoke: i64,
    pub(crate) body: i64,
    pub(crate) options: Options,
    /// Whether it yields items before it ends.
    pub(crate) yields: bool,
    /// What it does to the value of a worker with state.
    pub(crate) part: Option<Part>,
    pub(crate) value: Value,
}

/// How a call ended, or how it goes on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ending {
    /// An item, or several in one run. More follows.
    Yielded {
        is_run: bool,
        value: Value,
    },
    /// A worker's reply with its status.
    Replied {
        status: u32,
        value: Value,
    },
    Failed(Fault),
    /// The value that it keeps goes on.
    Noted(Notice),
}

/// What the worker of a value should know.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Notice {
    /// It has served for as long as `renew` says.
    Worn,
    /// Its machine is about to end.
    Leaves,
}

impl Ending {
    pub(crate) fn is_end(&self) -> bool {
        !matches!(self, Self::Yielded { .. } | Self::Noted(_))
    }

    pub(crate) fn value(&self) -> Option<&Value> {
        match self {
            Self::Yielded { value, .. } | Self::Replied { value, .. } => Some(value),
            Self::Failed(_) | Self::Noted(_) => None,
        }
    }

    pub(crate) fn value_mut(&mut self) -> Option<&mut Value> {
        match self {
            Self::Yielded { value, .. } | Self::Replied { value, .. } => Some(value),
            Self::Failed(_) | Self::Noted(_) => None,
        }
    }
}

/// A value: its encoded bytes, and the contents of its files.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Parts {
    pub(crate) bytes: Vec<u8>,
    pub(crate) files: Vec<File>,
}

/// The contents of a file; a separate struct, so that they are encoded in one piece.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct File {
    pub(crate) contents: Vec<u8>,
}

impl Parts {
    pub(crate) fn length(&self) -> usize {
        self.bytes.len() + self.files.iter().map(|file| file.contents.len()).sum::<usize>()
    }
}

/// The parts of a value, or where they are stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Value {
    Here(Parts),
    Stored(Stored),
}

impl Value {
    pub(crate) fn stored(&self) -> Option<&Stored> {
        match self {
            Self::Here(_) => None,
            Self::Stored(stored) => Some(stored),
        }
    }

    /// About how many bytes it takes in a message.
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Here(parts) => parts.length(),
            Self::Stored(_) => 256,
        }
    }
}

impl Default for Value {
    fn default() -> Self {
        Self::Here(Parts::default())
    }
}

/// Parts that the broker keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) name: String,
    /// The lengths of the bytes and of each file. Each is stored in chunks, the last one shorter.
    pub(crate) lengths: Vec<u64>,
    pub(crate) chunk: u64,
    /// The hash of them all: what the broker stores is not authenticated by itself.
    pub(crate) hash: [u8; 32],
}

/// Encodes a value of about this many bytes, or fewer.
pub(crate) fn encode<T: Serialize>(value: &T, about: usize) -> Result<Vec<u8>, String> {
    // With enough capacity it stays out of shared memory, which is for workers.
    let mut output = Output::in_vector(Vec::with_capacity(about + 512));
    wire::encode(value, &mut output).map_err(|error| error.to_string())?;
    match output.finish() {
        Finished::Heap(bytes) => Ok(bytes),
        Finished::Segment(segment, _) => {
            segment.give_back();
            let message = Message::encode(value).map_err(|error| error.to_string())?;
            Ok(message.bytes.as_slice().to_vec())
        }
        Finished::Given(_) => Err("it was written nowhere".to_owned()),
    }
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    wire::decode(Reader::new(bytes)).ok()
}
