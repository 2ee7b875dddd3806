//! The constructor that turns a re-executed program into a worker before its `main`.
//!
//! Every program that uses process tasks carries one entry in its `.init_array`. In an ordinary
//! run it only notes that it was called. In a worker it takes over: it serves calls and never
//! returns, so `main` does not run and the program needs no init call; it works the same under
//! test harnesses, whose `main` nobody can edit.
//!
//! Against fork bombs, every one of these must fail before one can be:
//! * a parent starts a worker only if its own constructor ran and lies in the main executable,
//!   so the same file, run again, calls it again;
//! * a process that was started as a worker but could not become one refuses to start workers;
//! * workers know how deep they are, and the depth is bounded.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::{env, io};

use rustix::fs::{Mode, OFlags};
use rustix::net::RecvFlags;

use crate::process::channel::WorkerEnd;
use crate::process::linux::constructors;
use crate::process::linux::control;
use crate::process::linux::image;
use crate::process::linux::lifeline;
use crate::process::worker;

/// Set for a worker by its parent, and removed by the worker at once.
pub(crate) const VARIABLE: &str = "TRINE_WORKER";
/// Set for a process that is to serve as a machine of a cluster: its number of workers.
pub(crate) const SERVE: &str = "TRINE_SERVE";
/// How deep workers of workers go.
const DEPTH_MAX: u32 = 8;

type Constructor = extern "C" fn(i32, *const *const i8, *const *const i8);

#[used]
// SAFETY: the loader calls what lies in this section as a function of this type, or of fewer
// arguments, once, before `main`.
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: Constructor = constructor;

static RAN: AtomicBool = AtomicBool::new(false);
static DEPTH: AtomicU32 = AtomicU32::new(0);
/// Why a process that was started as a worker is none.
static REFUSED: OnceLock<String> = OnceLock::new();

extern "C" fn constructor(count: i32, arguments: *const *const i8, environment: *const *const i8) {
    RAN.store(true, Ordering::Relaxed);
    let Some(value) = env::var_os(VARIABLE) else {
        if env::var_os(SERVE).is_some() {
            constructors::run_after(&raw const CONSTRUCTOR, count, arguments, environment);
            ignore_broken_pipes();
            serve();
        }
        return;
    };
    let ticket = value.to_str().and_then(Ticket::parse);
    // SAFETY: no other thread exists before `main`, unless a constructor of others started one
    // that reads the environment right now.
    unsafe { env::remove_var(VARIABLE) };
    let Some(ticket) = ticket else {
        let _ = REFUSED.set(format!("{VARIABLE} is not what a parent sets"));
        return;
    };
    // From here on this is a worker or nothing: if its parent has gone meanwhile, say, it must
    // not go on as the program that it looks like.
    let socket = ticket.check().unwrap_or_else(|error| could_not_start(&error));
    DEPTH.store(ticket.depth, Ordering::Relaxed);
    constructors::run_after(&raw const CONSTRUCTOR, count, arguments, environment);
    match start(socket, ticket.token) {
        Ok(worker) => worker.serve(),
        Err(error) => could_not_start(&error),
    }
}

/// Makes this process a machine of the cluster instead of the program.
#[cfg(feature = "cluster")]
fn serve() -> ! {
    crate::cluster::serve_as_asked()
}

#[cfg(not(feature = "cluster"))]
fn serve() -> ! {
    worker::leave(&format!("{SERVE} is set, but this program was built without `cluster` of trine"))
}

fn could_not_start(error: &io::Error) -> ! {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        // The parent is gone, and nobody wants to know.
        std::process::exit(1);
    }
    worker::leave(&format!("trine worker could not start: {error}"))
}

/// What a parent tells in the environment.
pub(crate) struct Ticket {
    parent: u32,
    pub(crate) token: u128,
    depth: u32,
}

impl Ticket {
    /// For a worker of this process.
    pub(crate) fn new(token: u128) -> Self {
        Self { parent: std::process::id(), token, depth: DEPTH.load(Ordering::Relaxed) + 1 }
    }

    fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split(':');
        let ticket = Self {
            parent: parts.next()?.parse().ok()?,
            token: u128::from_str_radix(parts.next()?, 16).ok()?,
            depth: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(ticket)
    }

