//! The platform Linux: `/proc/self/exe`, memfd, futex, pidfd, epoll. [`platform`](super::platform)
//! documents what each part is for; [`posix`](super::posix) has what other systems have too.

pub(super) mod ahead;
pub(super) mod alarm;
pub(super) mod cores;
pub(super) mod files;
pub(super) mod lifeline;
pub(super) mod memory;
pub(super) mod program;
pub(super) mod rights;
pub(super) mod tree;
mod tube;
mod watcher;

pub(crate) use self::alarm::{Alarm, Ringer};
pub(crate) use self::cores::{current as current_core, leave as leave_core};
#[cfg(feature = "cluster")]
pub(crate) use self::memory::contents;
pub(crate) use self::memory::{Handle, Memory, View, freeze};
pub(crate) use self::tree::has_many_dead_children;
pub(crate) use self::tube::{Bell, Tube};
pub(crate) use self::watcher::{Event, Watcher};
