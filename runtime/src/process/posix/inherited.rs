//! What a worker does first about its inheritance: it keeps only what the documentation names.
//!
//! * Its own session, without a terminal: a worker is not in the foreground, and a terminal stops
//!   background processes that read or write.
//! * What its children leave behind becomes its own, so that it ends with the worker.
//! * Files other than stdin, stdout and stderr are closed, or a socket that a library left open
//!   across `exec` would keep listening in every worker. Inherited files are not close-on-exec;
//!   files that earlier constructors opened nearly always are.
//! * Signals that ask a program for something. Supervisors send them to all processes, and tools to
//!   all of a name, but the program decides what to do and may want to finish its work; its end
//!   ends the worker. They are caught rather than ignored, so that programs that a body starts get
//!   the default.
//! * No signal is blocked, whichever the thread blocks that happens to start the worker.
//! * Signals of faults and of ended children are not ignored, though the program may do so: errors
//!   say which fault it was, and bodies can wait for the programs that they start.

#![allow(unsafe_code, reason = "calls of the C library")]

use std::fs;
use std::os::fd::RawFd;

use rustix::process::Pid;

use super::system::tree;

/// Does all of this.
pub(super) fn settle() {
    if rustix::process::setsid().is_err() && rustix::process::getpgrp() != rustix::process::getpid()
    {
        let _ = rustix::process::setpgid(None, None::<Pid>);
    }
    tree::adopt_orphans();
    close_files();
    PASSED_OVER.into_iter().for_each(pass_over);
    unblock_signals();
    NOT_IGNORED.into_iter().for_each(stop_ignoring);
}

const NOT_IGNORED: [i32; 8] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGABRT,
    libc::SIGCHLD,
];

const PASSED_OVER: [i32; 6] =
    [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];

fn unblock_signals() {
    // SAFETY: a set that the call fills in, for the only thread that there is.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

fn stop_ignoring(signal: i32) {
    // SAFETY: there is no other thread that could change handlers meanwhile, and a signal that was
    // ignored had none.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
        {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}

/// A folder with the numbers of this process's files.
const FILES: &str = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };

fn close_files() {
    let Ok(files) = fs::read_dir(FILES) else { return };
    let numbers = files.filter_map(|file| file.ok()?.file_name().to_str()?.parse::<RawFd>().ok());
    let numbers: Vec<_> = numbers.filter(|&number| number > libc::STDERR_FILENO).collect();
    for number in numbers {
        // SAFETY: a query about a number; and inherited files have no owner here.
        unsafe {
            let flags = libc::fcntl(number, libc::F_GETFD);
            if flags >= 0 && flags & libc::FD_CLOEXEC == 0 {
                libc::close(number);
            }
        }
    }
}

/// Catches a signal with a no-op, unless it already has a handler.
fn pass_over(signal: i32) {
    extern "C" fn pass(_signal: i32) {}
    // SAFETY: there is no other thread that could change handlers meanwhile; the new one does
    // nothing, and interrupted system calls restart where possible.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_DFL
        {
            action.sa_sigaction = pass as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}
