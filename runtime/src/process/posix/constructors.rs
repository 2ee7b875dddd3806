//! The constructors that come after ours.
//!
//! In a worker, ours does not return. Those that the linker placed after it (registries such as
//! `inventory`, C++ statics) must still run, or the worker would lack what the parent has.

#![allow(unsafe_code, reason = "tables of the loaded image")]

use std::ffi::c_void;

type Entry = extern "C" fn(i32, *const *const i8, *const *const i8);

/// A dynamic section's entries: a tag and a value.
type Dynamic = [usize; 2];
const DT_NULL: usize = 0;
const DT_INIT_ARRAY: usize = 25;
const DT_INIT_ARRAY_SIZE: usize = 27;

/// Calls every entry of the executable's `.init_array` after `ours`. In an executable without a
/// dynamic section (static and not position independent) they cannot be found.
pub(crate) fn run_after(
    ours: *const Entry,
    count: i32,
    arguments: *const *const i8,
    environment: *const *const i8,
) {
    let mut end: *const Entry = std::ptr::null();
    // SAFETY: the callback gets back the pointer to `end`, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(find_end), (&raw mut end).cast()) };
    let mut next = ours.wrapping_add(1);
    while next < end {
        // SAFETY: `next` is in the array, whose entries the loader would call in the same way; it
        // allows 0 and -1 as fillers.
        unsafe {
            let address = next.cast::<usize>().read_volatile();
            if address != 0 && address != usize::MAX {
                next.read_volatile()(count, arguments, environment);
            }
        }
        next = next.wrapping_add(1);
    }
}

unsafe extern "C" fn find_end(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    end: *mut c_void,
) -> i32 {
    // SAFETY: a valid record, and the pointer that `run_after` gave.
    let (info, end) = unsafe { (&*info, &mut *end.cast::<*const Entry>()) };
    let base = info.dlpi_addr as usize;
    for index in 0..usize::from(info.dlpi_phnum) {
        // SAFETY: there are that many program headers.
        let header = unsafe { &*info.dlpi_phdr.add(index) };
        if header.p_type != libc::PT_DYNAMIC {
            continue;
        }
        let mut entry = base.wrapping_add(header.p_vaddr as usize) as *const Dynamic;
        let (mut array, mut size) = (0, 0);
        // SAFETY: the section is an array of entries that ends with `DT_NULL`.
        unsafe {
            while (*entry)[0] != DT_NULL {
                match *entry {
                    [DT_INIT_ARRAY, value] => array = base.wrapping_add(value),
                    [DT_INIT_ARRAY_SIZE, value] => size = value,
                    _ => {}
                }
                entry = entry.add(1);
            }
        }
        *end = (array + size) as *const Entry;
    }
    1
}
