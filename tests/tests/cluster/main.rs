//! `process` calls on other machines, with a real broker and with processes as the machines.
//!
//! No test harness: this program also plays the callers and the machines, so that each can be
//! killed. It needs a `nats-server`; without one, each test says so.

mod deployment;
mod faults;
mod functions;
mod parts;
mod plain;
mod relay;
mod trust;
mod turmoil;
mod world;

type Check = (&'static str, fn());

const GROUPS: [&[Check]; 5] =
    [plain::CHECKS, turmoil::CHECKS, trust::CHECKS, deployment::CHECKS, faults::CHECKS];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(part) = arguments.first()
        && parts::play(part)
    {
        return;
    }
    let more = if faults::all() { faults::MORE } else { &[] };
    let checks = GROUPS.iter().flat_map(|group| group.iter()).chain(more);
    if arguments.iter().any(|argument| argument == "--list") {
        // The format that nextest expects.
        if !arguments.iter().any(|argument| argument == "--ignored") {
            checks.for_each(|(name, _)| println!("{}: test", name.replace(' ', "_")));
        }
        return;
    }
    let wanted = arguments.iter().find(|wanted| !wanted.starts_with('-'));
    let (mut passed, mut skipped) = (0, 0);
    for (name, check) in checks {
        let name = name.replace(' ', "_");
        if wanted.is_some_and(|wanted| !name.contains(wanted)) {
            continue;
        }
        if world::server().is_some() {
            check();
            println!("test {name} ... ok");
            passed += 1;
        } else {
            println!("test {name} ... skipped: {}", world::how_to_get_it());
            skipped += 1;
        }
    }
    println!("{passed} passed, 0 failed, {skipped} skipped");
}
