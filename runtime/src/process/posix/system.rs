//! What the systems do differently, each in files of its own with the same functions.

#[cfg(not(all(target_os = "linux", not(trine_platform = "unix"))))]
pub(super) use crate::process::unix::{
    ahead, alarm, cores, files, lifeline, memory, program, rights, tree,
};
#[cfg(target_vendor = "apple")]
pub(super) use crate::process::unix::{apple as constructors, apple as executable};

#[cfg(not(target_vendor = "apple"))]
pub(super) use super::{constructors, elf as executable};
#[cfg(all(target_os = "linux", not(trine_platform = "unix")))]
pub(super) use crate::process::linux::{
    ahead, alarm, cores, files, lifeline, memory, program, rights, tree,
};
