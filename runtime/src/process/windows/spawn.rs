//! Starting this program once more, in a job, with nothing inherited but what is listed.

#![allow(unsafe_code, reason = "calls of the system")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::{env, mem, ptr};

use windows_sys::Win32::Foundation::{GENERIC_READ, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_SHARE_READ, FILE_SHARE_WRITE, OPEN_EXISTING,
};
use windows_sys::Win32::System::Console::{
    GetConsoleCP, GetStdHandle, STD_ERROR_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::LibraryLoader::GetModuleFileNameW;
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW, CREATE_UNICODE_ENVIRONMENT, CreateProcessW,
    DeleteProcThreadAttributeList, EXTENDED_STARTUPINFO_PRESENT, InitializeProcThreadAttributeList,
    LPPROC_THREAD_ATTRIBUTE_LIST, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
    PROC_THREAD_ATTRIBUTE_JOB_LIST, PROCESS_INFORMATION, STARTF_USESTDHANDLES, STARTUPINFOEXW,
    UpdateProcThreadAttribute,
};

use super::job::Job;
use super::object::{failed, inherited, owned};

/// A process that was started.
pub(super) struct Started {
    pub(super) process: OwnedHandle,
    pub(super) number: u32,
}

/// What it is started with.
pub(super) struct Order<'a> {
    pub(super) job: &'a Job,
    /// What it inherits besides its output.
    pub(super) handle: &'a OwnedHandle,
    pub(super) set: (&'a str, String),
    pub(super) hidden: &'a [&'a str],
}

/// The file of this program.
pub(super) fn executable() -> io::Result<OsString> {
    let mut path = vec![0; 512];
    loop {
        // SAFETY: it fills in the buffer, which has that length.
        let length = unsafe {
            GetModuleFileNameW(ptr::null_mut(), path.as_mut_ptr(), path.len() as u32) as usize
        };
        if length == 0 {
            return Err(failed("GetModuleFileName"));
        }
        if length < path.len() {
            return Ok(OsString::from_wide(&path[..length]));
        }
        path.resize(2 * path.len(), 0);
    }
}

pub(super) fn start(order: &Order<'_>) -> io::Result<Started> {
    let path = executable()?;
    let input = nothing()?;
    let [output, error] = [STD_OUTPUT_HANDLE, STD_ERROR_HANDLE].map(output);
    let raw = |handle: &Option<OwnedHandle>| {
        handle.as_ref().map_or(ptr::null_mut(), AsRawHandle::as_raw_handle)
    };
    let mut handles = vec![order.handle.as_raw_handle(), input.as_raw_handle()];
    handles.extend([&output, &error].into_iter().flatten().map(AsRawHandle::as_raw_handle));
    let jobs = [order.job.raw()];
    let attributes = Attributes::new(&handles, &jobs)?;
    // SAFETY: any bytes are one.
    let mut about: STARTUPINFOEXW = unsafe { mem::zeroed() };
    about.StartupInfo.cb = size_of::<STARTUPINFOEXW>() as u32;
    about.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    about.StartupInfo.hStdInput = input.as_raw_handle();
    about.StartupInfo.hStdOutput = raw(&output);
    about.StartupInfo.hStdError = raw(&error);
    about.lpAttributeList = attributes.list();
    let mut flags =
        EXTENDED_STARTUPINFO_PRESENT | CREATE_UNICODE_ENVIRONMENT | CREATE_NEW_PROCESS_GROUP;
    // SAFETY: it takes nothing.
    if unsafe { GetConsoleCP() } == 0 {
        // This program has no console, so a worker does not open one.
        flags |= CREATE_NO_WINDOW;
    }
    let mut line = wide(&command_line());
    let environment = environment(order);
    // SAFETY: any bytes are one.
    let mut started: PROCESS_INFORMATION = unsafe { mem::zeroed() };
    // SAFETY: texts that end with 0, which it may change, and records of their sizes. What the
    // attributes name is there.
    let is_started = unsafe {
        CreateProcessW(
            wide(&path).as_ptr(),
            line.as_mut_ptr(),
            ptr::null(),
            ptr::null(),
            1,
            flags,
            environment.as_ptr().cast(),
            ptr::null(),
            (&raw const about).cast(),
            &mut started,
        )
    };
    if is_started == 0 {
        return Err(failed(&path.to_string_lossy()));
    }
    // SAFETY: handles that were made for us.
    let (process, _thread) = unsafe {
        let own = |handle| OwnedHandle::from_raw_handle(handle);
        (own(started.hProcess), own(started.hThread))
    };
    Ok(Started { process, number: started.dwProcessId })
}

