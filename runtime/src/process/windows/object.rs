//! Kernel objects: events, waits, and handles for other processes.

#![allow(unsafe_code, reason = "calls of the system")]

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    DUPLICATE_CLOSE_SOURCE, DuplicateHandle, HANDLE, INVALID_HANDLE_VALUE, WAIT_OBJECT_0,
};
use windows_sys::Win32::System::Threading::{
    CreateEventW, GetCurrentProcess, INFINITE, SetEvent, WaitForMultipleObjects,
};

/// The last error, and which call failed.
pub(super) fn failed(call: &str) -> io::Error {
    let error = io::Error::last_os_error();
    io::Error::new(error.kind(), format!("{call}: {error}"))
}

/// What a call has returned: a handle that is ours, or none.
pub(super) fn owned(call: &str, handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(failed(call));
    }
    // SAFETY: a handle that the system has just made for us.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// What a wait does with an event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reset {
    /// It wakes one, and is over.
    ByWait,
    /// It stays set.
    Never,
}

pub(super) fn event(reset: Reset) -> io::Result<OwnedHandle> {
    // SAFETY: it takes no pointers that are not null.
    let event =
        unsafe { CreateEventW(ptr::null(), i32::from(reset == Reset::Never), 0, ptr::null()) };
    owned("CreateEvent", event)
}

pub(super) fn set(event: &OwnedHandle) {
    // SAFETY: the handle is open.
    unsafe { SetEvent(event.as_raw_handle()) };
}

/// Which of a few objects is the first that is set; `None` after that time.
pub(super) fn wait(objects: &[HANDLE], most: Option<Duration>) -> Option<usize> {
    // SAFETY: that many handles, which are open as long as their owners are borrowed.
    let which = unsafe {
        WaitForMultipleObjects(objects.len() as u32, objects.as_ptr(), 0, milliseconds(most))
    };
    let which = which.wrapping_sub(WAIT_OBJECT_0) as usize;
    (which < objects.len()).then_some(which)
}

/// Whether an object is set, or is within that time.
pub(super) fn is_set(object: &OwnedHandle, within: Duration) -> bool {
    wait(&[object.as_raw_handle()], Some(within)).is_some()
}

/// Rounded up.
fn milliseconds(most: Option<Duration>) -> u32 {
    most.map_or(INFINITE, |most| {
        u32::try_from(most.as_nanos().div_ceil(1_000_000)).unwrap_or(INFINITE).min(INFINITE - 1)
    })
}

/// This process, to name it in calls.
fn this_process() -> HANDLE {
    // SAFETY: it takes nothing.
    unsafe { GetCurrentProcess() }
}

/// This process, as others are named.
pub(super) fn own_process() -> io::Result<OwnedHandle> {
    copy(this_process(), this_process(), this_process(), Access::Same, false)
        .and_then(|process| owned("DuplicateHandle", process))
}

/// What a copy of a handle allows.
#[derive(Clone, Copy)]
pub(super) enum Access {
    Same,
    Only(u32),
}

fn copy(
    from: HANDLE,
    handle: HANDLE,
    to: HANDLE,
    access: Access,
    is_inherited: bool,
) -> io::Result<HANDLE> {
    use windows_sys::Win32::Foundation::DUPLICATE_SAME_ACCESS;
    let (access, options) = match access {
        Access::Same => (0, DUPLICATE_SAME_ACCESS),
        Access::Only(access) => (access, 0),
    };
    let mut copy = ptr::null_mut();
    // SAFETY: it fills in the copy; a handle that names nothing is an error.
    let is_made = unsafe {
        DuplicateHandle(from, handle, to, &mut copy, access, i32::from(is_inherited), options)
    };
    if is_made == 0 { Err(failed("DuplicateHandle")) } else { Ok(copy) }
}

/// A copy that processes inherit which this one starts, if they are to.
pub(super) fn inherited(handle: HANDLE) -> io::Result<OwnedHandle> {
    let copy = copy(this_process(), handle, this_process(), Access::Same, true)?;
    owned("DuplicateHandle", copy)
}

/// A copy with that access.
pub(super) fn restricted(handle: &OwnedHandle, access: u32) -> io::Result<OwnedHandle> {
    let (this, handle) = (this_process(), handle.as_raw_handle());
    owned("DuplicateHandle", copy(this, handle, this, Access::Only(access), false)?)
}

/// A copy in another process, by its number there.
pub(super) fn give(
    handle: BorrowedHandle<'_>,
    process: &OwnedHandle,
    access: Access,
) -> io::Result<u64> {
    let process = process.as_raw_handle();
    copy(this_process(), handle.as_raw_handle(), process, access, false)
        .map(|handle| handle as usize as u64)
}

/// Closes what was given to a process that does not know of it yet.
pub(super) fn take_back(handle: u64, process: &OwnedHandle) {
    let (process, handle) = (process.as_raw_handle(), handle as usize as HANDLE);
    // SAFETY: it closes a handle of the other process, which was made there for a packet that it
    // did not get.
    unsafe {
        let none = ptr::null_mut();
        DuplicateHandle(process, handle, none, ptr::null_mut(), 0, 0, DUPLICATE_CLOSE_SOURCE)
    };
}

/// A copy of what another process has under that number, if it allows as much.
pub(super) fn take(handle: u64, process: &OwnedHandle, access: u32) -> io::Result<OwnedHandle> {
    let handle = handle as usize as HANDLE;
    let only = Access::Only(access);
    let copy = copy(process.as_raw_handle(), handle, this_process(), only, false)?;
    owned("DuplicateHandle", copy)
}
