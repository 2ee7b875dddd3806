//! What is in memory of an executable of the format ELF: its code, and what tells its builds apart.

#![allow(unsafe_code, reason = "tables of the loaded image")]

use std::ffi::c_void;
use std::ops::Range;

/// Missing in `libc` on some targets, as the other.
const PF_X: u32 = 1;
const NT_GNU_BUILD_ID: u32 = 3;

/// What was found.
#[derive(Debug, Default)]
struct Found {
    code: [Range<usize>; 4],
    base: usize,
    build: Range<usize>,
}

/// The code of the main executable, and where that was loaded.
pub(crate) fn code() -> ([Range<usize>; 4], usize) {
    let Found { code, base, .. } = find();
    (code, base)
}

/// What the linker has written there, if it was asked to, to tell one build from another.
pub(crate) fn build() -> Option<&'static [u8]> {
    let Found { build, .. } = find();
    // SAFETY: a part of the image, which stays as it is.
    (!build.is_empty())
        .then(|| unsafe { std::slice::from_raw_parts(build.start as *const u8, build.len()) })
}

fn find() -> Found {
    let mut found = Found::default();
    // SAFETY: the callback gets back the pointer to `found`, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(look_at_first), (&raw mut found).cast()) };
    found
}

/// Looks at the first object, which is the main executable.
unsafe extern "C" fn look_at_first(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    found: *mut c_void,
) -> i32 {
    // SAFETY: `dl_iterate_phdr` passes a valid record, with `dlpi_phnum` program headers, and the
    // pointer that `find` gave it.
    let (info, found) = unsafe { (&*info, &mut *found.cast::<Found>()) };
    found.base = info.dlpi_addr as usize;
    let mut free = found.code.iter_mut();
    for index in 0..usize::from(info.dlpi_phnum) {
        // SAFETY: as above.
        let header = unsafe { &*info.dlpi_phdr.add(index) };
        let start = found.base.wrapping_add(header.p_vaddr as usize);
        let range = start..start.wrapping_add(header.p_memsz as usize);
        if header.p_type == libc::PT_NOTE {
            // SAFETY: the loader has mapped it.
            let notes = unsafe { std::slice::from_raw_parts(start as *const u32, range.len() / 4) };
            if let Some(build) = build_among(notes) {
                found.build = build;
            }
        } else if header.p_type == libc::PT_LOAD
            && header.p_flags & PF_X != 0
            && let Some(slot) = free.next()
        {
            *slot = range;
        }
    }
    1
}

/// Where the note of that kind is, among notes: each is the lengths of its name and of what it
/// says, its kind, and both.
fn build_among(mut notes: &[u32]) -> Option<Range<usize>> {
    while let [name, length, kind, rest @ ..] = notes {
        let (name, words) = (name.div_ceil(4) as usize, length.div_ceil(4) as usize);
        let (said, rest) = rest.get(name..)?.split_at_checked(words)?;
        let is_gnu = name == 1 && notes[3].to_ne_bytes() == *b"GNU\0";
        if *kind == NT_GNU_BUILD_ID && is_gnu {
            let start = said.as_ptr().addr();
            return Some(start..start + *length as usize);
        }
        notes = rest;
    }
    None
}

#[cfg(all(test, not(trine_loom)))]
mod tests {
    use super::*;

    const GNU: u32 = u32::from_ne_bytes(*b"GNU\0");

    #[test]
    fn the_number_of_a_build_is_found_among_other_notes() {
        // One of another kind, one of another name, both with what is no whole number of words.
        let others = [4, 5, 1, GNU, 7, 7, 6, 3, NT_GNU_BUILD_ID, GNU, 0, 7];
        let own = [4, 20, NT_GNU_BUILD_ID, GNU, 1, 2, 3, 4, 5];
        let notes = [&others[..], &own].concat();
        let found = build_among(&notes).unwrap();
        assert_eq!(found.start, notes[others.len() + 4..].as_ptr().addr());
        assert_eq!(found.len(), 20);
        assert_eq!(build_among(&others), None);
        // What is cut off, or says that it is longer than it is.
        (0..notes.len()).for_each(|length| assert_eq!(build_among(&notes[..length]), None));
        assert_eq!(build_among(&[u32::MAX, u32::MAX, NT_GNU_BUILD_ID, GNU]), None);
    }
}
