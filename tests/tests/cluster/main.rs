//! `process` calls on other machines, with a real broker and with processes as the machines.
//!
//! No test harness: this program also plays the callers and the machines, so that each can be
//! killed. It needs a `nats-server`; without one, each test says so.

mod credentials;
mod deployment;
mod faults;
mod functions;
mod homes;
mod making;
mod network;
mod one_way;
mod parts;
mod plain;
mod relay;
mod residents;
mod stateful;
mod streams;
mod trust;
mod turmoil;
mod world;
mod yielding;

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;

/// A name, and what to do.
type Check = (&'static str, fn());

/// The checks, and which of them take long.
const GROUPS: [(&[Check], bool); 14] = [
    (plain::CHECKS, false),
    (turmoil::CHECKS, false),
    (streams::CHECKS, false),
    (residents::CHECKS, false),
    (making::CHECKS, false),
    (trust::CHECKS, false),
    (deployment::CHECKS, false),
    (credentials::CHECKS, false),
    (faults::CHECKS, false),
    (network::CHECKS, false),
    (one_way::CHECKS, false),
    (faults::MORE, true),
    (network::MORE, true),
    (one_way::MORE, true),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(part) = arguments.first()
        && parts::play(part)
    {
        return;
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let is_wanted = |is_long: bool| !is_long || faults::all();
    let groups = GROUPS.iter().filter(|(_, is_long)| is_wanted(*is_long));
    let checks = groups.flat_map(|(group, _)| group.iter());
    if has("--list") {
        // The format that nextest expects.
        if !has("--ignored") {
            checks.for_each(|(name, _)| println!("{}: test", file_name(name)));
        }
        return;
    }
    let wanted = arguments.iter().find(|wanted| !wanted.starts_with('-'));
    let is_wanted = |name: &str| match wanted {
        Some(wanted) if has("--exact") => file_name(name) == *wanted,
        Some(wanted) => file_name(name).contains(wanted),
        None => true,
    };
    let mut chosen: Vec<&Check> = checks.filter(|(name, _)| is_wanted(name)).collect();
    if has("--exact") {
        return chosen.iter().for_each(|(name, check)| match missing(name) {
            Some(why) => println!("skipped: {why}"),
            None => check(),
        });
    }
    // The slowest come last in the tables, and should not be what all wait for in the end.
    chosen.reverse();
    run(&chosen);
}

fn file_name(name: &str) -> String {
    name.replace(' ', "_")
}

/// What a check needs and does not find.
fn missing(name: &str) -> Option<String> {
    static NO_NETWORK: OnceLock<Option<String>> = OnceLock::new();
    let no_server = world::server().is_none().then(world::how_to_get_it);
    let no_network = || NO_NETWORK.get_or_init(network::missing).clone();
    no_server.or_else(|| network::is_one_of_these(name).then(no_network).flatten())
}

/// Runs each check in a program of its own, a few at a time: most of them wait most of the time,
/// for a lease to end or for somebody to find that a machine is gone.
fn run(checks: &[&Check]) {
    const AT_A_TIME: usize = 3;
    static IN_NETWORK: Mutex<()> = Mutex::new(());
    let next = AtomicUsize::new(0);
    let [passed, failed, skipped] = [const { AtomicUsize::new(0) }; 3];
    let run_one = |name: &str| {
        let why = missing(name);
        // They have the same addresses.
        let _alone = network::is_one_of_these(name).then(|| IN_NETWORK.lock());
        let name = file_name(name);
        if let Some(why) = why {
            println!("test {name} ... skipped: {why}");
            return &skipped;
        }
        let mut program = Command::new(std::env::current_exe().unwrap());
        let output = program.args([&name, "--exact"]).output().unwrap();
        if output.status.success() {
            println!("test {name} ... ok");
            return &passed;
        }
        let [out, error] = [&output.stdout, &output.stderr].map(|t| String::from_utf8_lossy(t));
        println!("{out}{error}test {name} ... FAILED: {}", output.status);
        &failed
    };
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some((name, _)) = checks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    run_one(name).fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let [passed, failed, skipped] = [passed, failed, skipped].map(AtomicUsize::into_inner);
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed > 0 {
        std::process::exit(1);
    }
}
