//! Files that a worker makes, to send them to its parent.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::IntoRawFd;

/// An empty memory file of this size.
pub(crate) fn sparse(size: u64, is_sealed: bool) -> i32 {
    // SAFETY: system calls on a file of our own.
    unsafe {
        let file = libc::memfd_create(c"trine".as_ptr(), libc::MFD_ALLOW_SEALING);
        assert_eq!(libc::ftruncate64(file, size.cast_signed()), 0);
        if is_sealed {
            libc::fcntl(file, libc::F_ADD_SEALS, libc::F_SEAL_SHRINK);
        }
        file
    }
}

/// Memory of huge pages, if the system has any left.
pub(crate) fn huge() -> i32 {
    const HUGE: u64 = 2 << 20;
    // SAFETY: system calls on a file of our own.
    unsafe {
        let flags = libc::MFD_ALLOW_SEALING | libc::MFD_HUGETLB;
        let file = libc::memfd_create(c"trine".as_ptr(), flags);
        libc::ftruncate64(file, HUGE.cast_signed());
        libc::fallocate64(file, 0, 0, HUGE.cast_signed());
        libc::fcntl(file, libc::F_ADD_SEALS, libc::F_SEAL_SHRINK);
        file
    }
}

/// A socket that whoever closes it last has to wait for, as long as its other end lives and reads
/// nothing.
pub(crate) fn lingering() -> i32 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    std::mem::forget(listener);
    stream.set_nonblocking(true).unwrap();
    while stream.write(&[1; 1 << 16]).is_ok() {}
    let linger = libc::linger { l_onoff: 1, l_linger: 3600 };
    let file = stream.into_raw_fd();
    // SAFETY: an option of our own socket, with a record of that length.
    let set = unsafe {
        let length = size_of::<libc::linger>() as u32;
        let linger = (&raw const linger).cast();
        libc::setsockopt(file, libc::SOL_SOCKET, libc::SO_LINGER, linger, length)
    };
    assert_eq!(set, 0);
    file
}

/// Closes our handle of a file.
pub(crate) fn close(file: i32) {
    // SAFETY: a file of our own.
    unsafe { libc::close(file) };
}

pub(crate) fn dev_null() -> i32 {
    // SAFETY: opens a file.
    unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) }
}

/// A memory file with these bytes, which nobody can change.
pub(crate) fn frozen(bytes: &[u8]) -> i32 {
    // SAFETY: system calls on a file of our own.
    unsafe {
        let file = libc::memfd_create(c"trine".as_ptr(), libc::MFD_ALLOW_SEALING);
        libc::write(file, bytes.as_ptr().cast(), bytes.len());
        let all = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE | libc::F_SEAL_SEAL;
        libc::fcntl(file, libc::F_ADD_SEALS, all);
        file
    }
}

/// Allows this process so many open files.
pub(crate) fn allow(files: libc::rlim_t) {
    let limit = libc::rlimit { rlim_cur: files, rlim_max: files };
    // SAFETY: it reads a valid limit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}
