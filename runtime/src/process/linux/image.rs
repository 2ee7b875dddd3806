//! The executable of this process, and addresses in its code.
//!
//! A worker runs the same executable at another address, so a function is sent as its distance from
//! the load address. Both sides check the result against the executable's code: the parent refuses
//! functions in loaded libraries, and the worker refuses distances that lead outside of the code.

#![allow(unsafe_code, reason = "tables of the loaded image")]

use std::ffi::c_void;
use std::ops::Range;
use std::sync::OnceLock;

/// The code of the main executable.
#[derive(Debug, Default)]
struct Image {
    code: [Range<usize>; 4],
    /// Where the image was loaded.
    base: usize,
}

fn image() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let mut image = Image::default();
        // SAFETY: the callback gets back the pointer to `image`, which outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(look_at_first), (&raw mut image).cast()) };
        image
    })
}

/// Records the code of the first object, which is the main executable.
unsafe extern "C" fn look_at_first(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    image: *mut c_void,
) -> i32 {
    // SAFETY: `dl_iterate_phdr` passes a valid record, with `dlpi_phnum` program headers, and the
    // pointer that `image()` gave it.
    let (info, image) = unsafe { (&*info, &mut *image.cast::<Image>()) };
    image.base = info.dlpi_addr as usize;
    let mut free = image.code.iter_mut();
    for index in 0..usize::from(info.dlpi_phnum) {
        // SAFETY: as above.
        let header = unsafe { &*info.dlpi_phdr.add(index) };
        if header.p_type == libc::PT_LOAD
            && header.p_flags & libc::PF_X != 0
            && let Some(slot) = free.next()
        {
            let start = image.base.wrapping_add(header.p_vaddr as usize);
            *slot = start..start.wrapping_add(header.p_memsz as usize);
        }
    }
    1
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
    print
}
