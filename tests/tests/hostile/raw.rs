//! What a worker can get hold of: its mappings, its descriptors, its socket. All `unsafe` code of
//! this suite is here. The numbers are the layout in the engine's `channel.rs`.

use std::fs;
use std::sync::atomic::{Ordering, fence};

use trine_tests::process::{IS_POSIX, MEMORY};

const WORDS: usize = 64 << 10;
const RING: usize = 256 << 10;
const HALF: usize = WORDS + RING;
/// How far apart words are, for the processor's sake.
const LINE: usize = align_of::<crossbeam_utils::CachePadded<u8>>();

/// A word of the worker's half, by its offset.
#[derive(Clone, Copy)]
pub(crate) struct Word(pub(crate) usize);

pub(crate) const TAIL: Word = Word(0);
pub(crate) const CORE: Word = Word(4);
pub(crate) const RUNNING: Word = Word(LINE);
pub(crate) const RUNNING_HIGH: Word = Word(LINE + 4);
pub(crate) const SLEEPING: Word = Word(2 * LINE);
pub(crate) const READY: Word = Word(3 * LINE);
pub(crate) const WAITING: Word = Word(4 * LINE);
pub(crate) const REPORT_LENGTH: Word = Word(4 * LINE + 4);
pub(crate) const CAUSE: Word = Word(4 * LINE + 8);
const UNUSED: usize = 1024;

/// A shared mapping: its start, its length, and whether it may be written.
pub(crate) struct Map {
    pub(crate) start: usize,
    pub(crate) length: usize,
    pub(crate) is_writable: bool,
}

/// All mappings that this process shares with its parent.
pub(crate) fn maps() -> Vec<Map> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let shared = maps.lines().filter(|line| line.contains(MEMORY));
    shared
        .map(|line| {
            let mut parts = line.split_whitespace();
            let (start, end) = parts.next().unwrap().split_once('-').unwrap();
            let [start, end] = [start, end].map(|end| usize::from_str_radix(end, 16).unwrap());
            let is_writable = parts.next().unwrap().starts_with("rw");
            Map { start, length: end - start, is_writable }
        })
        .collect()
}

fn own_half() -> usize {
    let half = maps().into_iter().find(|map| map.is_writable && map.length == HALF);
    half.expect("a worker has a half of its own").start
}

pub(crate) fn read(word: Word) -> u32 {
    // SAFETY: within the half, which stays mapped.
    unsafe { ((own_half() + word.0) as *const u32).read_volatile() }
}

pub(crate) fn write(word: Word, value: u32) {
    // SAFETY: as above, and it may be written; that the parent reads it is the point of the test.
    unsafe { ((own_half() + word.0) as *mut u32).write_volatile(value) }
}

/// How far the parent has taken the replies, which it says in its own half.
pub(crate) fn taken() -> u32 {
    let theirs = maps().into_iter().find(|map| !map.is_writable && map.length == HALF);
    let start = theirs.expect("a worker has its parent's half").start;
    // SAFETY: within the half, which stays mapped.
    unsafe { ((start + LINE) as *const u32).read_volatile() }
}

/// Writes a word about which call runs that is `away` from the truth: twice a call's number, and 1
/// more while it runs.
pub(crate) fn say_runs(away: i32) {
    write(RUNNING, read(RUNNING).saturating_add_signed(away));
}

/// The number of the call that is running.
pub(crate) fn number() -> u64 {
    u64::from(read(RUNNING)) / 2
}

/// The head of a reply, and the location of a large one.
#[derive(Clone, Copy)]
pub(crate) struct Reply {
    pub(crate) length: u32,
    pub(crate) flags: u16,
    pub(crate) handles: u16,
    pub(crate) number: u64,
    pub(crate) status: u32,
    /// Its length, its segment, and whether the memory came along.
    pub(crate) large: (u64, u32, u32),
}

