//! The job of a worker: everything that it starts belongs to it, and ends with it. The system ends
//! a job when its last handle is closed, which only this process has, so also when this one dies.

#![allow(unsafe_code, reason = "calls of the system")]

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::{mem, ptr};

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOB_OBJECT_LIMIT_PROCESS_MEMORY, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, SetInformationJobObject, TerminateJobObject,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::object::{failed, owned};

/// What a process ends with that is killed: no code that a program would choose.
pub(super) const KILLED: u32 = 0xE000_7213;

pub(super) struct Job(OwnedHandle);

impl Job {
    fn new() -> io::Result<Self> {
        // SAFETY: it takes no pointers that are not null.
        let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
        owned("CreateJobObject", job).map(Self)
    }

    /// For a worker to be started.
    pub(super) fn of_worker() -> io::Result<Self> {
        let job = Self::new()?;
        job.limit(JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, 0)?;
        Ok(job)
    }

    /// Of this process, in the one that it is in already. It kills nothing.
    pub(super) fn of_this_process() -> io::Result<Self> {
        let job = Self::new()?;
        // SAFETY: the handles are open.
        if unsafe { AssignProcessToJobObject(job.raw(), GetCurrentProcess()) } == 0 {
            return Err(failed("AssignProcessToJobObject"));
        }
        Ok(job)
    }

    /// Limits the memory of each process in it.
    pub(super) fn limit_memory(&self, bytes: u64) -> io::Result<()> {
        self.limit(JOB_OBJECT_LIMIT_PROCESS_MEMORY, bytes)
    }

    fn limit(&self, kind: u32, memory: u64) -> io::Result<()> {
        // SAFETY: any bytes are one.
        let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = unsafe { mem::zeroed() };
        limits.BasicLimitInformation.LimitFlags = kind;
        limits.ProcessMemoryLimit = usize::try_from(memory).unwrap_or(usize::MAX);
        let (class, size) = (JobObjectExtendedLimitInformation, size_of_val(&limits) as u32);
        // SAFETY: it reads a record of that size.
        if unsafe { SetInformationJobObject(self.raw(), class, (&raw const limits).cast(), size) }
            == 0
        {
            return Err(failed("SetInformationJobObject"));
        }
        Ok(())
    }

    /// Kills everything that is in it.
    pub(super) fn kill(&self) {
        // SAFETY: the handle is open.
        unsafe { TerminateJobObject(self.raw(), KILLED) };
    }

    pub(super) fn raw(&self) -> windows_sys::Win32::Foundation::HANDLE {
        self.0.as_raw_handle()
    }
}
