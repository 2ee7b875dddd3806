//! The constructor that turns a program that was started again into a worker before its `main`.
//!
//! Every program that uses process tasks has one entry among those that the C library calls before
//! `main`. In an ordinary run it only records that it was called. In a worker it takes over: it
//! serves calls and never returns, so `main` does not run and the program needs no init call. This
//! also works under test harnesses, whose `main` nobody can edit.
//!
//! A fork bomb would require all of these to fail:
//! * a parent starts a worker only if its own constructor ran and is in the main executable, so
//!   that running the same file again calls it again;
//! * a process that was started as a worker but could not become one refuses to start workers;
//! * workers know how deep they are, and the depth is bounded.

#![allow(unsafe_code, reason = "a function that the C library calls before `main`")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, io};

use windows_sys::Win32::System::Diagnostics::Debug::{
    SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX, SetErrorMode,
};

use super::constructors::{self, Constructor};
use super::greeting::{Greeting, Ticket, VARIABLE};
use super::image;
use super::socket::Socket;
use crate::process::channel::WorkerEnd;
use crate::process::{lineage, worker};

/// Set for a process that should serve as a cluster machine, to its number of workers.
pub(crate) const SERVE: &str = "TRINE_SERVE";

#[used]
// SAFETY: the C library calls what lies in this section as a function of this type, once, before
// `main`.
#[unsafe(link_section = ".CRT$XCU")]
static CONSTRUCTOR: Constructor = constructor;

static RAN: AtomicBool = AtomicBool::new(false);

extern "C" fn constructor() {
    RAN.store(true, Ordering::Relaxed);
    let Some(value) = env::var_os(VARIABLE) else {
        if env::var_os(SERVE).is_some() {
            constructors::run_after(&raw const CONSTRUCTOR);
            serve();
        }
        return;
    };
    let ticket = value.to_str().and_then(Ticket::parse);
    // SAFETY: the system's own lock makes this safe here.
    unsafe { env::remove_var(VARIABLE) };
    let Some(ticket) = ticket else {
        lineage::refuse(format!("{VARIABLE} has an invalid value"));
        return;
    };
    // From here on this is a worker or nothing: if its parent is gone, for example, it must not
    // continue as the ordinary program.
    let pipe = ticket.check().unwrap_or_else(|error| could_not_start(&error));
    // Nobody is there to close a window that says that a body has crashed.
    // SAFETY: it takes a number.
    unsafe { SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX) };
    lineage::set_depth(ticket.depth);
    constructors::run_after(&raw const CONSTRUCTOR);
    let started = Greeting::receive(&pipe, ticket.token).and_then(|(greeting, kit, taken)| {
        if greeting.fingerprint != image::fingerprint() {
            return Err(io::Error::other("the parent runs another executable"));
        }
        Ok((WorkerEnd::open(kit)?, Socket::of_worker(pipe, taken), greeting.memory_limit))
    });
    match started {
        Ok((channel, socket, limit)) => worker::Worker::new(channel, socket, limit).serve(),
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
    worker::leave(&format!("{SERVE} is set, but trine was built without its feature `cluster`"))
}

fn could_not_start(error: &io::Error) -> ! {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        // The parent is gone, so nobody needs a message.
        std::process::exit(1);
    }
    worker::leave(&format!("trine worker could not start: {error}"))
}

/// Whether this process may start workers. Calling this keeps the constructor in the program.
pub(crate) fn may_start_workers() -> Result<(), String> {
    lineage::may_have_workers()?;
    // Volatile, so that the linker keeps the entry itself and not only the function. SAFETY: a read
    // of a static.
    let entry = unsafe { (&raw const CONSTRUCTOR).read_volatile() } as *const () as usize;
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
