//! Everything to do with other processes, on systems where this crate starts none.

use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;
use std::sync::atomic::AtomicU32;
use std::thread;
use std::time::Duration;

use super::memory::Handle;
pub(crate) use crate::forks::children as forked_children;
use crate::process::channel::Kit;

const WHY: &str = "worker processes need Linux, macOS, FreeBSD or Windows, so far";

#[cfg(feature = "cluster")]
pub(crate) fn executable() -> io::Result<std::fs::File> {
    Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
}

#[cfg(feature = "cluster")]
pub(crate) const SERVE: &str = "TRINE_SERVE";
pub(crate) const PACKET_HANDLES: usize = 1;

/// There is none.
pub(crate) struct Process(Infallible);

/// There is none.
pub(crate) struct Socket(Infallible);

/// There is none.
pub(crate) struct Watcher(Infallible);

pub(crate) enum Packet {
    Bell,
    Handles(Vec<Handle>),
    Unwanted,
    End,
}

pub(crate) struct Event {
    pub(crate) key: u32,
    pub(crate) hung_up: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct End {
    pub(crate) signal: Option<i32>,
    pub(crate) code: Option<i32>,
}

impl End {
    pub(crate) fn is_abort(self) -> bool {
        false
    }

    pub(crate) fn is_unknown(self) -> bool {
        true
    }

    pub(crate) fn is_kill(self) -> bool {
        false
    }

    pub(crate) fn is_fault(self) -> bool {
        false
    }
}

impl Process {
    pub(crate) fn start(_: &Kit, _: u64, _: &[&str]) -> io::Result<(Self, Socket)> {
        Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
    }

    pub(crate) fn id(&self) -> u32 {
        match self.0 {}
    }

    pub(crate) fn kill(&self) {
        match self.0 {}
    }

    pub(crate) fn has_ended(&self, _: Duration) -> bool {
        match self.0 {}
    }

    pub(crate) fn pace(&self) -> Option<(bool, Duration)> {
        match self.0 {}
    }

    pub(crate) fn reap(&self) -> End {
        match self.0 {}
    }
}

impl Socket {
    pub(crate) fn send(&self, _: &[&Handle]) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn try_send(&self, _: &[&Handle]) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn ring(&self) {
        match self.0 {}
    }

    pub(crate) fn receive(&self) -> io::Result<Packet> {
        match self.0 {}
    }

    pub(crate) fn try_receive(&self) -> io::Result<Packet> {
        match self.0 {}
    }
}

/// Nobody is woken, so nobody sleeps for long.
pub(crate) struct Alarm;

#[derive(Clone, Copy)]
pub(crate) struct Ringer<'a>(PhantomData<&'a Alarm>);

impl Alarm {
    pub(crate) fn pair() -> io::Result<[Self; 2]> {
        Ok([Self, Self])
    }

    pub(crate) fn of_parent(&self) -> Ringer<'_> {
        Ringer(PhantomData)
    }

    pub(crate) fn of_worker(&self) -> Ringer<'_> {
        Ringer(PhantomData)
    }
}

impl Ringer<'_> {
    pub(crate) fn wake(self, _: &AtomicU32) -> usize {
        0
    }

    pub(crate) fn wait(self, _: &AtomicU32, _: u32, _: Option<Duration>) {
        thread::yield_now();
    }
}

/// There is none.
pub(crate) struct Tube(Infallible);

/// There is none.
pub(crate) struct Bell(Infallible);

impl Tube {
    pub(crate) fn pair() -> io::Result<(Self, Handle)> {
        Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
    }

    pub(crate) fn open(_: Handle) -> Self {
        unreachable!("no tube was made that could be sent")
    }

    pub(crate) fn send(&self, _: &[u8], _: &[&Handle]) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn try_send(&self, _: &[u8], _: &[&Handle]) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn receive(&self, _: &mut [u8]) -> io::Result<(usize, Vec<Handle>)> {
        match self.0 {}
    }

    pub(crate) fn shut(&self) {
        match self.0 {}
    }

    pub(crate) fn wait_for_room(&self) {
        match self.0 {}
    }

    pub(crate) fn wait_for(&self, _: &Bell) -> bool {
        match self.0 {}
    }
}

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
    }

    pub(crate) fn ring(&self) {
        match self.0 {}
    }
}

impl Watcher {
    pub(crate) fn new() -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
    }

    pub(crate) fn add(&self, _: u32, _: &Process, _: &Socket) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) fn remove(&self, _: &Process, _: &Socket) {
        match self.0 {}
    }

    pub(crate) fn wait(&self, _: &mut Vec<Event>, _: Option<Duration>) {
        match self.0 {}
    }

    pub(crate) fn wake(&self) {
        match self.0 {}
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity;

impl Identity {
    pub(crate) fn current() -> Self {
        Self
    }

    pub(crate) fn ask() -> Self {
        Self
    }
}

pub(crate) fn watch_stack(_: fn()) {}

pub(crate) fn flush_c_output() {}

pub(crate) fn may_start_workers() -> Result<(), String> {
    Err(WHY.into())
}

pub(crate) fn depth() -> u32 {
    0
}

/// A place to name, though nobody will look there.
pub(crate) fn distance(function: usize) -> Option<i64> {
    Some(function as i64)
}

pub(crate) fn function(_: i64) -> Option<usize> {
    None
}

pub(crate) fn current_core() -> Option<u32> {
    None
}

pub(crate) fn leave_core(_: u32) {}

pub(crate) fn limit_memory(_: u64, _: fn()) {}

pub(crate) fn allow_memory(_: u64) {}

pub(crate) fn held_memory() -> u64 {
    0
}

pub(crate) fn free_memory(_: u64) -> u64 {
    0
}

pub(crate) fn beyond_limit<R>(run: impl FnOnce() -> R) -> R {
    run()
}

pub(crate) fn size() -> Option<u64> {
    None
}

pub(crate) fn has_many_dead_children() -> bool {
    false
}

pub(crate) fn files_left() -> Option<(u64, u64)> {
    None
}

pub(crate) fn max_processor_time() -> Option<Duration> {
    None
}

pub(crate) fn processor_time() -> Duration {
    Duration::ZERO
}

pub(crate) fn max_handles() -> usize {
    PACKET_HANDLES
}

pub(crate) fn watch_forks() {}

pub(crate) fn watch_worker() {}

pub(crate) fn is_forked_child() -> bool {
    false
}

pub(crate) fn end_forked_child(_: i32) {}
