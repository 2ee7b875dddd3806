//! Everything that the engine needs from an operating system, as a contract of a few types and
//! functions. Only the platforms' own folders name an operating system.
//!
//! * [`Memory`], [`View`], [`Handle`]: memory with one writer, and readers in other processes. A
//!   `Memory` can grow but never shrinks; [`share`](Memory::share) gives a handle that lets another
//!   process read it, but never write it. [`View::for_writer`] is the reverse. [`View::reach`]
//!   guarantees that bytes are there, and that the writer has paid for them with as much memory.
//!   For the cluster, `contents` copies it out.
//! * [`freeze`], [`View::open_frozen`]: memory that nobody can change any more, and the check of
//!   that for whoever receives it.
//!   Where a memory grows, the handles that others have may end up being of its past.
//! * [`Alarm`], [`Ringer`]: sleeping on a word of such memory, even with read-only access, and
//!   waking whoever does. [`Alarm::pair`] makes one for each side of a channel, where one thread
//!   sleeps at a time. A `Ringer` is a reference to it, for the words that one side sleeps on.
//! * [`Process`], [`Socket`], [`Packet`], [`End`]: a worker process of this program, which ends
//!   when this process does; the socket for handles and a bell; how it ended. The handles of a
//!   packet (up to [`PACKET_HANDLES`]) arrive together or not at all. [`Process::kill`] reaches
//!   everything that the worker has started; [`Process::reap`] never blocks for long.
//!   [`Process::pace`] says how much processor time it has used, and whether it wants more now.
//! * [`Tube`], [`Bell`]: packets of bytes and handles beside the calls, whose end travels as a
//!   handle; a thread that reads or writes one blocks.
//! * [`Watcher`], [`Event`]: waiting for events of many workers at once.
//! * [`may_start_workers`], [`depth`]: the entry before `main` that turns a process into a worker:
//!   whether it ran, and how deeply this worker is nested. For the cluster, `SERVE` names the
//!   variable that makes the entry serve, and `executable` opens the file of this program.
//! * [`distance`], [`function`]: addresses in the code of this executable, which are the same in a
//!   worker.
//! * [`limit_memory`], [`allow_memory`], [`held_memory`], [`free_memory`], [`beyond_limit`],
//!   [`max_handles`], [`size`], [`max_processor_time`], [`processor_time`]: the limits of this
//!   process, and what it has. [`has_many_dead_children`]: whether it ought to end to be rid of
//!   them. [`files_left`]: how many it may open.
//! * [`watch_forks`], [`watch_worker`], [`is_forked_child`], [`end_forked_child`],
//!   [`forked_children`]: detecting forked children, which must not act on behalf of their parent,
//!   and how many a process has.
//! * [`Identity`]: the rights of this process; a worker has those from when it was started.
//! * [`watch_stack`], [`flush_c_output`]: reporting a stack overflow; flushing what C code has
//!   printed.
//! * [`current_core`], [`leave_core`]: the core that a thread runs on. `None` means unknown, and
//!   never equals a core.
//!
//! A platform promises nothing about speed. The engine copes with waits that return early, with
//! unknown cores, and with processes that somebody else reaps.

#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "freebsd", windows)))]
pub(crate) use super::elsewhere::*;
#[cfg(all(target_os = "linux", not(trine_platform = "unix")))]
pub(crate) use super::linux::*;
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
pub(crate) use super::posix::*;
#[cfg(any(target_os = "macos", target_os = "freebsd", trine_platform = "unix"))]
pub(crate) use super::unix::*;
#[cfg(windows)]
pub(crate) use super::windows::*;
