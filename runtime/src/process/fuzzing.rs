//! Entry points for the fuzzers in `fuzz/`: everything that reads bytes which a worker may have
//! written. `tests.rs` runs all of them for a moment, with random inputs.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::process::channel::fuzzing::Unsteady;
pub use crate::process::channel::fuzzing::{Halves, MOVE, Rings, STEP, Segments};
pub use crate::process::ends::fuzzing::Tubes;
use crate::process::job::Panic;
use crate::process::value::message::Message;
use crate::process::value::wire::{self, Reader};

/// Decodes arbitrary bytes. The value, if any, must survive a round trip.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(value) = wire::decode::<T>(Reader::new(bytes)) {
        survives(value);
    }
}

/// A round trip.
fn survives<T: Serialize + DeserializeOwned>(value: T) {
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

/// Decodes a value again and again while its bytes change: each of the pairs is a place and what is
/// written there, first of all and again and again. Each value that comes out is a whole one.
pub fn decode_unsteady<T: Serialize + DeserializeOwned>(value: &T, changes: &[(u16, u8)]) {
    let sent = Message::encode(value).expect("it encodes");
    let bytes = sent.bytes.private().expect("it is short").to_vec();
    let memory = Unsteady::new(&bytes);
    let write = || {
        for &(place, byte) in changes {
            let place = usize::from(place) % bytes.len();
            memory.write(place, byte);
            std::thread::yield_now();
            memory.write(place, bytes[place]);
        }
    };
    std::thread::scope(|scope| {
        let writer = scope.spawn(write);
        loop {
            let is_over = writer.is_finished();
            if let Ok(value) = wire::decode::<T>(memory.reader()) {
                survives(value);
            }
            if is_over {
                break;
            }
        }
    });
    assert!(wire::decode::<T>(memory.reader()).is_ok(), "all is as it was");
}

#[cfg(test)]
mod tests;
