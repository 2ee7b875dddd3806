//! Names on the broker: streams, subjects, consumers. All of them carry the build.
//!
//! ```text
//! trine.task.BUILD.QUEUE.CALLER-NUMBER   a call on its way: stream TRINE_TASKS, a work queue
//! trine.call.BUILD.CALLER.NUMBER         who has it, its answer: stream TRINE_CALLS, one record
//! trine.cancel.BUILD                     calls that nobody wants: told to all, not kept
//! trine.machines.BUILD                   is anybody there?
//! trine.machine.BUILD.MACHINE            do you have this call?
//! trine.queues.BUILD                     look for new queues
//! ```

use std::fs::File;
use std::io;

use serde::{Deserialize, Serialize};

use super::super::link::EXECUTABLE;

pub(super) const TASKS: &str = "TRINE_TASKS";
pub(super) const CALLS: &str = "TRINE_CALLS";
pub(super) const OBJECTS: &str = "trine-values";
pub(super) const TASK_SUBJECTS: &str = "trine.task.>";
pub(super) const CALL_SUBJECTS: &str = "trine.call.>";
/// The queue of all functions without a `limit`.
pub(super) const ANY: &str = "any";

/// Tells calls apart, for good: the program that made it, and the how manieth it was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct CallId {
    pub(super) caller: u64,
    pub(super) number: u64,
}

/// The executable: only the same one has the same code at the same addresses.
#[derive(Clone)]
pub(super) struct Build(String);

impl Build {
    pub(super) fn of_this_program() -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        io::copy(&mut File::open(EXECUTABLE)?, &mut hasher)?;
        Ok(Self(hasher.finalize().to_hex()[..32].to_owned()))
    }

    pub(super) fn name(&self) -> &str {
        &self.0
    }

    pub(super) fn task(&self, queue: &str, id: CallId) -> String {
        format!("trine.task.{}.{queue}.{:016x}-{:x}", self.0, id.caller, id.number)
    }

    /// What the consumer of a queue takes.
    pub(super) fn tasks(&self, queue: &str) -> String {
        format!("trine.task.{}.{queue}.*", self.0)
    }

    /// The consumer of a queue.
    pub(super) fn consumer(&self, queue: &str) -> String {
        format!("{}-{queue}", self.0)
    }

    pub(super) fn call(&self, id: CallId) -> String {
        format!("trine.call.{}.{:016x}.{:x}", self.0, id.caller, id.number)
    }

    /// Everything of one caller.
    pub(super) fn calls_of(&self, caller: u64) -> String {
        format!("trine.call.{}.{caller:016x}.*", self.0)
    }

    pub(super) fn cancel(&self) -> String {
        format!("trine.cancel.{}", self.0)
    }

    pub(super) fn machines(&self) -> String {
        format!("trine.machines.{}", self.0)
    }

    pub(super) fn machine(&self, machine: u64) -> String {
        format!("trine.machine.{}.{machine:016x}", self.0)
    }

    pub(super) fn queues(&self) -> String {
        format!("trine.queues.{}", self.0)
    }
}

/// A number that nobody else has.
pub(super) fn unique() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one((std::process::id(), std::time::SystemTime::now()))
}

/// The number of a call in the subject of its record.
pub(super) fn number_in(subject: &str) -> Option<u64> {
    u64::from_str_radix(subject.rsplit('.').next()?, 16).ok()
}
