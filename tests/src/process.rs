//! The function that nearly every test of the process engine calls.

use trine::concurrent;

/// Twice the number, from a worker.
#[concurrent(process)]
pub fn double(number: u32) -> u32 {
    number * 2
}

/// Whether the engine runs over what macOS and FreeBSD have.
pub const IS_POSIX: bool =
    cfg!(any(target_os = "macos", target_os = "freebsd", trine_platform = "unix"));

/// Part of the name that the system shows for memory that processes share.
pub const MEMORY: &str = if IS_POSIX { "/dev/shm/trine-" } else { "memfd:trine" };

/// The call that makes such memory.
pub const MAKES_MEMORY: &str = if IS_POSIX { "shm_open" } else { "memfd_create" };

/// How an error begins that says that no worker can be executed; elsewhere than on Linux, that is
/// the path of the program.
pub const EXECUTES: &str = if IS_POSIX { ": " } else { "/proc/self/exe: " };

/// Whether a worker of somebody else can be started: by path, unless Linux knows a better way.
#[cfg(unix)]
#[must_use]
pub fn anyone_may_execute() -> bool {
    use std::os::unix::fs::PermissionsExt;

    let program = std::env::current_exe().unwrap();
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode();
    !IS_POSIX || program.ancestors().all(|path| mode(path) & 1 == 1)
}
