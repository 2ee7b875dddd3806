//! The executable of this process, and addresses in its code.
//!
//! A worker runs the same file, perhaps at another address, so a function is sent as its distance
//! from the load address. Both sides check the result against the executable's code: the parent
//! refuses functions in loaded libraries, and the worker refuses distances that lead outside of the
//! code.
//!
//! The file is found by its path, where another may be by now. So both sides compare what
//! identifies the build: the linker's number for it, or else the code itself.

#![allow(unsafe_code, reason = "tables of the loaded image")]

use std::ops::Range;
use std::sync::OnceLock;
use std::{ptr, slice};

use windows_sys::Win32::System::LibraryLoader::GetModuleHandleW;

/// The main executable.
#[derive(Debug, Default)]
struct Image {
    /// Where it was loaded.
    base: usize,
    code: Vec<Range<usize>>,
    /// What identifies the build, if the linker has left that.
    build: Option<[u8; 20]>,
}

const IS_CODE: u32 = 0x2000_0000;
/// In the optional header, the directory of what is for debuggers: in images for 32 and 64 bits.
const DEBUG_32: usize = 96 + 6 * 8;
const DEBUG_64: usize = 112 + 6 * 8;
const FOR_64: u16 = 0x20b;
const SECTION: usize = 40;
const DEBUG_ENTRY: usize = 28;
const CODEVIEW: u32 = 2;

fn image() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| {
        // SAFETY: without a name it is the executable, which stays loaded.
        let base = unsafe { GetModuleHandleW(ptr::null()) } as usize;
        let headers = base + read::<u32>(base + 0x3c) as usize;
        let optional = headers + 24;
        let sections = optional + usize::from(read::<u16>(headers + 20));
        let sections = (0..usize::from(read::<u16>(headers + 6))).map(|n| sections + n * SECTION);
        let code = sections.filter(|at| read::<u32>(at + 36) & IS_CODE != 0).map(|at| {
            let start = base + read::<u32>(at + 12) as usize;
            start..start + read::<u32>(at + 8) as usize
        });
        let debug = if read::<u16>(optional) == FOR_64 { DEBUG_64 } else { DEBUG_32 };
        Image { base, code: code.collect(), build: build(base, optional + debug) }
    })
}

/// What is at an address in the headers of the image.
fn read<T: Copy>(address: usize) -> T {
    // SAFETY: the loader has followed the same headers, so they are there. Of any bytes, numbers
    // can be made.
    unsafe { (address as *const T).read_unaligned() }
}

/// The linker's number for this build and how often it was linked again, if there is one.
fn build(base: usize, directory: usize) -> Option<[u8; 20]> {
    let [start, size] = read::<[u32; 2]>(directory).map(|number| number as usize);
    let entries = (0..size / DEBUG_ENTRY).map(|n| base + start + n * DEBUG_ENTRY);
    let data = entries
        .filter(|at| start != 0 && read::<u32>(at + 12) == CODEVIEW && read::<u32>(at + 16) >= 24)
        .map(|at| base + read::<u32>(at + 20) as usize)
        .find(|at| read::<[u8; 4]>(*at) == *b"RSDS")?;
    Some(read(data + 4))
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
    static FINGERPRINT: OnceLock<u64> = OnceLock::new();
    *FINGERPRINT.get_or_init(|| {
        let image = image();
        let mut print = 0xcbf2_9ce4_8422_2325_u64;
        let mut mix = |value: u64| {
            print = (print ^ value).wrapping_mul(0x0100_0000_01b3);
            print ^= print >> 29;
        };
        mix((fingerprint as *const () as usize).wrapping_sub(image.base) as u64);
        for range in &image.code {
            mix(range.start.wrapping_sub(image.base) as u64);
            mix(range.len() as u64);
        }
        match &image.build {
            Some(build) => build.iter().for_each(|byte| mix(u64::from(*byte))),
            None => words(image).for_each(mix),
        }
        print
    })
}

/// All of the code.
fn words(image: &Image) -> impl Iterator<Item = u64> {
    image.code.iter().flat_map(|range| {
        // SAFETY: the loader has mapped it for as long as the process lives, and nobody writes it.
        let bytes = unsafe { slice::from_raw_parts(range.start as *const u8, range.len()) };
        bytes.as_chunks().0.iter().map(|eight| u64::from_ne_bytes(*eight))
    })
}