impl Reply {
    /// An empty result for the call that is running.
    pub(crate) fn new() -> Self {
        let number = number();
        Self { length: 0, flags: 0, handles: 0, number, status: 0, large: (0, 0, 0) }
    }

    /// One that says that its bytes are in a memory that comes along.
    pub(crate) fn large(length: u64, segment: u32) -> Self {
        let large = (length, segment, 1);
        Self { length: 16, flags: 1, handles: 1, large, ..Self::new() }
    }

    /// Writes it into the ring, and announces it.
    pub(crate) fn publish(self) {
        let tail = read(TAIL);
        let at = own_half() + WORDS + (tail as usize & (RING - 1));
        // SAFETY: positions are multiples of 8, and at the start of the ring there is room.
        unsafe {
            (at as *mut u32).write_volatile(self.length);
            ((at + 4) as *mut u16).write_volatile(self.flags);
            ((at + 6) as *mut u16).write_volatile(self.handles);
            ((at + 8) as *mut u64).write_volatile(self.number);
            ((at + 16) as *mut u32).write_volatile(self.status);
            ((at + 24) as *mut u64).write_volatile(self.large.0);
            ((at + 32) as *mut u32).write_volatile(self.large.1);
            ((at + 36) as *mut u32).write_volatile(self.large.2);
        }
        tell(tail.wrapping_add(24 + self.length.min(64).next_multiple_of(8)));
    }
}

/// Moves the end of the replies, and wakes whoever waits for that.
pub(crate) fn tell(tail: u32) {
    fence(Ordering::SeqCst);
    write(TAIL, tail);
    wake();
    send(b"!", &[]);
}

/// Moves whoever sleeps on the end of the replies to another word, which nobody wakes; returns how
/// many there were.
pub(crate) fn move_sleepers() -> usize {
    if IS_POSIX {
        shut_down_other(alarm(), libc::SHUT_RDWR);
        return 1;
    }
    let (from, to) = (own_half(), own_half() + UNUSED);
    let (requeue, seen) = (libc::FUTEX_CMP_REQUEUE, read(TAIL));
    // SAFETY: the words exist, and nothing but sleep depends on them.
    let moved = unsafe { libc::syscall(libc::SYS_futex, from, requeue, 0, 1000_usize, to, seen) };
    moved.try_into().unwrap_or(0)
}

/// Sleeps on the end of the replies, so that it is this thread that is woken.
pub(crate) fn take_a_wake() {
    if IS_POSIX {
        return shut_down_other(alarm(), libc::SHUT_RD);
    }
    // SAFETY: the word exists, and this waits without a limit.
    unsafe { libc::syscall(libc::SYS_futex, own_half(), libc::FUTEX_WAIT, read(TAIL), 0, 0, 0) };
}

/// Wakes whoever sleeps on the end of the replies.
pub(crate) fn wake() {
    if IS_POSIX {
        send_to(alarm(), &[0], &[]);
        return;
    }
    // SAFETY: the word exists, and a wake-up harms nobody.
    unsafe { libc::syscall(libc::SYS_futex, own_half(), libc::FUTEX_WAKE, i32::MAX, 0, 0, 0) };
}

/// Closes a direction of the socket, or both.
pub(crate) fn shut_down(how: i32) {
    shut_down_other(socket(), how);
}

/// The same of another socket.
pub(crate) fn shut_down_other(socket: i32, how: i32) {
    // SAFETY: only the engine uses it, and what that leads to is the point of the test.
    unsafe { libc::shutdown(socket, how) };
}

/// Adds these seals to all shared memory, where it may.
pub(crate) fn seal(seals: i32) {
    for file in memories() {
        // SAFETY: a system call on an open file.
        unsafe { libc::fcntl(file, libc::F_ADD_SEALS, seals) };
    }
}

