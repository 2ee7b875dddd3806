//! Names on the broker: streams, subjects, consumers. All of them carry the build: the executable
//! and the key, so that what has another of either never meets.
//!
//! ```text
//! trine.task.BUILD.QUEUE           calls on their way: stream TRINE_TASKS, a work queue
//! trine.claim.BUILD.CALLER.GROUP   who has which of 64 calls: stream TRINE_CLAIMS, one of each
//! trine.answer.BUILD.CALLER        how calls ended: stream TRINE_ANSWERS
//! trine.cancel.BUILD               calls that nobody wants: told to all, not kept
//! trine.machines.BUILD             is anybody there?
//! trine.machine.BUILD.MACHINE      do you have this call?
//! trine.queues.BUILD               look for new queues
//! ```

use std::fs::File;
use std::io;

use serde::{Deserialize, Serialize};

use super::key::Key;
use crate::process::platform::EXECUTABLE;

pub(crate) const TASKS: &str = "TRINE_TASKS";
pub(crate) const CLAIMS: &str = "TRINE_CLAIMS";
pub(crate) const ANSWERS: &str = "TRINE_ANSWERS";
pub(crate) const OBJECTS: &str = "trine-values";
pub(crate) const TASK_SUBJECTS: &str = "trine.task.>";
pub(crate) const CLAIM_SUBJECTS: &str = "trine.claim.>";
pub(crate) const ANSWER_SUBJECTS: &str = "trine.answer.>";
/// The queue of all functions without a `limit`.
pub(crate) const ANY: &str = "any";

/// Tells calls apart, for good: the program that made it, and the how manieth it was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct CallId {
    pub(crate) caller: u64,
    pub(crate) number: u64,
}

/// The executable, since only the same one has the same code at the same addresses; and the key.
#[derive(Clone)]
pub(crate) struct Build(String);

impl Build {
    pub(crate) fn of_this_program(key: &Key) -> io::Result<Self> {
        let mut hasher = key.hasher();
        io::copy(&mut File::open(EXECUTABLE)?, &mut hasher)?;
        Ok(Self(hasher.finalize().to_hex()[..32].to_owned()))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    pub(crate) fn queue(&self, queue: &str) -> String {
        format!("trine.task.{}.{queue}", self.0)
    }

    /// The consumer of a queue.
    pub(crate) fn consumer(&self, queue: &str) -> String {
        format!("{}-{queue}", self.0)
    }

    pub(crate) fn claims(&self, caller: u64, group: u64) -> String {
        format!("trine.claim.{}.{caller:016x}.{group:x}", self.0)
    }

    /// All that machines have claimed of a caller.
    pub(crate) fn claims_of(&self, caller: u64) -> String {
        format!("trine.claim.{}.{caller:016x}.*", self.0)
    }

    pub(crate) fn answers(&self, caller: u64) -> String {
        format!("trine.answer.{}.{caller:016x}", self.0)
    }

    pub(crate) fn cancel(&self) -> String {
        format!("trine.cancel.{}", self.0)
    }

    pub(crate) fn machines(&self) -> String {
        format!("trine.machines.{}", self.0)
    }

    pub(crate) fn machine(&self, machine: u64) -> String {
        format!("trine.machine.{}.{machine:016x}", self.0)
    }

    pub(crate) fn queues(&self) -> String {
        format!("trine.queues.{}", self.0)
    }
}

/// The group of calls in the subject of their claims.
pub(crate) fn group_in(subject: &str) -> Option<u64> {
    u64::from_str_radix(subject.rsplit('.').next()?, 16).ok()
}
