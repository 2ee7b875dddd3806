//! What a worker has from the program: its limits, its files, its location.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::sync::Once;

use trine::{Error, concurrent};
use trine_tests::checks::part;
use trine_tests::process::double;

use super::{ends, output, said, skip, wants};

/// Reserves much memory at first, as some allocators do.
struct Reserving;

pub(super) const RESERVED: usize = 1 << 30;

// SAFETY: the system's allocator does all the work.
unsafe impl GlobalAlloc for Reserving {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: a string that ends in a zero; a new mapping harms nobody.
            unsafe {
                if !libc::getenv(c"RESERVE".as_ptr()).is_null() {
                    let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE);
                    let flags = flags | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
                    libc::mmap(std::ptr::null_mut(), RESERVED, access, flags, -1, 0);
                }
            }
        });
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Reserving = Reserving;

#[concurrent(process)]
pub(super) fn length(bytes: Vec<u8>) -> usize {
    bytes.len()
}

#[concurrent(process)]
pub(super) fn filled(length: usize) -> Vec<u8> {
    vec![1; length]
}

pub(super) fn limit_files(bytes: libc::rlim_t) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: a valid limit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
}

pub(super) fn file_limit() {
    limit_files(2 << 20);
    assert_eq!(double(1).join().unwrap(), 2);
    for error in [length(vec![1; 4 << 20]).join().err(), filled(4 << 20).join().err()] {
        let error = error.unwrap().to_string();
        assert!(error.contains("File too large"), "{error}");
    }
    assert_eq!(length(vec![1; 1 << 20]).join().unwrap(), 1 << 20);
    println!("ok");
}

pub(super) fn tiny_file_limit() {
    limit_files(4096);
    let error = double(1).join().unwrap_err().to_string();
    assert!(error.contains("File too large"), "{error}");
    println!("ok");
}

#[concurrent(process)]
pub(super) fn open_files() -> BTreeSet<String> {
    let files = fs::read_dir("/proc/self/fd").unwrap();
    let names = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}

/// A socket as a C library makes it, or systemd hands it over.
pub(super) fn listener() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: a flag of a file that we own.
    unsafe { libc::fcntl(listener.as_raw_fd(), libc::F_SETFD, 0) };
    let files = open_files().join().unwrap();
    let name = fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
    assert!(!files.contains(&*name.to_string_lossy()), "{files:?}");
    drop(listener);
    println!("ok");
}

#[concurrent(process)]
pub(super) fn cores() -> i32 {
    allowed()
}

pub(super) fn allowed() -> i32 {
    // SAFETY: a set for the call to fill in.
    unsafe {
        let mut set = std::mem::zeroed();
        assert_eq!(libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set), 0);
        libc::CPU_COUNT(&set)
    }
}

pub(super) fn pinned() {
    let all = allowed();
    if all < 2 {
        return skip("one core");
    }
    // SAFETY: a set with one core that is allowed; for this thread.
    let was = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(libc::sched_getcpu() as usize, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    };
    assert_eq!(was, 0);
    assert_eq!(cores().join().unwrap(), all);
    assert_eq!(allowed(), 1);
    println!("ok");
}

#[concurrent(process)]
pub(super) fn place() -> (String, Option<String>) {
    let folder = std::env::current_dir().unwrap().to_string_lossy().into_owned();
    (folder, std::env::var("PLACE").ok())
}

pub(super) fn moves() {
    let before = std::env::current_dir().unwrap().to_string_lossy().into_owned();
    assert_eq!(place().join().unwrap(), (before.clone(), None));
    std::env::set_current_dir("/").unwrap();
    // SAFETY: nobody reads the environment at this moment.
    unsafe { std::env::set_var("PLACE", "new") };
    assert_eq!(place().join().unwrap(), (before, None));
    assert_eq!(fresh_place().join().unwrap(), ("/".to_owned(), Some("new".to_owned())));
    println!("ok");
}

#[concurrent(process, fresh)]
pub(super) fn fresh_place() -> (String, Option<String>) {
    let folder = std::env::current_dir().unwrap().to_string_lossy().into_owned();
    (folder, std::env::var("PLACE").ok())
}

/// Small and large calls, a crash, and what follows.
pub(super) fn works() {
    assert_eq!(double(1).join().unwrap(), 2);
    assert_eq!(length(vec![1; 1 << 20]).join().unwrap(), 1 << 20);
    assert_eq!(filled(1 << 20).join().unwrap().len(), 1 << 20);
    assert!(ends("abort").join().unwrap_err().is_crash());
    assert_eq!(trine::block_on(double(2)).unwrap(), 4);
    assert_eq!(fresh_double(3).join().unwrap(), 6);
}

#[concurrent(process, fresh)]
pub(super) fn fresh_double(number: u32) -> u32 {
    number * 2
}

/// Where nobody hears what it says.
pub(super) fn works_quietly() {
    works();
}

/// The numbers of the standard files are free, and the next file that is opened would get one.
pub(super) fn no_standard_files() {
    for closed in [&[0][..], &[1], &[0, 1], &[0, 1, 2], &[2]] {
        let mut command = part("works-quietly");
        // SAFETY: only system calls, on files that the program is to do without.
        unsafe {
            command.pre_exec(move || {
                closed.iter().for_each(|&file| _ = libc::close(file));
                Ok(())
            });
        }
        let status = command.stdout(Stdio::inherit()).status().unwrap();
        assert!(status.success(), "{closed:?}: {status:?}");
    }
}

pub(super) fn stands_nowhere() {
    let folder = std::env::temp_dir().join(format!("trine-gone-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    std::env::set_current_dir(&folder).unwrap();
    fs::remove_dir(&folder).unwrap();
    works();
    println!("ok");
}

pub(super) fn masks_files() {
    // SAFETY: it sets a number.
    unsafe { libc::umask(0o777) };
    works();
    println!("ok");
}

pub(super) fn reserves() {
    let ended = |result: Result<usize, Error>| result.map_err(|error| error.is_memory_limit());
    assert_eq!(ended(wants(1 << 20).join()), Ok(1 << 20));
    assert_eq!(ended(wants(40 << 20).join()), Ok(40 << 20));
    assert_eq!(ended(wants(80 << 20).join()), Err(true));
    println!("ok");
}

pub(super) fn allocator_reserves() {
    said("reserves", "ok\n");
    let mut command = part("reserves");
    command.env("RESERVE", "1");
    assert_eq!(output(command), "ok\n");
}
