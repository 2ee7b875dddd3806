//! The platform of plain POSIX, for macOS and FreeBSD: memory of `shm_open`, sockets that are
//! streams, a byte as the wake-up, `poll`. On Linux it can be tried with `--cfg
//! trine_platform="unix"`. [`platform`](super::platform) documents what each part is for;
//! [`posix`](super::posix) has what Linux has too.

pub(super) mod ahead;
pub(super) mod alarm;
#[cfg(target_vendor = "apple")]
pub(super) mod apple;
mod bell;
pub(super) mod cores;
#[cfg(not(target_os = "linux"))]
mod ends;
pub(super) mod files;
pub(super) mod lifeline;
pub(super) mod memory;
pub(super) mod program;
pub(super) mod rights;
pub(super) mod tree;
mod tube;
mod watcher;

pub(crate) use self::alarm::{Alarm, Ringer};
pub(crate) use self::bell::Bell;
pub(crate) use self::cores::{current as current_core, leave as leave_core};
#[cfg(feature = "cluster")]
pub(crate) use self::memory::contents;
pub(crate) use self::memory::{Handle, Memory, View, freeze};
pub(crate) use self::tree::has_many_dead_children;
pub(crate) use self::tube::Tube;
pub(crate) use self::watcher::{Event, Watcher};
