//! The constructors that come after ours.
//!
//! In a worker, ours does not return. Those that the linker placed after it (registries such as
//! `inventory`, C++ statics) must still run, or the worker would lack what the parent has.

#![allow(unsafe_code, reason = "tables of the loaded image")]

/// What the C library calls before `main`.
pub(super) type Constructor = extern "C" fn();

#[used]
// SAFETY: the linker sorts these sections by name, so this is after all constructors. The C library
// passes over what is 0.
#[unsafe(link_section = ".CRT$XCZ")]
static END: usize = 0;

#[cfg(target_env = "gnu")]
unsafe extern "C" {
    /// The C library's own: it runs what GNU compilers list elsewhere, once.
    fn __main();
}

/// Calls every constructor of the executable after `ours`.
pub(super) fn run_after(ours: *const Constructor) {
    let end = (&raw const END).cast::<Constructor>();
    let mut next = ours.wrapping_add(1);
    while next < end {
        // SAFETY: `next` is in the table, whose entries the C library would call in the same way;
        // it allows 0 as a filler.
        unsafe {
            if next.cast::<usize>().read_volatile() != 0 {
                next.read_volatile()();
            }
        }
        next = next.wrapping_add(1);
    }
    #[cfg(target_env = "gnu")]
    // SAFETY: `main` would begin with it.
    unsafe {
        __main();
    }
}
