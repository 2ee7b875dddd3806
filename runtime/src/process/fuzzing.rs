//! Entry points for the fuzzers in `fuzz/`: everything that reads bytes which a worker may have
//! written.

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::process::channel::fuzzing::Rings;
use crate::process::job::Panic;
use crate::process::value::message::Message;
use crate::process::value::wire::{self, Reader};

/// Decodes arbitrary bytes. The value, if any, must survive a round trip.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Ok(value) = wire::decode::<T>(Reader::new(bytes)) else { return };
    let first = Message::encode(&value).expect("what was decoded encodes");
    let again = wire::decode::<T>(first.bytes.reader()).expect("what was encoded decodes");
    let second = Message::encode(&again).expect("as before");
    // Compares bytes, since not every value equals itself.
    assert_eq!(first.bytes.private(), second.bytes.private());
}

/// Decodes a panic that a worker described, and a plain message.
pub fn report(bytes: &[u8]) {
    let _ = Panic::decode(bytes);
    assert!(Reader::new(bytes).text().len() >= bytes.len());
}
