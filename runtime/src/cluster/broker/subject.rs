//! Subject names on the broker. All of them contain the build, that is the executable and the key,
//! so that programs that differ in either never meet; except for operations, which contain only the
//! key.
//!
//! ```text
//! trine.BUILD.seek[.LABEL]       a caller wants a lease: any one machine gets it
//! trine.BUILD.machine.MACHINE    to one machine
//! trine.BUILD.caller.CALLER.*    to one caller
//! trine.BUILD.news               a machine has started
//! trine-operations.KEY           to all machines, of any build
//! trine-value.BUILD.NAME.CHUNK   stored: values longer than a message
//! trine-limit.BUILD.FUNCTION.N   stored: the places of a function with a `limit`
//! ```

use std::io;

use super::key::Key;
use crate::process::platform;

/// The queue group in which one machine gets each message.
pub(crate) const MACHINES: &str = "machines";

/// The executable, since only the same one has the same code at the same addresses; and the key.
#[derive(Clone)]
pub(crate) struct Build {
    id: String,
    key: String,
    program: String,
}

impl Build {
    pub(crate) fn of_this_program(key: &Key) -> io::Result<Self> {
        let mut hasher = key.hasher();
        io::copy(&mut platform::executable()?, &mut hasher)?;
        let path = std::env::current_exe()?;
        let program = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let program = program.unwrap_or_default().trim_end_matches(" (deleted)").to_owned();
        let short = |hasher: &blake3::Hasher| hasher.finalize().to_hex()[..32].to_owned();
        Ok(Self { id: short(&hasher), key: short(&key.hasher()), program })
    }

    /// For people: the program, and the beginning of its hash.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.program, &self.id[..12])
    }

    pub(crate) fn seek(&self, label: &str) -> String {
        match label {
            "" => format!("trine.{}.seek", self.id),
            label => format!("trine.{}.seek.{label}", self.id),
        }
    }

    pub(crate) fn machine(&self, machine: u64) -> String {
        format!("trine.{}.machine.{machine:016x}", self.id)
    }

    pub(crate) fn caller(&self, caller: u64) -> String {
        format!("trine.{}.caller.{caller:016x}.words", self.id)
    }

    /// Where the broker reports that there was no machine for a label.
    pub(crate) fn absent(&self, caller: u64, label: &str) -> String {
        format!("trine.{}.caller.{caller:016x}.absent-{label}", self.id)
    }

    /// All messages for a caller.
    pub(crate) fn all_of(&self, caller: u64) -> String {
        format!("trine.{}.caller.{caller:016x}.*", self.id)
    }

    pub(crate) fn news(&self) -> String {
        format!("trine.{}.news", self.id)
    }

    pub(crate) fn operations(&self) -> String {
        format!("trine-operations.{}", self.key)
    }

    pub(crate) fn value(&self, name: &str) -> String {
        format!("trine-value.{}.{name}", self.id)
    }

    pub(crate) fn limit(&self, function: &str) -> String {
        format!("trine-limit.{}.{function}", self.id)
    }

    /// The consumer of a function's places.
    pub(crate) fn consumer(&self, function: &str) -> String {
        format!("{}-{function}", self.id)
    }
}

/// The label that nobody has, as a subject of [`Build::absent`] says.
pub(crate) fn label_in(subject: &str) -> Option<&str> {
    subject.rsplit('.').next()?.strip_prefix("absent-")
}
