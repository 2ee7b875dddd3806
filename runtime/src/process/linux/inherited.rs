//! What a worker does with what it inherits, before anything else: of the program that started it
//! it is to keep what the chapter names, and no more.
//!
//! * A session of its own, without a terminal: a worker is nobody's foreground, and a terminal
//!   stops what reads or writes in its background.
//! * Files that are not stdin, stdout or stderr are closed, or a socket that a library left open
//!   across `exec` would go on listening in every worker. They are told by not being close-on-exec,
//!   as they would not be here otherwise; what constructors before ours opened nearly always is.
//! * Signals that ask a program to end. Supervisors send them to all processes there are, but what
//!   they mean is for the program to say, which may want to finish its work. Its end ends the
//!   worker. They are caught and not ignored, so that programs started by a body have the default.

use std::fs;
use std::os::fd::RawFd;

use rustix::process::Pid;

/// Puts all of it in order.
pub(super) fn settle() {
    if rustix::process::setsid().is_err() && rustix::process::getpgrp() != rustix::process::getpid()
    {
        let _ = rustix::process::setpgid(None, None::<Pid>);
    }
    close_files();
    [libc::SIGTERM, libc::SIGINT, libc::SIGHUP].into_iter().for_each(pass_over);
}

fn close_files() {
    let Ok(files) = fs::read_dir("/proc/self/fd") else { return };
    let numbers = files.filter_map(|file| file.ok()?.file_name().to_str()?.parse::<RawFd>().ok());
    let numbers: Vec<_> = numbers.filter(|&number| number > libc::STDERR_FILENO).collect();
    for number in numbers {
        // SAFETY: a question about a number; and what was inherited has no owner here.
        unsafe {
            let flags = libc::fcntl(number, libc::F_GETFD);
            if flags >= 0 && flags & libc::FD_CLOEXEC == 0 {
                libc::close(number);
            }
        }
    }
}

/// Catches a signal and does nothing, unless it is somebody's already.
fn pass_over(signal: i32) {
    extern "C" fn pass(_signal: i32) {}
    // SAFETY: no other thread is there that could change handlers meanwhile; the new one does
    // nothing, and what it interrupts goes on where the kernel can have it so.
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