fn wide(text: &OsStr) -> Vec<u16> {
    text.encode_wide().chain([0]).collect()
}

/// The name that this program was started by, and what a worker is called.
fn command_line() -> OsString {
    let name = env::args_os().next().unwrap_or_default();
    let is_plain = !name.is_empty() && !name.to_string_lossy().contains('"');
    let name = if is_plain { name } else { "trine".into() };
    let mut line = OsString::from("\"");
    line.push(name);
    line.push("\" trine-worker");
    line
}

/// The variables of this process, as changed, in the order that the system wants.
fn environment(order: &Order<'_>) -> Vec<u16> {
    let mut variables: BTreeMap<OsString, (OsString, OsString)> =
        env::vars_os().map(|(name, value)| (name.to_ascii_uppercase(), (name, value))).collect();
    for hidden in order.hidden {
        variables.remove(OsStr::new(hidden));
    }
    let (name, value) = &order.set;
    variables.insert(name.into(), (name.into(), value.into()));
    let mut block = Vec::new();
    for (name, value) in variables.into_values() {
        block.extend(name.encode_wide());
        block.push(u16::from(b'='));
        block.extend(value.encode_wide().chain([0]));
    }
    block.push(0);
    block
}

/// An input that is empty.
fn nothing() -> io::Result<OwnedHandle> {
    let inherit = SECURITY_ATTRIBUTES {
        nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
        lpSecurityDescriptor: ptr::null_mut(),
        bInheritHandle: 1,
    };
    let share = FILE_SHARE_READ | FILE_SHARE_WRITE;
    let name = wide(OsStr::new("NUL"));
    // SAFETY: a name that ends with 0, and a record of its size.
    let file = unsafe {
        let none = ptr::null_mut();
        CreateFileW(name.as_ptr(), GENERIC_READ, share, &inherit, OPEN_EXISTING, 0, none)
    };
    owned("NUL", file)
}

/// Where this process prints, for a worker.
fn output(which: u32) -> Option<OwnedHandle> {
    // SAFETY: it takes a number.
    let handle = unsafe { GetStdHandle(which) };
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return None;
    }
    inherited(handle).ok()
}

/// What a process is started with beyond the usual.
struct Attributes<'a> {
    room: Vec<u64>,
    _handles: &'a [HANDLE],
}

impl<'a> Attributes<'a> {
    fn new(handles: &'a [HANDLE], jobs: &'a [HANDLE]) -> io::Result<Self> {
        let mut size = 0;
        // SAFETY: without a list it says how large one is.
        unsafe { InitializeProcThreadAttributeList(ptr::null_mut(), 2, 0, &mut size) };
        let mut room = vec![0_u64; size.div_ceil(8)];
        // SAFETY: the list has that size.
        if unsafe { InitializeProcThreadAttributeList(room.as_mut_ptr().cast(), 2, 0, &mut size) }
            == 0
        {
            return Err(failed("InitializeProcThreadAttributeList"));
        }
        let attributes = Self { room, _handles: handles };
        attributes.set(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles)?;
        attributes.set(PROC_THREAD_ATTRIBUTE_JOB_LIST, jobs)?;
        Ok(attributes)
    }

    fn set(&self, which: u32, values: &[HANDLE]) -> io::Result<()> {
        let (start, size) = (values.as_ptr().cast(), size_of_val(values));
        // SAFETY: the list is initialized, and keeps the address of values that outlive it.
        let is_set = unsafe {
            let (none, list) = (ptr::null_mut(), self.list());
            UpdateProcThreadAttribute(list, 0, which as usize, start, size, none, ptr::null_mut())
        };
        if is_set == 0 { Err(failed("UpdateProcThreadAttribute")) } else { Ok(()) }
    }

    fn list(&self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.room.as_ptr().cast_mut().cast()
    }
}

impl Drop for Attributes<'_> {
    fn drop(&mut self) {
        // SAFETY: it was initialized.
        unsafe { DeleteProcThreadAttributeList(self.list()) };
    }
}
