//! What tests ask the system about processes and their memory, which each has its own way for.

use std::ffi::OsString;
#[cfg(any(target_os = "linux", windows))]
use std::ops::Range;

use trine::{Error, ErrorKind};

/// Memory of this process that others may map too.
#[cfg(any(target_os = "linux", windows))]
#[derive(Clone, Debug)]
pub struct Mapped {
    /// Where it is.
    pub range: Range<usize>,
    /// Whether this process may write it.
    pub is_writable: bool,
}

/// How an error says that a process has aborted.
pub const ABORTED: &str =
    if cfg!(windows) { "was ended by an abort (0xC0000409)" } else { "killed by SIGABRT" };

/// Whether an error is of a process that has aborted.
#[must_use]
pub fn is_abort(error: &Error) -> bool {
    let (signal, code) =
        if cfg!(windows) { (None, Some(0xC000_0409_u32.cast_signed())) } else { (Some(6), None) };
    *error.kind() == ErrorKind::Crashed { signal, code }
}

/// Whether the option `memory` bounds anything here; says so if it does not.
#[must_use]
pub fn bounds_memory() -> bool {
    let bounds = !cfg!(target_os = "macos") && !is_emulated();
    if !bounds {
        println!("skipped: macOS has no limit of memory, and qemu ignores it");
    }
    bounds
}

/// Whether qemu runs this program, by the word of `.ci/under-qemu`. It ignores whoever limits the
/// memory of a process, and refuses to let one adopt what its children leave behind.
#[must_use]
pub fn is_emulated() -> bool {
    std::env::var_os("TRINE_TEST_EMULATED").is_some()
}

/// A name that is no text.
#[must_use]
pub fn no_text() -> OsString {
    #[cfg(unix)]
    return std::os::unix::ffi::OsStringExt::from_vec(vec![0xff, b'a']);
    #[cfg(windows)]
    return std::os::windows::ffi::OsStringExt::from_wide(&[0xd800, 0x61]);
}

#[cfg(all(target_os = "linux", not(trine_platform = "unix")))]
mod of_system {
    use std::fs;
    use std::path::Path;

    /// Whether the process exists and is not a zombie.
    #[must_use]
    pub fn is_alive(id: i32) -> bool {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
    }

    /// Whether anything of the process is left.
    #[must_use]
    pub fn is_there(id: i32) -> bool {
        Path::new(&format!("/proc/{id}")).exists()
    }

    /// Kills a child of this process that nobody has waited for.
    pub fn kill(id: i32) {
        // SAFETY: a signal to a child.
        unsafe { libc::kill(id, libc::SIGKILL) };
    }

    /// How many processes this one has started that are there.
    #[must_use]
    pub fn children() -> usize {
        let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
        let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("children"));
        tasks.filter_map(|task| of(task).ok()).map(|of| of.split_whitespace().count()).sum()
    }

    /// The most memory that this process ever had, in bytes.
    #[must_use]
    pub fn peak() -> usize {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() << 10
    }
}

// `ps` knows what each system has its own calls for.
#[cfg(any(target_os = "macos", target_os = "freebsd", trine_platform = "unix"))]
mod of_system {
    use std::process::{Command, Stdio};

    /// What `ps` says of one process, or of all that there are, and its own number.
    fn ask(arguments: &[&str]) -> (String, u32) {
        let mut asked = Command::new("ps");
        let asked = asked.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let id = asked.id();
        (String::from_utf8(asked.wait_with_output().unwrap().stdout).unwrap(), id)
    }

    /// Whether the process exists and is not a zombie.
    #[must_use]
    pub fn is_alive(id: i32) -> bool {
        let (state, _) = ask(&["-o", "state=", "-p", &id.to_string()]);
        !state.trim().is_empty() && !state.trim().starts_with('Z')
    }

    /// Whether anything of the process is left.
    #[must_use]
    pub fn is_there(id: i32) -> bool {
        !ask(&["-o", "state=", "-p", &id.to_string()]).0.trim().is_empty()
    }

    /// Kills a child of this process that nobody has waited for.
    pub fn kill(id: i32) {
        // SAFETY: a signal to a child.
        unsafe { libc::kill(id, libc::SIGKILL) };
    }

    /// How many processes this one has started that are there.
    #[must_use]
    pub fn children() -> usize {
        let (all, asked) = ask(&["-A", "-o", "pid=", "-o", "ppid="]);
        let numbers = |line: &str| -> Vec<u32> {
            line.split_whitespace().map(|number| number.parse().unwrap()).collect()
        };
        let me = std::process::id();
        all.lines().map(numbers).filter(|process| process[0] != asked && process[1] == me).count()
    }

