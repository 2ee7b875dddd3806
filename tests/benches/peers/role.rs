//! What this executable does when it runs as its own child: work that has to be measured in a
//! process of its own, or from the first instruction.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::Duration;

const VARIABLE: &str = "TRINE_BENCH_ROLE";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    IdleTrine,
    IdleRayon,
    IdleTokio,
    TrickleTrine,
    TrickleRayon,
    TrickleTokio,
    FirstCall,
    Echo,
    Numbers,
    IpcNumbers,
    Nothing,
    ClusterMany,
    ClusterInTurn,
    ClusterSleep,
    ClusterMega,
    ClusterHuge,
    BareMachine,
    BareMany,
    BareInTurn,
    ObjectMachine,
    ObjectMega,
    ObjectHuge,
}

const ALL: [Role; 22] = [
    Role::IdleTrine,
    Role::IdleRayon,
    Role::IdleTokio,
    Role::TrickleTrine,
    Role::TrickleRayon,
    Role::TrickleTokio,
    Role::FirstCall,
    Role::Echo,
    Role::Numbers,
    Role::IpcNumbers,
    Role::Nothing,
    Role::ClusterMany,
    Role::ClusterInTurn,
    Role::ClusterSleep,
    Role::ClusterMega,
    Role::ClusterHuge,
    Role::BareMachine,
    Role::BareMany,
    Role::BareInTurn,
    Role::ObjectMachine,
    Role::ObjectMega,
    Role::ObjectHuge,
];

impl Role {
    /// The role that this process was started for.
    pub(crate) fn own() -> Option<Self> {
        let name = std::env::var(VARIABLE).ok()?;
        ALL.into_iter().find(|role| format!("{role:?}") == name)
    }

    pub(crate) fn command(self) -> Command {
        let this = std::env::current_exe().expect("this executable has a path");
        let mut command = Command::new(this);
        command.env(VARIABLE, format!("{self:?}"));
        command
    }

    /// Runs a child in this role, and returns the time that it prints.
    pub(crate) fn perform(self) -> Duration {
        let output = self.command().stderr(Stdio::inherit()).output().expect("the child starts");
        seconds(&output.stdout)
    }
}

/// The number of seconds in the last line of a child's output.
pub(crate) fn seconds(output: &[u8]) -> Duration {
    let text = String::from_utf8_lossy(output);
    let number = text.lines().last().and_then(|line| line.trim().parse().ok());
    Duration::from_secs_f64(number.unwrap_or_else(|| panic!("a child told no time: {text:?}")))
}

/// Prints a time for the parent.
pub(crate) fn tell(time: Duration) {
    println!("{}", time.as_secs_f64());
}

/// Returns every eight bytes that it reads.
pub(crate) fn echo() {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut bytes = [0; 8];
    while input.read_exact(&mut bytes).is_ok() {
        output.write_all(&bytes).and_then(|()| output.flush()).expect("the parent reads");
    }
}

/// How much is written to a pipe at a time.
pub(crate) const BLOCK: usize = 64 << 10;

/// For each two numbers that it reads, writes as many as the first says, from 0 on, in blocks of as
/// many bytes as the second says.
pub(crate) fn numbers() {
    let mut input = std::io::stdin().lock();
    let output = std::io::stdout().as_fd().try_clone_to_owned().expect("it is open");
    // Without the buffer that `Stdout` has.
    let mut output = File::from(output);
    let (mut count, mut size) = ([0; 8], [0; 8]);
    while input.read_exact(&mut count).and_then(|()| input.read_exact(&mut size)).is_ok() {
        let size = usize::from_ne_bytes(size);
        let mut block = Vec::with_capacity(size);
        for number in 0..u64::from_ne_bytes(count) {
            block.extend_from_slice(&number.to_ne_bytes());
            if block.len() == size {
                output.write_all(&block).expect("the parent reads");
                block.clear();
            }
        }
        output.write_all(&block).expect("the parent reads");
    }
}
