//! The decoder of values: no bytes harm it, and what it decodes survives a round trip.
#![no_main]

use std::collections::{BTreeMap, VecDeque};

use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};
use trine::process::fuzzing::{decode, report};

#[derive(Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f64),
    Box(u8, i16),
    Path { points: Vec<(f32, f32)>, name: Option<String> },
    Group(Vec<Shape>),
}

#[derive(Serialize, Deserialize)]
struct Everything {
    numbers: Vec<f64>,
    bytes: Box<[u8]>,
    nested: Vec<Vec<u32>>,
    shapes: [Shape; 2],
    map: BTreeMap<String, Vec<i128>>,
    letters: (char, bool, ()),
    maybe: Option<Vec<u64>>,
    text: String,
    sizes: VecDeque<usize>,
    result: Result<Box<str>, [u16; 3]>,
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 8 {
        0 => decode::<Everything>(bytes),
        1 => decode::<Vec<Shape>>(bytes),
        2 => decode::<(String, Vec<u64>, Option<char>)>(bytes),
        3 => decode::<VecDeque<Vec<i16>>>(bytes),
        4 => decode::<BTreeMap<Box<[u8]>, Result<bool, Shape>>>(bytes),
        5 => decode::<Vec<()>>(bytes),
        6 => decode::<Vec<[f32; 3]>>(bytes),
        _ => report(bytes),
    }
});
