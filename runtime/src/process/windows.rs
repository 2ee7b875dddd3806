//! The platform Windows: sections, events, named pipes, jobs. [`platform`](super::platform)
//! documents what each part is for.

mod alarm;
mod board;
mod child;
mod children;
mod constructors;
mod entry;
mod greeting;
mod image;
mod job;
mod limits;
mod memory;
mod object;
mod output;
mod overflow;
mod packet;
mod pipe;
mod socket;
mod spawn;
mod threads;
mod tube;
mod watcher;

pub(crate) use self::alarm::{Alarm, Ringer};
pub(crate) use self::board::Event;
#[cfg(feature = "cluster")]
pub(crate) use self::child::executable;
pub(crate) use self::child::{End, Process};
#[cfg(feature = "cluster")]
pub(crate) use self::entry::SERVE;
pub(crate) use self::entry::may_start_workers;
pub(crate) use self::image::{distance, function};
pub(crate) use self::limits::{
    allow_memory, beyond_limit, files_left, free_memory, has_many_dead_children, held_memory,
    limit_memory, max_handles, max_processor_time, processor_time, size,
};
#[cfg(feature = "cluster")]
pub(crate) use self::memory::contents;
pub(crate) use self::memory::{Handle, Memory, View, freeze};
pub(crate) use self::output::flush_c_output;
pub(crate) use self::overflow::watch_stack;
pub(crate) use self::packet::PACKET_HANDLES;
pub(crate) use self::socket::{Packet, Socket};
pub(crate) use self::threads::{Identity, current_core, leave_core};
pub(crate) use self::tube::{Bell, Tube};
pub(crate) use self::watcher::Watcher;
pub(crate) use crate::forks::children as forked_children;
pub(crate) use crate::process::lineage::depth;

/// Nobody forks here.
pub(crate) fn watch_forks() {}

pub(crate) fn watch_worker() {}

pub(crate) fn is_forked_child() -> bool {
    false
}

pub(crate) fn end_forked_child(_: i32) {}