/// Takes the pages out of all shared memory, where it may.
pub(crate) fn punch() {
    let holes = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    for file in memories() {
        // SAFETY: as above.
        unsafe { libc::fallocate64(file, holes, 0, 1 << 40) };
    }
}

/// The open files that are shared memory.
fn memories() -> Vec<i32> {
    let files = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let is_memory = |file: &fs::DirEntry| {
        fs::read_link(file.path()).is_ok_and(|link| link.to_string_lossy().contains(MEMORY))
    };
    files.filter(is_memory).filter_map(|file| file.file_name().to_str()?.parse().ok()).collect()
}

/// The socket to the parent.
fn socket() -> i32 {
    sockets().into_iter().min().expect("a worker has a socket")
}

/// The socket that wakes the parent.
fn alarm() -> i32 {
    let control = socket();
    sockets().into_iter().filter(|&other| other != control).min().expect("a worker has an alarm")
}

/// The socket that came with the arguments last.
pub(crate) fn tube() -> i32 {
    sockets().into_iter().max().expect("a worker has a socket")
}

fn sockets() -> Vec<i32> {
    let files = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let is_socket = |path: &fs::DirEntry| {
        fs::read_link(path.path()).is_ok_and(|link| link.to_string_lossy().starts_with("socket:"))
    };
    files.filter(is_socket).filter_map(|file| file.file_name().to_str()?.parse().ok()).collect()
}

pub(crate) fn close_socket() {
    // SAFETY: only the engine uses it, and what that leads to is the point of the test.
    unsafe { libc::close(socket()) };
}

/// Sends a packet with copies of these files; returns false if that failed.
pub(crate) fn send(bytes: &[u8], files: &[i32]) -> bool {
    send_to(socket(), bytes, files)
}

/// The same through a tube.
pub(crate) fn send_through(tube: i32, bytes: &[u8], files: &[i32]) -> bool {
    if !IS_POSIX {
        return send_to(tube, bytes, files);
    }
    // A packet says how long it is there, and how many files it brings.
    let head = [bytes.len(), files.len()].map(|count| (count as u32).to_ne_bytes());
    send_to(tube, &[head.as_flattened(), bytes].concat(), files)
}

/// The same through any socket.
fn send_to(socket: i32, bytes: &[u8], files: &[i32]) -> bool {
    let mut vector =
        libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = [0_u64; 160];
    // SAFETY: a zeroed record has no parts; they are filled in below.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut vector;
        message.msg_iovlen = 1;
        if !files.is_empty() {
            let size = size_of_val(files) as u32;
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = libc::CMSG_SPACE(size) as _;
            let head = libc::CMSG_FIRSTHDR(&raw const message);
            (*head).cmsg_level = libc::SOL_SOCKET;
            (*head).cmsg_type = libc::SCM_RIGHTS;
            (*head).cmsg_len = libc::CMSG_LEN(size) as _;
            libc::CMSG_DATA(head)
                .copy_from_nonoverlapping(files.as_ptr().cast(), size_of_val(files));
        }
        libc::sendmsg(socket, &raw const message, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT) > 0
    }
}

/// Fills the description of a panic with these bytes.
pub(crate) fn write_report(seed: u64) {
    const REPORT: usize = 4 << 10;
    let mut seed = seed;
    for at in (own_half() + REPORT..own_half() + WORDS).step_by(8) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        // SAFETY: mapped and writable; that the parent reads it is the point of the test.
        unsafe { (at as *mut u64).write_volatile(seed) };
    }
}

