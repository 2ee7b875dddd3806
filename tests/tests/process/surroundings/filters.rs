//! A filter that refuses a system call, as containers and old kernels do: what works without the
//! call goes on, and otherwise each call of a function is refused with its name.

use std::thread;
use std::time::Duration;

use trine::concurrent;
use trine_tests::checks::{Named, output_of, part};
use trine_tests::process::{EXECUTES, IS_POSIX};

use super::inheritance::works;
use super::refusals::{refused_to, say_refusals};
use super::skip;

/// What a filter refuses: calls, or `fcntl` with this command and one of these bits in its
/// argument; and with what error.
struct Filter {
    name: &'static str,
    calls: &'static [libc::c_long],
    command: Option<(i32, u32)>,
    error: i32,
    /// What a refused call of a function says; nothing where all work.
    says: &'static str,
}

const fn refuses(name: &'static str, calls: &'static [libc::c_long]) -> Filter {
    Filter { name, calls, command: None, error: libc::EPERM, says: "" }
}

const fn told(name: &'static str, calls: &'static [libc::c_long], says: &'static str) -> Filter {
    Filter { says, ..refuses(name, calls) }
}

// Missing in `libc` on some targets.
const F_SETSIG: i32 = 10;
const ANY: u32 = u32::MAX;
const FUTURE_WRITE: u32 = libc::F_SEAL_FUTURE_WRITE.cast_unsigned();

const FILTERS: &[Filter] = &[
    refuses("pidfd_open", &[libc::SYS_pidfd_open]),
    Filter {
        error: libc::ENOSYS,
        ..refuses("pidfd_open on an old kernel", &[libc::SYS_pidfd_open])
    },
    Filter { error: libc::ENOSYS, ..refuses("clone3 in a container", &[libc::SYS_clone3]) },
    refuses("prctl", &[libc::SYS_prctl]),
    refuses("setsid", &[libc::SYS_setsid]),
    refuses("cores", &[libc::SYS_sched_setaffinity, libc::SYS_sched_getaffinity]),
    refuses("madvise", &[libc::SYS_madvise]),
    refuses("mremap", &[libc::SYS_mremap]),
    refuses("fallocate", &[libc::SYS_fallocate]),
    refuses("sigaltstack", &[libc::SYS_sigaltstack]),
    refuses("rt_sigtimedwait", &[libc::SYS_rt_sigtimedwait]),
    refuses("getdents", &[libc::SYS_getdents64]),
    refuses("capabilities", &[libc::SYS_capget, libc::SYS_capset]),
    refuses("kill", &[libc::SYS_kill]),
    // Elsewhere nothing but that tells that a child is dead, and not that it closed its socket.
    #[cfg(not(trine_platform = "unix"))]
    refuses("wait", &[libc::SYS_wait4, libc::SYS_waitid]),
    #[cfg(not(trine_platform = "unix"))]
    refuses("pidfd_open, and to wait", &[libc::SYS_pidfd_open, libc::SYS_wait4, libc::SYS_waitid]),
    Filter {
        command: Some((F_SETSIG, ANY)),
        ..refuses("the signal of a lifeline", &[libc::SYS_fcntl])
    },
    Filter {
        command: Some((libc::F_ADD_SEALS, FUTURE_WRITE)),
        ..refuses("the seal against future writers", &[libc::SYS_fcntl])
    },
    #[cfg(not(trine_platform = "unix"))]
    told("memory files", &[libc::SYS_memfd_create], "memfd_create: "),
    #[cfg(not(trine_platform = "unix"))]
    Filter {
        command: Some((libc::F_ADD_SEALS, ANY)),
        ..told("all seals", &[libc::SYS_fcntl], "F_ADD_SEALS: ")
    },
    told("to execute", &[libc::SYS_execve, libc::SYS_execveat], EXECUTES),
    #[cfg(not(trine_platform = "unix"))]
    told("epoll_create1", &[libc::SYS_epoll_create1], "epoll_create1: "),
    #[cfg(not(trine_platform = "unix"))]
    told("epoll_ctl", &[libc::SYS_epoll_ctl], "epoll_ctl: "),
    #[cfg(not(trine_platform = "unix"))]
    told("eventfd2", &[libc::SYS_eventfd2], "eventfd2: "),
    told("socketpair", &[libc::SYS_socketpair], "socketpair: "),
    told("pipe2", &[libc::SYS_pipe2], "pipe: "),
    told("sendmsg", &[libc::SYS_sendmsg], "sendmsg: "),
    // The workers are refused it.
    told("recvmsg", &[libc::SYS_recvmsg], "as it started"),
    #[cfg(not(trine_platform = "unix"))]
    told("a socket's options", &[libc::SYS_getsockopt], "as it started"),
];

