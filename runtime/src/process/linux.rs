//! The platform Linux: `/proc/self/exe`, memfd, futex, pidfd, epoll. [`platform`](super::platform)
//! documents what each part is for.

mod alarm;
mod child;
mod constructors;
mod cores;
mod entry;
mod forks;
mod greeting;
mod identity;
mod image;
mod inherited;
mod lifeline;
mod limits;
mod lineage;
mod memory;
mod output;
mod overflow;
mod socket;
mod stack;
mod tree;
mod tube;
mod watcher;

pub(crate) use self::alarm::{Alarm, Ringer};
#[cfg(feature = "cluster")]
pub(crate) use self::child::executable;
pub(crate) use self::child::{End, Process};
pub(crate) use self::cores::{current as current_core, leave as leave_core};
#[cfg(feature = "cluster")]
pub(crate) use self::entry::SERVE;
pub(crate) use self::entry::may_start_workers;
pub(crate) use self::forks::{end_child as end_forked_child, watch_worker};
pub(crate) use self::identity::Identity;
pub(crate) use self::image::{distance, function};
pub(crate) use self::limits::{
    allow_memory, beyond_limit, files_left, free_memory, held_memory, limit_memory, max_handles,
    max_processor_time, processor_time, size,
};
pub(crate) use self::lineage::depth;
#[cfg(feature = "cluster")]
pub(crate) use self::memory::contents;
pub(crate) use self::memory::{Handle, Memory, View, freeze};
pub(crate) use self::output::flush_c_output;
pub(crate) use self::overflow::watch_stack;
pub(crate) use self::socket::{PACKET_HANDLES, Packet, Socket};
pub(crate) use self::stack::{stack_bounds, stack_position};
pub(crate) use self::tree::has_many_dead_children;
pub(crate) use self::tube::{Bell, Tube};
pub(crate) use self::watcher::{Event, Watcher};
pub(crate) use crate::forks::{
    children as forked_children, is_child as is_forked_child, watch as watch_forks,
};