    /// Whether the parent is the one who wrote this; takes the socket that it left as stdin.
    fn check(&self) -> io::Result<OwnedFd> {
        let parent =
            rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
        if parent != Some(self.parent) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let stdin = io::stdin();
        let peer = rustix::net::sockopt::socket_peercred(&stdin)?;
        if peer.pid.as_raw_nonzero().get().cast_unsigned() != self.parent {
            return Err(io::Error::other("its socket is not from its parent"));
        }
        let socket = rustix::io::fcntl_dupfd_cloexec(&stdin, 3)?;
        empty_stdin()?;
        Ok(socket)
    }
}

impl std::fmt::Display for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{:x}:{}", self.parent, self.token, self.depth)
    }
}

/// The first packet on the socket, which brings the memory and the lifeline.
#[derive(Default)]
pub(crate) struct Hello {
    pub(crate) token: u128,
    pub(crate) fingerprint: u64,
    /// In bytes; 0 for none.
    pub(crate) memory_limit: u64,
}

impl Hello {
    const LENGTH: usize = 32;

    pub(crate) fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..16].copy_from_slice(&self.token.to_ne_bytes());
        bytes[16..24].copy_from_slice(&self.fingerprint.to_ne_bytes());
        bytes[24..].copy_from_slice(&self.memory_limit.to_ne_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (token, bytes) = bytes.split_first_chunk()?;
        let (fingerprint, bytes) = bytes.split_first_chunk()?;
        Some(Self {
            token: u128::from_ne_bytes(*token),
            fingerprint: u64::from_ne_bytes(*fingerprint),
            memory_limit: u64::from_ne_bytes(bytes.try_into().ok()?),
        })
    }
}

fn start(socket: OwnedFd, token: u128) -> io::Result<worker::Worker> {
    let mut bytes = [0; Hello::LENGTH];
    let (length, files) = control::receive_into(socket.as_fd(), &mut bytes, RecvFlags::empty())?;
    if length == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let Ok([memory, lifeline]) = <[OwnedFd; 2]>::try_from(files) else {
        return Err(io::Error::other("the parent's greeting brings no memory"));
    };
    let hello = Hello::from_bytes(&bytes[..length]);
    let Some(hello) = hello.filter(|hello| hello.token == token) else {
        return Err(io::Error::other("the parent's greeting is not the one announced"));
    };
    if hello.fingerprint != image::fingerprint() {
        return Err(io::Error::other("the parent runs another executable"));
    }
    lifeline::hold(lifeline)?;
    let channel = WorkerEnd::open(memory)?;
    ignore_broken_pipes();
    Ok(worker::Worker::new(channel, socket, hello.memory_limit))
}

/// As Rust's own start does before `main`.
fn ignore_broken_pipes() {
    // SAFETY: no handler of anybody is replaced by a function: the signal is ignored.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

fn empty_stdin() -> io::Result<()> {
    let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    // Without a /dev/null, a socket whose other end is closed reads as empty as well.
    let null = null.or_else(|_| control::pair().map(|(one, _other)| one))?;
    // SAFETY: file 0 is replaced, which is this function's purpose; nobody owns it.
    if unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&null), 0) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Where functions are measured from. Whoever calls this keeps the constructor in the program.
#[inline]
pub(crate) fn anchor() -> usize {
    constructor as *const () as usize
}

/// Whether this process may start workers.
pub(crate) fn may_spawn() -> Result<(), String> {
    if let Some(why) = REFUSED.get() {
        return Err(format!("this process was started as a worker, but {why}"));
    }
    // Volatile, so that the entry itself is used and kept, not only the function.
    // SAFETY: a read of a static.
    let entry = unsafe { (&raw const CONSTRUCTOR).read_volatile() };
    if !RAN.load(Ordering::Relaxed) || entry as *const () as usize != anchor() {
        return Err("its constructor did not run before `main`, so a worker's would not".into());
    }
    if !image::is_code(anchor()) {
        return Err("trine is in a library here, not in the executable that a worker runs".into());
    }
    let depth = DEPTH.load(Ordering::Relaxed);
    if depth >= DEPTH_MAX {
        return Err(format!("it is in a worker {depth} deep; process tasks nest no deeper"));
    }
    Ok(())
}

/// How many workers deep this process is; 0 outside.
pub(crate) fn depth() -> u32 {
    DEPTH.load(Ordering::Relaxed)
}
