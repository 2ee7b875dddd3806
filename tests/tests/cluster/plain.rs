//! Calls that come back with a value, and what they say when they cannot.

use super::functions::notes;
use super::world::{Process, World, wait_until};

pub(crate) const CHECKS: &[super::Check] = &[
    ("values cross to another machine", || well("values", "")),
    ("every end is told apart", || well("errors", "")),
    ("large values go through the store", large_values),
    ("calls run where they should", places),
    ("calls with an end of a stream run here", || well("ends", "")),
    ("calls run where there is what they ask for", labels),
    ("all options of a function hold on the machine", || well("options", "")),
    ("without a machine a call says so", nobody_is_there),
    ("without a broker a call says so", no_broker),
    ("a machine may come late", late_machine),
    ("two callers get their own answers", two_callers),
    ("a limit holds over all machines", limit),
    ("a full queue refuses the next call", || well("queue", "")),
    ("all of it can be set from code", set_from_code),
    ("what is cancelled is killed or never runs", cancelled),
];

fn well(part: &str, settings: &str) {
    let world = World::with(settings);
    let _machine = world.machine(2);
    assert_eq!(world.caller(part).rest(), "well\n");
}

fn large_values() {
    let world = World::with("max_payload: 65536");
    let _machine = world.machine(2);
    assert_eq!(world.caller("large").rest(), "well\n");
    // What was stored is no longer needed, and is gone.
    let left = async || {
        let client = async_nats::connect(world.address()).await.unwrap();
        let context = async_nats::jetstream::new(client);
        let mut stream = context.get_stream("TRINE_VALUES").await.unwrap();
        stream.info().await.unwrap().state.bytes
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    wait_until(|| runtime.block_on(left()) < 100_000);
}

fn places() {
    let world = World::new();
    let machine = world.machine(1);
    assert_eq!(world.caller("places").rest(), format!("{} 1 1\n", machine.id()));
}

fn labels() {
    let world = World::new();
    let _without = world.machine(1);
    let mut caller = world.part("labelled");
    let output = caller.env("TRINE_CLUSTER_WAIT", "0.5").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("this key and the label `gpu` was found at"), "{said}");
    // A waiting call gets the machine that comes.
    let waits = world.caller("labelled");
    let mut command = world.part("machine");
    command.env("TRINE_LABELS", "zone-a,gpu");
    let machine = world.machine_of(command, 1);
    assert_eq!(waits.rest(), format!("{}\n", machine.id()));
    assert_eq!(world.caller("labelled").rest(), format!("{}\n", machine.id()));
}

fn nobody_is_there() {
    let world = World::new();
    let said = world.caller("at-once").rest();
    let expected = "task `double` could not start: no machine with this build of the program";
    assert!(said.starts_with(expected), "{said}");
    let mut patient = world.part("one");
    patient.env("TRINE_CLUSTER_WAIT", "0.5");
    let said = String::from_utf8(patient.output().unwrap().stdout).unwrap();
    assert!(said.starts_with(expected) && said.contains("within 500ms"), "{said}");
    // Nothing is left for a machine that comes later to run.
    let _machine = world.machine(1);
    assert_eq!(world.caller("one").rest(), "8\n");
}

fn no_broker() {
    let world = World::new();
    let mut caller = world.part("one");
    caller.env("TRINE_CLUSTER", "nats://127.0.0.1:1").env("TRINE_CLUSTER_WAIT", "0.3");
    let said = String::from_utf8(caller.output().unwrap().stdout).unwrap();
    let expected = "the broker at nats://127.0.0.1:1 cannot be reached";
    assert!(said.contains(expected), "{said}");
    let mut caller = world.part("one");
    caller.env("TRINE_CLUSTER_KEY", "short");
    let said = String::from_utf8(caller.output().unwrap().stdout).unwrap();
    assert!(said.contains("TRINE_CLUSTER_KEY needs a secret of at least 32 bytes"), "{said}");
    let mut caller = world.part("one");
    caller.env_remove("TRINE_CLUSTER_KEY");
    let said = String::from_utf8(caller.output().unwrap().stdout).unwrap();
    assert!(said.contains("TRINE_CLUSTER_KEY is not"), "{said}");
}

fn late_machine() {
    let world = World::new();
    let mut caller = world.caller("held");
    assert_eq!(caller.line(), "called");
    world.go();
    let _machine = world.machine(1);
    assert_eq!(caller.rest(), "7\n");
}

fn two_callers() {
    let world = World::new();
    let _machines = [world.machine(2), world.machine(2)];
    let callers = [world.caller("values"), world.caller("values")];
    callers.into_iter().for_each(|caller| assert_eq!(caller.rest(), "well\n"));
}

fn limit() {
    let world = World::new();
    let _machines = [world.machine(3), world.machine(3)];
    let callers = [world.caller("crowd"), world.caller("crowd")];
    let most = callers.map(|caller| caller.rest().trim().parse::<usize>().unwrap());
    // Two at a time, and never three, though there is room for six.
    assert_eq!(most.iter().max(), Some(&2), "{most:?}");
}

fn set_from_code() {
    let world = World::new();
    let part = |name: &str| {
        let mut command = world.part(name);
        command.env("ADDRESS", world.address());
        command.env_remove("TRINE_CLUSTER").env_remove("TRINE_CLUSTER_KEY");
        Process(command.spawn().unwrap())
    };
    let machine = part("serves");
    assert_eq!(part("configured").rest(), format!("{}\n", machine.id()));
    machine.signal(libc::SIGTERM);
    assert_eq!(machine.rest(), "served\n");
}

fn cancelled() {
    let world = World::new();
    let _machine = world.machine(1);
    let mut caller = world.caller("cancelled");
    assert_eq!(caller.line(), "running");
    let worker = notes(&world.folder, "began")[0];
    let path = format!("/proc/{worker}");
    assert!(std::path::Path::new(&path).exists());
    caller.tell();
    assert_eq!(caller.rest(), "3\n");
    wait_until(|| !std::path::Path::new(&path).exists());
    assert_eq!(world.notes("ran"), [3]);
}