/// Tries every way to change what only the parent may write, and returns how many succeeded.
pub(crate) fn write_to_what_is_theirs() -> usize {
    let theirs = |map: &Map| !map.is_writable;
    let by_mapping = maps().into_iter().filter(theirs).filter(|map| {
        let both = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: if this succeeds, this process may write what it could only read.
        let changed = unsafe { libc::mprotect(map.start as _, map.length, both) } == 0;
        if changed {
            // SAFETY: it may be written now; what that does to the parent is the point of the test.
            unsafe { ((map.start + WORDS) as *mut u32).write_volatile(u32::MAX >> 1) };
        }
        changed
    });
    let mut found = by_mapping.count();
    if IS_POSIX {
        // Without seals, Linux opens a file anew for whoever owns it, by its `/proc`.
        return found;
    }
    let writable: Vec<u64> = maps().iter().filter(|map| map.is_writable).map(inode).collect();
    for file in fs::read_dir("/proc/self/fd").unwrap().flatten() {
        let path = file.path();
        let is_memory =
            fs::read_link(&path).is_ok_and(|link| link.to_string_lossy().contains(MEMORY));
        use std::os::unix::fs::{FileExt, MetadataExt};
        let Ok(opened) = fs::OpenOptions::new().read(true).write(true).open(&path) else {
            continue;
        };
        if !is_memory || opened.metadata().is_ok_and(|file| writable.contains(&file.ino())) {
            continue;
        }
        found += usize::from(opened.write_at(&[255; 64], WORDS as u64).is_ok());
        found += usize::from(opened.set_len(0).is_ok());
        use std::os::fd::AsRawFd;
        let holes = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        // SAFETY: a system call on an open file.
        let punched = unsafe { libc::fallocate64(opened.as_raw_fd(), holes, 0, HALF as i64) };
        found += usize::from(punched == 0);
    }
    found
}

fn inode(map: &Map) -> u64 {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let start = format!("{:x}-", map.start);
    let line = maps.lines().find(|line| line.trim_start_matches('0').starts_with(&start));
    line.and_then(|line| line.split_whitespace().nth(4)?.parse().ok()).unwrap_or(0)
}

/// Leaves a child in a session of its own. It looks for the complement of a number in all shared
/// memory until the file `stop` exists, and then writes to `spied` how often it saw the number.
pub(crate) fn leave_a_spy(complement: u64, stop: &str, spied: &str) -> i32 {
    let maps = maps();
    // SAFETY: the child only reads what is mapped, and writes a file.
    unsafe {
        let child = libc::fork();
        if child != 0 {
            return child;
        }
        libc::setsid();
        let mut seen = 0_usize;
        while !fs::exists(stop).unwrap_or(true) {
            for map in &maps {
                let words = (map.start..map.start + map.length).step_by(8);
                seen +=
                    words.filter(|&at| (at as *const u64).read_volatile() == !complement).count();
            }
        }
        let _ = fs::write(spied, seen.to_string());
        libc::_exit(0);
    }
}

/// How often these bytes occur in what this process shares with its parent.
pub(crate) fn count(bytes: [u8; 8]) -> usize {
    let word = |at: usize| {
        // SAFETY: it is mapped; others may write there at the same time, so each word is read once.
        unsafe { (at as *const u64).read_volatile() }
    };
    let copy = |map: Map| {
        let words = (map.start..map.start + map.length).step_by(8);
        words.flat_map(|at| word(at).to_ne_bytes()).collect()
    };
    let all: Vec<Vec<u8>> = maps().into_iter().map(copy).collect();
    all.iter().map(|map| map.windows(8).filter(|window| *window == bytes).count()).sum()
}

pub(crate) fn is_alive(process: i32) -> bool {
    // SAFETY: this only asks, and sends no signal.
    unsafe { libc::kill(process, 0) == 0 }
}

/// Overwrites this process's whole half.
pub(crate) fn write_everything(value: u64) {
    let half = own_half();
    for at in (half..half + HALF).step_by(8) {
        // SAFETY: mapped and writable; that the parent reads it is the point of the test.
        unsafe { (at as *mut u64).write_volatile(value) };
    }
}

pub(crate) fn stop() {
    // SAFETY: stops this process until somebody kills it.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// Sleeps until somebody kills this process.
pub(crate) fn sleep() -> ! {
    loop {
        std::thread::park();
    }
}
