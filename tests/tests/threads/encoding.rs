//! Stackful coroutines that are suspended while the argument of a process call is encoded.

// The deprecated way to suspend is the one that needs no handle.
#![expect(deprecated)]

use generator::{Gn, yield_};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use trine::concurrent;
use trine_tests::programs::output_alone;

type Coroutine = generator::Generator<'static, (), u64>;

/// Suspends the coroutine in which it is encoded.
struct SuspendsInside;

impl Serialize for SuspendsInside {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if generator::is_generator() {
            yield_::<(), u64>(0);
        }
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for SuspendsInside {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self)
    }
}

#[concurrent(process)]
fn takes(_value: SuspendsInside) -> u64 {
    1
}

fn encoding() -> Coroutine {
    let mut coroutine = Gn::<()>::new(|| takes(SuspendsInside).join().unwrap());
    coroutine.resume();
    coroutine
}

#[test]
fn coroutines_that_encode_end_in_reverse_order() {
    let [mut first, mut second] = [encoding(), encoding()];
    assert_eq!([second.resume(), first.resume()], [Some(1); 2]);
    let output = output_alone(coroutines_that_encode_end_in_reverse_order, &[], || {
        let [mut first, mut second] = [encoding(), encoding()];
        first.resume();
        second.resume();
    });
    if let Some(output) = output {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("reverse order"), "{said}");
    }
}
