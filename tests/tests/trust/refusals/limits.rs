//! What takes a resource from this program, for good.

use std::fs::File;
use std::thread;

/// Makes this the program of a user that has no other, and is bound by limits.
pub(crate) fn become_nobody_else() {
    const NOBODY_ELSE: libc::uid_t = 1_999_999_999;
    // SAFETY: plain system calls.
    unsafe {
        if libc::getuid() == 0 {
            assert_eq!(libc::setgid(NOBODY_ELSE), 0);
            assert_eq!(libc::setuid(NOBODY_ELSE), 0);
        }
    }
}

/// Allows no more threads, through the limit of such a user.
pub(crate) fn threads() -> Result<(), String> {
    become_nobody_else();
    let one = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
    // SAFETY: a plain system call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &raw const one) }, 0);
    match thread::Builder::new().spawn(|| ()) {
        Ok(_) => Err("the limit of threads does not hold here".into()),
        Err(_) => Ok(()),
    }
}

/// Leaves too little memory for a thread's stack.
pub(crate) fn memory() -> Result<(), String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|why| why.to_string())?;
    let size = status.lines().find(|line| line.starts_with("VmSize:")).unwrap();
    let kibibytes: libc::rlim_t = size.split_whitespace().nth(1).unwrap().parse().unwrap();
    let bytes = (kibibytes + 768) << 10;
    let tight = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: a plain system call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const tight) }, 0);
    assert!(thread::Builder::new().spawn(|| ()).is_err());
    Ok(())
}

/// Allows no more descriptors.
pub(crate) fn files() -> Result<(), String> {
    let few = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
    // SAFETY: a plain system call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const few) }, 0);
    while let Ok(file) = File::open("/dev/null") {
        std::mem::forget(file);
    }
    Ok(())
}

/// Hides `/proc`, as in a bare chroot.
pub(crate) fn proc() -> Result<(), String> {
    // SAFETY: a plain system call.
    match unsafe { libc::chroot(c"/proc/self/fdinfo".as_ptr()) } {
        0 => Ok(()),
        _ => Err("this user may not change the root".into()),
    }
}
