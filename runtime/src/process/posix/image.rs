//! The executable of this process, and addresses in its code.
//!
//! A worker runs the same executable at another address, so a function is sent as its distance from
//! the load address. Both sides check the result against the executable's code: the parent refuses
//! functions in loaded libraries, and the worker refuses distances that lead outside of the code.

#![allow(unsafe_code, reason = "the code of the loaded image")]

use std::ops::Range;
use std::sync::OnceLock;

use super::system::executable;
use super::system::program::MAY_CHANGE;

/// The code of the main executable.
struct Image {
    code: [Range<usize>; 4],
    /// Where the image was loaded.
    base: usize,
}

fn image() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let (code, base) = executable::code();
        Image { code, base }
    })
}

/// Whether the address is in the code of the main executable.
pub(super) fn is_code(address: usize) -> bool {
    image().code.iter().any(|range| range.contains(&address))
}

/// The distance of a function from the start of the image, if it is in the main executable.
pub(crate) fn distance(function: usize) -> Option<i64> {
    is_code(function).then(|| function.wrapping_sub(image().base) as i64)
}

/// The function at that distance, if that is within the code.
pub(crate) fn function(distance: i64) -> Option<usize> {
    let address = image().base.wrapping_add(distance as usize);
    is_code(address).then_some(address)
}

/// A value that, almost certainly, is equal in two processes only if they run the same executable.
pub(super) fn fingerprint() -> u64 {
    let image = image();
    let mut print = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |value: usize| print = (print ^ value as u64).wrapping_mul(0x0100_0000_01b3);
    mix((fingerprint as *const () as usize).wrapping_sub(image.base));
    for range in image.code.iter().filter(|range| !range.is_empty()) {
        mix(range.start.wrapping_sub(image.base));
        mix(range.len());
    }
    if MAY_CHANGE {
        build().for_each(mix);
    }
    print
}

/// What tells a build from another that has its functions at the same places: what the linker has
/// written for that, or else all of the code.
fn build() -> impl Iterator<Item = usize> {
    let code = || {
        let ranges = image().code.iter();
        let ranges = ranges.filter(|range| !range.is_empty());
        // SAFETY: code that is mapped for as long as the program runs, and that nobody writes.
        ranges.map(|range| unsafe {
            std::slice::from_raw_parts(range.start as *const u8, range.len())
        })
    };
    let build = executable::build();
    let code = build.is_none().then(code).into_iter().flatten();
    let bytes = build.into_iter().chain(code);
    let word = |bytes: &[u8]| {
        let mut word = [0; size_of::<usize>()];
        word[..bytes.len()].copy_from_slice(bytes);
        usize::from_ne_bytes(word)
    };
    bytes.flat_map(move |bytes| bytes.chunks(size_of::<usize>()).map(word))
}
