//! How much memory this process has, and which limit bounds that.

pub(crate) use self::system::size;
pub(super) use self::system::{LIMIT, data};

#[cfg(target_os = "linux")]
mod system {
    use std::fs;

    use rustix::process::Resource;

    /// What bounds [`data`].
    pub(crate) const LIMIT: Option<Resource> = Some(Resource::Data);

    /// The bytes that count against the limit, and the stack; 0 without `/proc`.
    pub(crate) fn data() -> u64 {
        field(5).unwrap_or(0)
    }

    /// The current memory size of this process in bytes.
    pub(crate) fn size() -> Option<u64> {
        field(1)
    }

    fn field(number: usize) -> Option<u64> {
        let pages = fs::read_to_string("/proc/self/statm").ok()?;
        let pages: u64 = pages.split(' ').nth(number)?.parse().ok()?;
        Some(pages * rustix::param::page_size() as u64)
    }
}

/// The kernel counts address space; what it counts, it tells in the record of the process.
#[cfg(target_os = "freebsd")]
#[allow(unsafe_code, reason = "a call of the C library")]
mod system {
    use std::mem::MaybeUninit;
    use std::ptr;

    use rustix::process::Resource;

    /// What bounds [`data`].
    pub(crate) const LIMIT: Option<Resource> = Some(Resource::As);

    /// The bytes that count against the limit; 0 if unknown.
    pub(crate) fn data() -> u64 {
        record().map_or(0, |record| record.ki_size as u64)
    }

    /// The current memory size of this process in bytes.
    pub(crate) fn size() -> Option<u64> {
        let pages = u64::try_from(record()?.ki_rssize).ok()?;
        Some(pages * rustix::param::page_size() as u64)
    }

    fn record() -> Option<libc::kinfo_proc> {
        let process = rustix::process::getpid().as_raw_nonzero().get();
        let name = [libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_PID, process];
        let mut record = MaybeUninit::<libc::kinfo_proc>::uninit();
        let mut length = size_of_val(&record);
        // SAFETY: it reads the name and fills in the record, which are as long as it is told.
        unsafe {
            let (room, count) = (record.as_mut_ptr().cast(), name.len() as u32);
            let done = libc::sysctl(name.as_ptr(), count, room, &raw mut length, ptr::null(), 0);
            (done == 0 && length == size_of_val(&record)).then(|| record.assume_init())
        }
    }
}

/// No limit bounds what a process allocates there.
#[cfg(target_vendor = "apple")]
#[allow(unsafe_code, reason = "a call of the C library")]
mod system {
    use std::mem::MaybeUninit;

    use rustix::process::Resource;

    /// What bounds [`data`]: nothing.
    pub(crate) const LIMIT: Option<Resource> = None;

    /// What the process alone has in memory or has had compressed; 0 if unknown.
    pub(crate) fn data() -> u64 {
        usage().map_or(0, |usage| usage.ri_phys_footprint)
    }

    /// The current memory size of this process in bytes.
    pub(crate) fn size() -> Option<u64> {
        usage().map(|usage| usage.ri_resident_size)
    }

    fn usage() -> Option<libc::rusage_info_v2> {
        let process = rustix::process::getpid().as_raw_nonzero().get();
        let mut usage = MaybeUninit::<libc::rusage_info_v2>::uninit();
        // SAFETY: it fills in a record of this version.
        unsafe {
            let room = usage.as_mut_ptr().cast();
            let done = libc::proc_pid_rusage(process, libc::RUSAGE_INFO_V2, room);
            (done == 0).then(|| usage.assume_init())
        }
    }
}
