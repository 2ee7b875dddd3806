//! What goes over the broker, and how it is laid out: a head, encoded as values are, and the bytes
//! of a value behind it, or elsewhere if they are too many for a message.

use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::subject::CallId;
use crate::error::{Error, ErrorKind};
use crate::process::value::output::{Finished, Output};
use crate::process::value::wire::{self, Reader, WireError};

/// A call on its way to a machine.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) id: CallId,
    /// When it was called, by the caller's clock, in milliseconds since 1970.
    pub(crate) issued: u64,
    pub(crate) name: String,
    /// The distance of the code from the anchor.
    pub(crate) invoke: i64,
    pub(crate) body: i64,
    pub(crate) timeout: Option<Duration>,
    pub(crate) memory: Option<u64>,
    pub(crate) fresh: bool,
    pub(crate) value: Value,
}

/// How a call ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) number: u64,
    pub(crate) ending: Ending,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ending {
    /// A worker's reply with its status, and the value, of which what is not stored comes behind.
    Replied {
        status: u32,
        value: Value,
    },
    Failed(Fault),
}

/// Where the bytes of a value are, and how long its parts: the encoded value, and the files that
/// belong to it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Value {
    pub(crate) length: u64,
    pub(crate) files: Vec<u64>,
    /// Not behind the head but in the object store, and what it must hash to.
    pub(crate) stored: Option<(String, [u8; 32])>,
}

impl Value {
    /// How long all its parts are together.
    pub(crate) fn total(&self) -> Option<usize> {
        let total = self.files.iter().try_fold(self.length, |sum, &file| sum.checked_add(file))?;
        usize::try_from(total).ok()
    }
}

/// [`ErrorKind`] as it travels.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Fault {
    Panicked { message: String, location: Option<String>, backtrace: Option<String> },
    Crashed { signal: Option<i32>, code: Option<i32> },
    TimedOut { after: Duration },
    Cancelled,
    MemoryLimit,
    Codec { message: String },
    Worker { message: String },
    WorkerLost,
}

impl Fault {
    pub(crate) fn of(error: &Error) -> Self {
        match error.kind().clone() {
            ErrorKind::Panicked { message, location } => Self::Panicked {
                message,
                location,
                backtrace: error.backtrace().map(str::to_owned),
            },
            ErrorKind::Crashed { signal, code } => Self::Crashed { signal, code },
            ErrorKind::TimedOut { after } => Self::TimedOut { after },
            ErrorKind::Cancelled => Self::Cancelled,
            ErrorKind::MemoryLimit => Self::MemoryLimit,
            ErrorKind::Codec { message } => Self::Codec { message },
            ErrorKind::Worker { message } => Self::Worker { message },
            ErrorKind::WorkerLost => Self::WorkerLost,
        }
    }

    pub(crate) fn into_error(self, function: &'static str) -> Error {
        let kind = match self {
            Self::Panicked { message, location, backtrace } => {
                return Error::panicked(function, Box::new(message), location)
                    .with_backtrace(backtrace);
            }
            Self::Crashed { signal, code } => ErrorKind::Crashed { signal, code },
            Self::TimedOut { after } => ErrorKind::TimedOut { after },
            Self::Cancelled => ErrorKind::Cancelled,
            Self::MemoryLimit => ErrorKind::MemoryLimit,
            Self::Codec { message } => ErrorKind::Codec { message },
            Self::Worker { message } => ErrorKind::Worker { message },
            Self::WorkerLost => ErrorKind::WorkerLost,
        };
        Error::new(function, kind)
    }
}

/// A question to machines; whoever answers does so with the same number.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) number: u64,
    /// Whether it has this call; else whether it is there at all.
    pub(crate) holds: Option<CallId>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reply {
    pub(crate) number: u64,
    pub(crate) yes: bool,
}

/// Encodes a head, with its length before it, and puts what comes behind there.
pub(crate) fn encode<T: Serialize>(head: &T, behind: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut output = Output::in_vector(Vec::with_capacity(256 + behind.len()));
    output.write(&0_u32.to_le_bytes());
    wire::encode(head, &mut output)?;
    let Finished::Heap(mut bytes) = output.finish() else {
        return Err(WireError::new("a head as long as no message is"));
    };
    let length = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(behind);
    Ok(bytes)
}

/// A head, and what is behind it.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<(T, &[u8])> {
    let (length, bytes) = bytes.split_first_chunk()?;
    let (head, behind) = bytes.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((wire::decode(Reader::new(head)).ok()?, behind))
}

/// A value in parts: the bytes, then those of each file.
pub(crate) struct Parts {
    pub(crate) bytes: Vec<u8>,
    pub(crate) files: Vec<Vec<u8>>,
}

impl Parts {
    /// All of it in a row, and how to take that apart.
    pub(crate) fn join(self) -> (Vec<u8>, Value) {
        let files = self.files.iter().map(|file| file.len() as u64).collect();
        let value = Value { length: self.bytes.len() as u64, files, stored: None };
        let mut all = self.bytes;
        self.files.iter().for_each(|file| all.extend_from_slice(file));
        (all, value)
    }

    /// Takes apart what was joined.
    pub(crate) fn split(value: &Value, all: &[u8]) -> Option<Self> {
        let (bytes, mut rest) = all.split_at_checked(usize::try_from(value.length).ok()?)?;
        let mut files = Vec::new();
        for &length in &value.files {
            let (file, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            files.push(file.to_vec());
            rest = behind;
        }
        rest.is_empty().then(|| Self { bytes: bytes.to_vec(), files })
    }
}

/// Now, in milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
