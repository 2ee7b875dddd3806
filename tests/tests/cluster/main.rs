//! `process` calls on other machines, with a real broker and with processes as the machines.
//!
//! No test harness: this program also plays the callers and the machines, so that each can be
//! killed. It needs a `nats-server`; without one, each test says so.

mod credentials;
mod deployment;
mod faults;
mod functions;
mod network;
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

use std::sync::OnceLock;

type Check = (&'static str, fn());

/// The checks, and which of them take long.
const GROUPS: [(&[Check], bool); 11] = [
    (plain::CHECKS, false),
    (turmoil::CHECKS, false),
    (streams::CHECKS, false),
    (residents::CHECKS, false),
    (trust::CHECKS, false),
    (deployment::CHECKS, false),
    (credentials::CHECKS, false),
    (faults::CHECKS, false),
    (network::CHECKS, false),
    (faults::MORE, true),
    (network::MORE, true),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(part) = arguments.first()
        && parts::play(part)
    {
        return;
    }
    let is_wanted = |is_long: bool| !is_long || faults::all();
    let groups = GROUPS.iter().filter(|(_, is_long)| is_wanted(*is_long));
    let checks = groups.flat_map(|(group, _)| group.iter());
    if arguments.iter().any(|argument| argument == "--list") {
        // The format that nextest expects.
        if !arguments.iter().any(|argument| argument == "--ignored") {
            checks.for_each(|(name, _)| println!("{}: test", name.replace(' ', "_")));
        }
        return;
    }
    let wanted = arguments.iter().find(|wanted| !wanted.starts_with('-'));
    let no_server = world::server().is_none().then(world::how_to_get_it);
    let no_network = OnceLock::new();
    let (mut passed, mut skipped) = (0, 0);
    for (name, check) in checks {
        let is_in_network = network::is_one_of_these(name);
        let name = name.replace(' ', "_");
        if wanted.is_some_and(|wanted| !name.contains(wanted)) {
            continue;
        }
        let no_network = || no_network.get_or_init(network::missing).clone();
        let missing = no_server.clone().or_else(|| is_in_network.then(no_network).flatten());
        if let Some(why) = missing {
            println!("test {name} ... skipped: {why}");
            skipped += 1;
        } else {
            check();
            println!("test {name} ... ok");
            passed += 1;
        }
    }
    println!("{passed} passed, 0 failed, {skipped} skipped");
}
