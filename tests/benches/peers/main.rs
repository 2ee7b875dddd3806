//! trine beside its peers: `cargo bench -p trine-tests` prints the table of the README, `cargo
//! bench -p trine-tests -- NAME` the rows with that name or number. `--quick` runs a few rounds of
//! each row and leaves out the rows that take long anyway; `--features jemalloc` or `mimalloc`
//! gives all contestants that allocator.
//!
//! All contestants of a row run in one process, in turn, for several rounds; what counts is the
//! ratio of the medians. A row that misses its goal is marked, and shown like the others.

mod asynchronous;
mod awaiting;
mod blocking;
#[cfg(feature = "cluster")]
mod cluster;
mod compile;
mod fork_join;
mod harness;
mod idle;
mod memory;
#[cfg(feature = "cluster")]
mod objects;
mod process;
mod python;
mod role;
#[cfg(feature = "service")]
mod service;
mod spawning;
mod streams;
mod table;
mod workers;

use harness::Row;
use role::Role;

/// Rows that take long however few their rounds: they compile, or wait for minutes.
const LONG: &[&str] = &["compile", "idle", "trickle"];

/// A row's number, its name, and the function that makes it.
type Named = (&'static str, &'static str, fn() -> Row);

const ROWS: &[Named] = &[
    ("1", "fork-join", fork_join::fib),
    ("1", "fork-join-inside", fork_join::inside),
    ("1", "unbalanced", fork_join::unbalanced),
    ("2", "spawn-gather", spawning::many),
    ("3", "spawn-join", spawning::in_turn),
    ("4", "sleepers", blocking::sleepers),
    ("5", "mixed", blocking::mixed),
    ("6", "hog", blocking::hog),
    ("7", "process-join", process::in_turn),
    ("8", "process-gather", process::many),
    ("8", "process-burst", process::burst),
    ("9", "process-large", process::large),
    ("9", "process-borrowed", process::borrowed),
    ("9", "process-shared", process::shared),
    ("10", "process-cold", process::cold),
    ("11", "async-gather", asynchronous::many),
    ("11", "async-join", asynchronous::in_turn),
    ("12", "compile", compile::annotations),
    ("13", "idle", idle::after_work),
    ("13", "trickle", idle::one_per_millisecond),
    #[cfg(feature = "cluster")]
    ("14", "cluster-gather", cluster::many),
    #[cfg(feature = "cluster")]
    ("14", "cluster-join", cluster::in_turn),
    #[cfg(feature = "cluster")]
    ("14", "cluster-two-machines", cluster::two_machines),
    #[cfg(feature = "cluster")]
    ("14", "cluster-four-machines", cluster::four_machines),
    #[cfg(feature = "cluster")]
    ("14", "cluster-megabyte", cluster::megabyte),
    #[cfg(feature = "cluster")]
    ("14", "cluster-hundred-megabytes", cluster::hundred_megabytes),
    ("15", "await-process", awaiting::process_alone),
    ("15", "await-threads", awaiting::threads_alone),
    ("16", "await-process-beside-nice", awaiting::process_beside_nice),
    ("16", "await-process-beside-equal", awaiting::process_beside_equal),
    ("16", "await-threads-beside-nice", awaiting::threads_beside_nice),
    ("16", "await-threads-beside-equal", awaiting::threads_beside_equal),
    #[cfg(feature = "service")]
    ("17", "service-16", service::few),
    #[cfg(feature = "service")]
    ("17", "service-200", service::many),
    ("18", "window", awaiting::window),
    ("19", "stream-threads", streams::threads),
    ("19", "stream-process", streams::process),
    ("19", "stream-blocks", streams::blocks),
    ("19", "stream-first", streams::first),
    ("19", "sender-process", streams::sender),
    ("20", "worker-join", workers::in_turn),
    ("20", "worker-gather", workers::many),
    ("20", "worker-await", workers::awaited),
    ("20", "worker-process-join", workers::process),
    ("20", "worker-process-gather", workers::process_many),
];

fn main() {
    match Role::own() {
        None => {}
        Some(Role::Nothing) => return,
        Some(Role::Echo) => return role::echo(),
        Some(Role::FirstCall) => return process::tell_first_call(),
        Some(Role::Numbers) => return role::numbers(),
        #[cfg(feature = "ipc")]
        Some(Role::IpcNumbers) => return streams::ipc::play(),
        #[cfg(feature = "cluster")]
        Some(
            role @ (Role::ClusterMany
            | Role::ClusterInTurn
            | Role::ClusterSleep
            | Role::ClusterMega
            | Role::ClusterHuge
            | Role::BareMachine
            | Role::BareMany
            | Role::BareInTurn),
        ) => return cluster::play(role),
        #[cfg(feature = "cluster")]
        Some(role @ (Role::ObjectMachine | Role::ObjectMega | Role::ObjectHuge)) => {
            return objects::play(role);
        }
        Some(role) => return idle::play(role),
    }
    // procspawn runs its workers from here.
    procspawn::init();
    let (flags, wanted): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    let is_quick = flags.iter().any(|flag| flag == "--quick");
    let mut table = table::Table::default();
    for &(number, name, row) in ROWS {
        let is_wanted = |wanted: &String| wanted == number || name.contains(wanted.as_str());
        #[cfg(feature = "cluster")]
        if number == "14" && !cluster::is_here() {
            continue;
        }
        if wanted.is_empty() && is_quick && LONG.contains(&name) {
            eprintln!("{number:>3} {name} is left out: it takes long");
        } else if wanted.is_empty() || wanted.iter().any(is_wanted) {
            table.add(row().run(is_quick));
        }
    }
    table.finish();
}