    /// The most memory that this process ever had, in bytes.
    #[must_use]
    pub fn peak() -> usize {
        // SAFETY: a record to fill in.
        let most = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &raw mut usage), 0);
            usage.ru_maxrss as usize
        };
        if cfg!(target_vendor = "apple") { most } else { most << 10 }
    }
}

/// What this process shares with others by way of the engine. Elsewhere no file says it.
#[cfg(target_os = "linux")]
#[must_use]
pub fn mapped() -> Vec<Mapped> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let shared = maps.lines().filter(|map| map.contains(crate::process::MEMORY)).map(|map| {
        let mut words = map.split_whitespace();
        let (start, end) = words.next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|end| usize::from_str_radix(end, 16).unwrap());
        Mapped { range: start..end, is_writable: words.next().unwrap().starts_with("rw-s") }
    });
    shared.collect()
}

#[cfg(windows)]
mod of_system {
    use std::{mem, ptr};

    use windows_sys::Win32::Foundation::{CloseHandle, WAIT_TIMEOUT};
    use windows_sys::Win32::System::Diagnostics::ToolHelp::{
        CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW,
        TH32CS_SNAPPROCESS,
    };
    use windows_sys::Win32::System::Memory::{
        MEM_COMMIT, MEM_MAPPED, MEMORY_BASIC_INFORMATION, PAGE_READWRITE, VirtualQuery,
    };
    use windows_sys::Win32::System::ProcessStatus::{
        K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS,
    };
    use windows_sys::Win32::System::Threading::{
        GetCurrentProcess, OpenProcess, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, TerminateProcess,
        WaitForSingleObject,
    };

    use super::Mapped;

    /// Whether the process exists and has not ended.
    #[must_use]
    pub fn is_alive(id: i32) -> bool {
        // SAFETY: the handle is closed after its last use.
        unsafe {
            let process = OpenProcess(PROCESS_SYNCHRONIZE, 0, id.cast_unsigned());
            let is_alive = !process.is_null() && WaitForSingleObject(process, 0) == WAIT_TIMEOUT;
            CloseHandle(process);
            is_alive
        }
    }

    /// The same: as long as somebody has a handle, its number is not used again.
    #[must_use]
    pub fn is_there(id: i32) -> bool {
        is_alive(id)
    }

    /// Kills a process.
    pub fn kill(id: i32) {
        // SAFETY: the handle is closed after its last use.
        unsafe {
            let process = OpenProcess(PROCESS_TERMINATE, 0, id.cast_unsigned());
            TerminateProcess(process, 9);
            CloseHandle(process);
        }
    }

    /// How many processes this one has started that are there.
    #[must_use]
    pub fn children() -> usize {
        let mut children = 0;
        // SAFETY: records of their size, and the handle is closed after its last use.
        unsafe {
            let all = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
            let mut one: PROCESSENTRY32W = mem::zeroed();
            one.dwSize = size_of::<PROCESSENTRY32W>() as u32;
            let mut is_one = Process32FirstW(all, &mut one);
            while is_one != 0 {
                children += usize::from(one.th32ParentProcessID == std::process::id());
                is_one = Process32NextW(all, &mut one);
            }
            CloseHandle(all);
        }
        children
    }

    /// The most memory that this process ever had, in bytes.
    #[must_use]
    pub fn peak() -> usize {
        // SAFETY: it fills in a record of that size.
        unsafe {
            let mut about: PROCESS_MEMORY_COUNTERS = mem::zeroed();
            let size = size_of::<PROCESS_MEMORY_COUNTERS>() as u32;
            K32GetProcessMemoryInfo(GetCurrentProcess(), &mut about, size);
            about.PeakWorkingSetSize
        }
    }

    /// What this process shares with others, be it by way of the engine or not.
    #[must_use]
    pub fn mapped() -> Vec<Mapped> {
        let mut found = Vec::new();
        let mut address = 0;
        loop {
            // SAFETY: it fills in a record of that size.
            let about = unsafe {
                let mut about: MEMORY_BASIC_INFORMATION = mem::zeroed();
                let at = ptr::without_provenance(address);
                if VirtualQuery(at, &mut about, size_of::<MEMORY_BASIC_INFORMATION>()) == 0 {
                    return found;
                }
                about
            };
            let start = about.BaseAddress.addr();
            address = start + about.RegionSize;
            if about.State == MEM_COMMIT && about.Type == MEM_MAPPED {
                let is_writable = about.Protect == PAGE_READWRITE;
                found.push(Mapped { range: start..address, is_writable });
            }
        }
    }
}

#[cfg(windows)]
pub use of_system::mapped;
pub use of_system::{children, is_alive, is_there, kill, peak};
