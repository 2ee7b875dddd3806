//! What the fuzzers in `fuzz/` drive: all that reads bytes which a worker may have written.

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::process::channel::fuzzing::Rings;
use crate::process::job::Panic;
use crate::process::value::message::Message;
use crate::process::value::wire::{self, Reader};

/// Decodes bytes from anywhere. What they give must come out of a round trip as it went in.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Ok(value) = wire::decode::<T>(Reader::new(bytes)) else { return };
    let first = Message::encode(&value).expect("what was decoded encodes");
    let again = wire::decode::<T>(first.bytes.reader()).expect("what was encoded decodes");
    let second = Message::encode(&again).expect("as before");
    // Bytes, since not every value is equal to itself.
    assert_eq!(first.bytes.private(), second.bytes.private());
}

/// Decodes what a worker left of a panic, and a message for a person.
pub fn report(bytes: &[u8]) {
    let _ = Panic::decode(bytes);
    assert!(Reader::new(bytes).text().len() >= bytes.len());
}
