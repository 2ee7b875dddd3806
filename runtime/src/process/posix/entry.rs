//! The constructor that turns a re-executed program into a worker before its `main`.
//!
//! Every program that uses process tasks has one entry in its `.init_array`. In an ordinary run it
//! only records that it was called. In a worker it takes over: it serves calls and never returns,
//! so `main` does not run and the program needs no init call. This also works under test harnesses,
//! whose `main` nobody can edit.
//!
//! A fork bomb would require all of these to fail:
//! * a parent starts a worker only if its own constructor ran and is in the main executable, so
//!   that running the same file again calls it again;
//! * a process that was started as a worker but could not become one refuses to start workers;
//! * workers know how deep they are, and the depth is bounded.

#![allow(unsafe_code, reason = "a function that the C library calls before `main`")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, io};

use super::greeting::{Greeting, Ticket, VARIABLE};
use super::system::{constructors, cores, lifeline, rights};
use super::{image, inherited};
use crate::process::channel::WorkerEnd;
use crate::process::{lineage, worker};

/// Set for a process that should serve as a cluster machine, to its number of workers.
pub(crate) const SERVE: &str = "TRINE_SERVE";

type Constructor = extern "C" fn(i32, *const *const i8, *const *const i8);

#[used]
// SAFETY: the loader calls what lies in this section as a function of this type, or of fewer
// arguments, once, before `main`.
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func,mod_init_funcs"))]
static CONSTRUCTOR: Constructor = constructor;

/// What to look at, so that the linker keeps the entry and not only the function. Apple's linker
/// drops the names in its section, and keeps it if it keeps what is compiled with it.
#[cfg(not(target_vendor = "apple"))]
use self::CONSTRUCTOR as KEPT;
#[cfg(target_vendor = "apple")]
static KEPT: Constructor = constructor;

static RAN: AtomicBool = AtomicBool::new(false);

extern "C" fn constructor(count: i32, arguments: *const *const i8, environment: *const *const i8) {
    // A setuid program's caller controls the environment, but must not gain the program's rights.
    if rights::is_elevated() {
        return;
    }
    RAN.store(true, Ordering::Relaxed);
    cores::note_program();
    let Some(value) = env::var_os(VARIABLE) else {
        if env::var_os(SERVE).is_some() {
            run_later_ones(count, arguments, environment);
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
        lineage::refuse(format!("{VARIABLE} has an invalid value"));
        return;
    };
    // From here on this is a worker or nothing: if its parent is gone, for example, it must not
    // continue as the ordinary program.
    let socket = ticket.check().unwrap_or_else(|error| could_not_start(&error));
    inherited::settle();
    lineage::set_depth(ticket.depth);
    run_later_ones(count, arguments, environment);
    let started = Greeting::receive(&socket, ticket.token).and_then(|(greeting, kit, line)| {
        if greeting.fingerprint != image::fingerprint() {
            return Err(io::Error::other("the parent runs another executable"));
        }
        greeting.rights.keep();
        lifeline::hold(line)?;
        ignore_broken_pipes();
        Ok((WorkerEnd::open(kit)?, greeting.memory_limit))
    });
    match started {
        Ok((channel, memory_limit)) => worker::Worker::new(channel, socket, memory_limit).serve(),
        Err(error) => could_not_start(&error),
    }
}

/// Runs the constructors that come after ours, which does not return.
fn run_later_ones(count: i32, arguments: *const *const i8, environment: *const *const i8) {
    #[cfg(not(target_vendor = "apple"))]
    let ours = &raw const CONSTRUCTOR;
    #[cfg(target_vendor = "apple")]
    let ours = constructor;
    constructors::run_after(ours, count, arguments, environment);
}

/// Makes this process a machine of the cluster instead of the program.
#[cfg(feature = "cluster")]
fn serve() -> ! {
    crate::cluster::serve_as_asked()
}

#[cfg(not(feature = "cluster"))]
fn serve() -> ! {
    worker::leave(&format!("{SERVE} is set, but trine was built without its feature `cluster`"))
}

fn could_not_start(error: &io::Error) -> ! {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        // The parent is gone, so nobody needs a message.
        std::process::exit(1);
    }
    worker::leave(&format!("trine worker could not start: {error}"))
}

/// As Rust's runtime does before `main`.
fn ignore_broken_pipes() {
    // SAFETY: this installs no function as a handler; the signal is ignored.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Whether this process may start workers. Calling this keeps the constructor in the program.
pub(crate) fn may_start_workers() -> Result<(), String> {
    if rights::is_elevated() {
        let why = "this program has rights that its caller lacks (through setuid, say), and a \
                   worker would have them too";
        return Err(why.into());
    }
    lineage::may_have_workers()?;
    // SAFETY: a read of a static.
    let entry = unsafe { (&raw const KEPT).read_volatile() } as *const () as usize;
    if !RAN.load(Ordering::Relaxed) {
        return Err(
            "trine's constructor did not run before `main`, and would not in a worker either"
                .into(),
        );
    }
    if !image::is_code(entry) {
        return Err("trine is in a library, not in the executable that a worker runs".into());
    }
    Ok(())
}
