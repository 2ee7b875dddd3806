//! The seam: all that the engine asks of an operating system, as a contract of a few types and
//! functions. Nothing outside of the platforms' own folders names one.
//!
//! * [`Memory`], [`View`], [`Handle`]: memory with one writer, and readers in other processes. A
//!   `Memory` can grow and never shrinks; [`share`](Memory::share) gives a handle with which
//!   another process can read it and can in no way write it. [`View::for_writer`] is the reverse.
//!   [`View::reach`] vouches that bytes are there, and have cost their writer as much.
//! * [`freeze`], [`View::open_frozen`]: memory that nobody can change any more, and the proof of
//!   that for whoever is handed it.
//! * [`wake`], [`wait`]: sleeping on a word of such memory, also for one who can only read it.
//! * [`Process`], [`Socket`], [`Packet`], [`End`]: this program as a worker, tied to this process
//!   so that it ends with it; the way that handles and a bell go; its end. A packet's handles (up
//!   to [`PACKET_HANDLES`]) arrive together or not at all. [`Process::kill`] reaches all that the
//!   worker has started; [`Process::reap`] never blocks for long.
//! * [`Watcher`], [`Event`]: hearing of many workers at once.
//! * [`may_start_workers`], [`depth`]: the entry before `main` that makes a process a worker:
//!   whether it ran, and how deep a worker this is.
//! * [`distance`], [`function`]: places in the code of this executable, the same in a worker.
//! * [`limit_memory`], [`beyond_limit`], [`handles_max`], [`size`]: the limits of this process.
//! * [`watch_forks`], [`watch_worker`], [`is_forked_child`], [`end_forked_child`]: children that
//!   are copies of a process, and must not act in its name.
//! * [`Identity`]: whose rights this process has; a worker has those of when it was started.
//! * [`watch_stack`], [`flush_c_output`]: word of a stack overflow; what C code has printed so far.
//! * [`current_core`], [`leave_core`]: where a thread runs. `None` is for where nobody knows, which
//!   is never the same as a core. [`stack_bounds`]: where its stack is.
//!
//! A platform promises nothing about speed, and the engine works where waits return early, where
//! cores are unknown and where a process is reaped by somebody else.

#[cfg(not(target_os = "linux"))]
pub(crate) use super::elsewhere::*;
#[cfg(target_os = "linux")]
pub(crate) use super::linux::*;
