//! Who may call: only a program with the key and the same build, and each call only once.

use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt;

use super::world::{World, wait_until};

pub(crate) const CHECKS: &[super::Check] = &[
    ("a machine without a key does not start", no_key),
    ("another key is as good as nobody", other_key),
    ("another build sees no call", other_build),
    ("what is tampered with does not run", tampered),
    ("what is sent again does not run again", replayed),
    ("a stored value that was changed does not run", stored_value_changed),
];

fn no_key() {
    let world = World::new();
    let refused = |key: Option<&str>| {
        let mut machine = world.part("machine");
        machine.env("TRINE_SERVE", "1").env_remove("TRINE_CLUSTER_KEY").stderr(Stdio::piped());
        key.into_iter().for_each(|key| _ = machine.env("TRINE_CLUSTER_KEY", key));
        let output = machine.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let said = refused(None);
    assert!(said.contains("trine cannot serve: TRINE_CLUSTER is set but TRINE_CLUSTER_KEY is not"));
    assert!(refused(Some("short")).contains("at least 32 bytes, but has 5"));
    let mut machine = world.part("machine");
    let output = machine.env("TRINE_SERVE", "none").stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("TRINE_SERVE must be a number of workers, but is \"none\""), "{said}");
}

fn other_key() {
    let world = World::new();
    let mut command = world.part("machine");
    command.env("TRINE_CLUSTER_KEY", "another secret, that nobody else here has");
    let _machine = world.machine_of(command, 1);
    let mut caller = world.part("one");
    let output = caller.env("TRINE_CLUSTER_WAIT", "2").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("no machine with this build of the program and this key"));
}

fn other_build() {
    let world = World::new();
    let command = world.part_of_another_build("machine");
    let _machine = world.machine_of(command, 1);
    let said = world.caller("at-once").rest();
    assert!(said.contains("no machine with this build"), "{said}");
}

/// Records everything that is said on the broker, and says it again.
struct Spy {
    runtime: tokio::runtime::Runtime,
    client: async_nats::Client,
    heard: async_nats::Subscriber,
}

impl Spy {
    fn new(world: &World) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (client, heard) = runtime.block_on(async {
            let client = async_nats::connect(world.address()).await.unwrap();
            let heard = client.subscribe("trine.>").await.unwrap();
            client.flush().await.unwrap();
            (client, heard)
        });
        Self { runtime, client, heard }
    }

    /// What was said to machines so far.
    fn heard_by_machines(&mut self) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::new();
        self.runtime.block_on(async {
            self.client.flush().await.unwrap();
            while let Ok(Some(message)) =
                tokio::time::timeout(Duration::from_millis(300), self.heard.next()).await
            {
                if message.subject.contains(".machine.") || message.subject.contains(".seek") {
                    all.push((message.subject.to_string(), message.payload.to_vec()));
                }
            }
        });
        all
    }

    fn say(&self, subject: &str, payload: Vec<u8>) {
        self.runtime.block_on(async {
            self.client.publish(subject.to_owned(), payload.into()).await.unwrap();
            self.client.flush().await.unwrap();
        });
    }
}

/// A call that somebody listens to, and what was said.
fn overheard(world: &World) -> (Spy, Vec<(String, Vec<u8>)>) {
    let mut spy = Spy::new(world);
    world.go();
    assert_eq!(world.caller("held").rest(), "called\n7\n");
    let said = spy.heard_by_machines();
    assert!(said.len() >= 2, "it was asked for a lease, and sent a call");
    (spy, said)
}

fn tampered() {
    let world = World::new();
    let _machine = world.machine(2);
    let (spy, said) = overheard(&world);
    for (subject, payload) in &said {
        for index in (0..payload.len()).step_by(7) {
            let mut payload = payload.clone();
            payload[index] ^= 1;
            spy.say(subject, payload);
        }
        // And unchanged, on every other subject.
        for (other, _) in said.iter().filter(|(other, _)| other != subject) {
            spy.say(other, payload.clone());
        }
    }
    // The machine handles messages in order, so once it answers this it has seen all of them.
    assert_eq!(world.caller("values").rest(), "well\n");
    assert_eq!(world.notes("ran"), [7]);
}

fn replayed() {
    let world = World::new();
    let first = world.machine(1);
    let (spy, said) = overheard(&world);
    let again = || said.iter().for_each(|(subject, payload)| spy.say(subject, payload.clone()));
    (0..5).for_each(|_| again());
    assert_eq!(world.caller("values").rest(), "well\n");
    assert_eq!(world.notes("ran"), [7]);
    // Nor does it run on a machine that was not there when it first ran.
    drop(first);
    let _late = world.machine(1);
    again();
    assert_eq!(world.caller("values").rest(), "well\n");
    assert_eq!(world.notes("ran"), [7]);
}

fn stored_value_changed() {
    let world = World::new();
    let mut caller = world.caller("held-long");
    assert_eq!(caller.line(), "called");
    wait_until(|| super::world::change_a_stored_message(&world.address(), "TRINE_VALUES"));
    let _machine = world.machine(1);
    let said = caller.rest();
    assert!(said.contains("the value stored at the broker is not the one that was sent"), "{said}");
    assert!(world.notes("began").is_empty());
}
