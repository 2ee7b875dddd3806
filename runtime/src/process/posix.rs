//! What Linux has in common with other systems of POSIX: worker processes that are started,
//! greeted, watched and limited by calls that all of them have. `system` names what each does
//! differently.

pub(super) mod child;
#[cfg(not(target_vendor = "apple"))]
mod constructors;
#[cfg(not(target_vendor = "apple"))]
mod elf;
mod entry;
mod forks;
mod greeting;
pub(super) mod identity;
mod image;
mod inherited;
pub(super) mod lifeline;
mod limits;
pub(super) mod mapping;
mod output;
mod overflow;
pub(super) mod packet;
pub(super) mod socket;
mod system;
mod usage;

#[cfg(feature = "cluster")]
pub(crate) use self::child::executable;
pub(crate) use self::child::{End, Process};
#[cfg(feature = "cluster")]
pub(crate) use self::entry::SERVE;
pub(crate) use self::entry::may_start_workers;
pub(crate) use self::forks::{end_child as end_forked_child, watch_worker};
pub(crate) use self::identity::Identity;
pub(crate) use self::image::{distance, function};
pub(crate) use self::limits::{
    allow_memory, beyond_limit, files_left, free_memory, held_memory, limit_memory, max_handles,
    max_processor_time, processor_time,
};
pub(crate) use self::output::flush_c_output;
pub(crate) use self::overflow::watch_stack;
pub(crate) use self::packet::{PACKET_HANDLES, Packet};
pub(crate) use self::socket::Socket;
pub(crate) use self::usage::size;
pub(crate) use crate::forks::{
    children as forked_children, is_child as is_forked_child, watch as watch_forks,
};
pub(crate) use crate::process::lineage::depth;

/// Adds which call failed, since a limit or a filter may be the cause.
pub(super) fn failed(call: &str, error: rustix::io::Errno) -> std::io::Error {
    let error = std::io::Error::from(error);
    std::io::Error::new(error.kind(), format!("{call}: {error}"))
}
