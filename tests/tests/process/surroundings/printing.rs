//! What a worker prints: on a terminal, from C, about its own end.

use std::ffi::CString;
use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::thread;
use std::time::{Duration, Instant};

use trine::{ErrorKind, concurrent};
use trine_tests::checks::part;

use super::ends;

#[concurrent(process)]
pub(super) fn says(what: &str) {
    println!("{what}");
}

/// As a program does that wants a password.
#[concurrent(process)]
pub(super) fn asks() -> Result<String, String> {
    let tty = fs::OpenOptions::new().read(true).write(true).open("/dev/tty");
    let mut answer = [0; 16];
    let length = tty.and_then(|mut tty| tty.read(&mut answer)).map_err(|e| e.to_string())?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

/// Plays a part in the foreground of a terminal that stops background processes that write to it.
pub(super) fn on_terminal(name: &str, typed: &str) -> String {
    let (mut master, mut slave) = (0, 0);
    let null = std::ptr::null_mut();
    // SAFETY: room for the two files; nothing else is asked for.
    let opened =
        unsafe { libc::openpty(&raw mut master, &raw mut slave, null, null.cast(), null.cast()) };
    assert_eq!(opened, 0);
    // SAFETY: they are new, and nobody else has them.
    let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    let file = slave.as_raw_fd();
    let mut command = part(name);
    command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap());
    // SAFETY: only system calls.
    unsafe {
        command.pre_exec(move || {
            let mut settings = std::mem::zeroed();
            let is_set = libc::setsid() > 0
                && libc::ioctl(file, libc::TIOCSCTTY, 0) == 0
                && libc::tcgetattr(file, &raw mut settings) == 0;
            settings.c_lflag |= libc::TOSTOP;
            if is_set && libc::tcsetattr(file, libc::TCSANOW, &raw const settings) == 0 {
                return Ok(());
            }
            Err(std::io::Error::last_os_error())
        });
    }
    let mut child = command.spawn().unwrap();
    drop((command, slave));
    let mut master = fs::File::from(master);
    master.write_all(typed.as_bytes()).unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(20) {
            let _ = child.kill();
            panic!("{name} hangs on a terminal");
        }
        thread::sleep(Duration::from_millis(5));
    }
    let mut said = Vec::new();
    // Reading from a terminal that nobody holds any more ends in an error.
    let _ = master.read_to_end(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

#[concurrent(process)]
pub(super) fn prints_by_c() {
    print!("from rust, ");
    let text = CString::new("from c, ").unwrap();
    // SAFETY: a string that ends in a zero, without any placeholders.
    unsafe { libc::printf(text.as_ptr()) };
}

pub(super) fn c_output() {
    prints_by_c().join().unwrap();
    println!("joined");
}

pub(super) fn overflows() {
    let error = ends("overflow").join().unwrap_err();
    assert!(error.to_string().contains("overflowed its stack"), "{error}");
    assert!(error.is_crash());
    let error = ends("segfault").join().unwrap_err();
    assert!(!error.to_string().contains("overflow"), "{error}");
    let died = ErrorKind::Crashed { signal: Some(libc::SIGSEGV), code: None };
    assert_eq!(*error.kind(), died);
    println!("ok");
}
