//! A library with process calls, for programs that load it: a worker has no executable to run.

use std::ffi::c_char;

use trine::concurrent;

#[concurrent(process)]
fn double(number: u32) -> u32 {
    number * 2
}

/// Calls, writes the error's text with a zero at its end, and returns the result, or -1.
///
/// # Safety
/// `text` must have room for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn trine_call(text: *mut c_char, length: usize) -> i64 {
    match double(21).join() {
        Ok(number) => number.into(),
        Err(error) => {
            let mut bytes = error.to_string().into_bytes();
            bytes.truncate(length.saturating_sub(1));
            bytes.push(0);
            // SAFETY: the caller has room for `length` bytes, and there are no more than that.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), text.cast(), bytes.len()) };
            -1
        }
    }
}
