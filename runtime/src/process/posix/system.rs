//! What the systems do differently, each in files of its own with the same functions.

pub(super) use super::{constructors, elf as executable};
pub(super) use crate::process::linux::{
    ahead, alarm, cores, files, lifeline, memory, program, rights, tree,
};
