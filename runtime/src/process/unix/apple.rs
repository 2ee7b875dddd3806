//! What is in memory of an executable of Apple's format: its code, what tells its builds apart, and
//! the constructors that come after ours.
//!
//! The linker may turn the list of constructors into one of offsets, and drops the symbols in it.
//! So ours is found by what it calls.

#![allow(unsafe_code, reason = "tables of the loaded image")]

use std::ffi::{CStr, c_char, c_void};
use std::ops::Range;

type Constructor = extern "C" fn(i32, *const *const i8, *const *const i8);

/// How every image begins.
#[repr(C)]
struct Header {
    magic: u32,
    processor: [i32; 2],
    kind: u32,
    commands: u32,
    size_of_commands: u32,
    flags: u32,
    reserved: u32,
}

/// How a command begins, and the two that matter here.
#[repr(C)]
struct Command {
    kind: u32,
    size: u32,
}

const LC_SEGMENT_64: u32 = 0x19;
const LC_UUID: u32 = 0x1b;

#[repr(C)]
struct Segment {
    command: Command,
    name: [u8; 16],
    address: u64,
    size: u64,
}

#[repr(C)]
struct Uuid {
    command: Command,
    bytes: [u8; 16],
}

unsafe extern "C" {
    fn _dyld_get_image_header(index: u32) -> *const Header;
    fn getsectiondata(
        image: *const Header,
        segment: *const c_char,
        section: *const c_char,
        size: *mut usize,
    ) -> *const c_void;
}

/// The main executable, which is the first image.
fn header() -> *const Header {
    // SAFETY: it takes a number.
    unsafe { _dyld_get_image_header(0) }
}

/// Calls `look` with each command of the executable.
fn each_command(mut look: impl FnMut(*const Command)) {
    let header = header();
    // SAFETY: the commands follow the header, each as long as it says, and stay there.
    unsafe {
        let mut next = header.add(1).cast::<Command>();
        for _ in 0..(*header).commands {
            look(next);
            next = next.byte_add((*next).size as usize);
        }
    }
}

/// The code of the main executable, and where that was loaded.
pub(crate) fn code() -> ([Range<usize>; 4], usize) {
    let mut code = <[Range<usize>; 4]>::default();
    let base = header().addr();
    each_command(|command| {
        // SAFETY: a command of that kind is a segment.
        unsafe {
            if (*command).kind == LC_SEGMENT_64 {
                let segment = &*command.cast::<Segment>();
                // The header is at its start.
                if segment.name.starts_with(b"__TEXT\0") {
                    code[0] = base..base + segment.size as usize;
                }
            }
        }
    });
    (code, base)
}

/// What the linker has written there to tell one build from another.
pub(crate) fn build() -> Option<&'static [u8]> {
    let mut build = None;
    each_command(|command| {
        // SAFETY: a command of that kind is a number, which stays where it is.
        unsafe {
            if (*command).kind == LC_UUID {
                let uuid: &'static Uuid = &*command.cast();
                build = Some(&uuid.bytes[..]);
            }
        }
    });
    build
}

/// Calls the executable's constructors that come after `ours`.
pub(crate) fn run_after(
    ours: Constructor,
    count: i32,
    arguments: *const *const i8,
    environment: *const *const i8,
) {
    let all = constructors();
    let later = all.iter().skip_while(|&&one| one != ours as usize).skip(1);
    for &address in later {
        // SAFETY: the loader would call it in the same way.
        let constructor = unsafe { std::mem::transmute::<usize, Constructor>(address) };
        constructor(count, arguments, environment);
    }
}

/// Their addresses, in order.
fn constructors() -> Vec<usize> {
    let base = header().addr();
    let pointers = section::<usize>(c"__DATA", c"__mod_init_func").iter();
    let pointers = pointers.chain(section::<usize>(c"__DATA_CONST", c"__mod_init_func"));
    let offsets = section::<u32>(c"__TEXT", c"__init_offsets").iter();
    let offsets = offsets.map(|&offset| base + offset as usize);
    pointers.copied().chain(offsets).collect()
}

/// A section as a list of numbers; empty if there is none.
fn section<T>(segment: &CStr, name: &CStr) -> &'static [T] {
    let mut size = 0;
    // SAFETY: the image is there for good, and its linker has made the section of such numbers.
    unsafe {
        let start = getsectiondata(header(), segment.as_ptr(), name.as_ptr(), &raw mut size);
        if start.is_null() {
            return &[];
        }
        std::slice::from_raw_parts(start.cast(), size / size_of::<T>())
    }
}
