//! The platform for unsupported systems: every call returns an error that says so. Memory is from
//! the heap, so [`Shared`](super::Shared) and sequential calls work all the same.

mod memory;
mod nobody;

#[cfg(feature = "cluster")]
pub(crate) use self::memory::contents;
pub(crate) use self::memory::{Handle, Memory, View, freeze};
pub(crate) use self::nobody::{
    Alarm, Bell, End, Event, Identity, PACKET_HANDLES, Packet, Process, Ringer, Socket, Tube,
    Watcher, allow_memory, beyond_limit, current_core, depth, distance, end_forked_child,
    files_left, flush_c_output, forked_children, free_memory, function, has_many_dead_children,
    held_memory, is_forked_child, leave_core, limit_memory, max_handles, max_processor_time,
    may_start_workers, processor_time, size, watch_forks, watch_stack, watch_worker,
};
#[cfg(feature = "cluster")]
pub(crate) use self::nobody::{SERVE, executable};