pub(super) const PARTS: &[Named] = &[("filtered", filtered)];

pub(super) const CHECKS: &[Named] = &[("system calls that a filter refuses", || {
    // A few at a time: each waits for a call's timeout.
    thread::scope(|scope| {
        for some in FILTERS.chunks(8) {
            scope.spawn(|| some.iter().for_each(check));
        }
    });
})];

fn check(filter: &Filter) {
    let mut part = part("filtered");
    part.arg(filter.name);
    if !filter.says.is_empty() {
        return refused_to(part, filter.name, &[filter.says]);
    }
    let said = output_of(part);
    match said.strip_prefix("skipped: ") {
        Some(why) => println!("skipped {}: {}", filter.name, why.trim_end()),
        None => assert_eq!(said, "ok\n", "{}", filter.name),
    }
}

#[concurrent(process, timeout = 300ms)]
fn never_ends() {
    loop {
        std::thread::park();
    }
}

/// Dies while a child has all that it had, its socket too.
#[concurrent(process)]
fn dies_with_a_fork() {
    // SAFETY: the child waits until it is killed with its group.
    unsafe {
        if libc::fork() == 0 {
            loop {
                libc::pause();
            }
        }
    }
    std::process::abort();
}

fn filtered() {
    let name = std::env::args().nth(2).unwrap();
    let filter = FILTERS.iter().find(|filter| filter.name == name).unwrap();
    if !filter.is_set() {
        return skip("no filters here");
    }
    if !filter.says.is_empty() {
        return say_refusals();
    }
    works();
    assert!(never_ends().join().unwrap_err().is_timeout());
    let cancelled = never_ends().timeout(Duration::from_secs(60));
    cancelled.cancel();
    assert!(cancelled.join().unwrap_err().is_cancelled());
    // Elsewhere than on Linux nothing else would reach the child, which has our output.
    if !(IS_POSIX && name == "kill") {
        assert!(dies_with_a_fork().join().unwrap_err().is_crash());
    }
    works();
    println!("ok");
}

/// The kernel's name for this architecture.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: Option<u32> = Some(0xc000_003e);
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: Option<u32> = Some(0xc000_00b7);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCHITECTURE: Option<u32> = None;

impl Filter {
    /// From here on the kernel refuses that. Returns false if there are no filters.
    fn is_set(&self) -> bool {
        let Some(architecture) = ARCHITECTURE else { return false };
        // Offsets in the record that the kernel shows to a filter.
        const NUMBER: u32 = 0;
        const MADE_FOR: u32 = 4;
        const COMMAND: u32 = 16 + 8;
        const VALUE: u32 = 16 + 16;
        let statement = |code: u32, k| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
        let load = |offset| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset);
        let answer = |with| statement(libc::BPF_RET | libc::BPF_K, with);
        let unless = |how: u32, k, skip| {
            let code = (libc::BPF_JMP | how | libc::BPF_K) as u16;
            libc::sock_filter { code, jt: 0, jf: skip, k }
        };
        let allowed = answer(libc::SECCOMP_RET_ALLOW);
        // Calls made for another architecture have other numbers; they are let through.
        let for_this = libc::sock_filter { jt: 1, ..unless(libc::BPF_JEQ, architecture, 0) };
        let mut program = vec![load(MADE_FOR), for_this, allowed];
        for &call in self.calls {
            program.extend([load(NUMBER), unless(libc::BPF_JEQ, call as u32, 1)]);
            if let Some((command, bits)) = self.command {
                program.pop();
                program.push(unless(libc::BPF_JEQ, call as u32, 5));
                program.push(load(COMMAND));
                program.push(unless(libc::BPF_JEQ, command.cast_unsigned(), 3));
                program.push(load(VALUE));
                program.push(unless(libc::BPF_JSET, bits, 1));
            }
            program.push(answer(libc::SECCOMP_RET_ERRNO | self.error.cast_unsigned()));
        }
        program.push(allowed);
        let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
        // SAFETY: a filter of this length, which the kernel copies.
        unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
                    == 0
        }
    }
}
