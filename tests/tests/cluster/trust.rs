//! Who may call: only who has the key and the same build, and each call once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::{self, message::StreamMessage};
use futures_util::StreamExt;

use super::world::{Process, World, wait_until};

pub(crate) const CHECKS: &[super::Check] = &[
    ("a machine without a key does not start", no_key),
    ("another key is as good as nobody", other_key),
    ("another build sees no call", other_build),
    ("what is tampered with does not run", tampered),
    ("what is sent again does not run again", replayed),
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
    assert!(said.contains("trine cannot serve: TRINE_CLUSTER is set and TRINE_CLUSTER_KEY is not"));
    assert!(refused(Some("short")).contains("32 bytes or more, and has 5"));
    let mut machine = world.part("machine");
    let output = machine.env("TRINE_SERVE", "none").stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("TRINE_SERVE must be a number of workers, and is \"none\""), "{said}");
}

fn other_key() {
    let world = World::new();
    let mut command = world.part("machine");
    command.env("TRINE_CLUSTER_KEY", "another secret, that nobody else here has");
    let _machine = world.machine_of(command, 1);
    let mut caller = world.part("one");
    let output = caller.env("TRINE_CLUSTER_WAIT", "2").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("no machine that runs this build of the program, with this key"));
}

fn other_build() {
    let world = World::new();
    // The same program, and yet another file.
    let other = world.folder.join("other");
    let mut bytes = fs::read(std::env::current_exe().unwrap()).unwrap();
    bytes.push(0);
    fs::write(&other, bytes).unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
    let own = world.part("machine");
    let mut command = Command::new(&other);
    command.arg("machine").stdout(Stdio::piped());
    own.get_envs().for_each(|(name, value)| _ = command.env(name, value.unwrap()));
    let _machine = world.machine_of(command, 1);
    let said = world.caller("at-once").rest();
    assert!(said.contains("no machine that runs this build"), "{said}");
}

/// Something done with the broker's streams.
fn with_streams<R>(world: &World, action: impl AsyncFnOnce(jetstream::Context) -> R) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = async_nats::connect(world.address()).await.unwrap();
        action(jetstream::new(client)).await
    })
}

/// The call that waits there.
async fn waiting(context: &jetstream::Context) -> Option<StreamMessage> {
    let mut tasks = context.get_stream("TRINE_TASKS").await.ok()?;
    let state = &tasks.info().await.ok()?.state;
    if state.messages == 0 {
        return None;
    }
    let last = state.last_sequence;
    tasks.get_raw_message(last).await.ok()
}

fn the_one_waiting(world: &World) -> StreamMessage {
    let mut found = None;
    wait_until(|| {
        found = with_streams(world, async |context| waiting(&context).await);
        found.is_some()
    });
    found.unwrap()
}

fn tampered() {
    let world = World::new();
    world.go();
    let mut caller = world.caller("held");
    assert_eq!(caller.line(), "called");
    let call = the_one_waiting(&world);
    let sent = with_streams(&world, async |context| {
        let mut sent = 0;
        for index in (0..call.payload.len()).step_by(7) {
            let mut payload = call.payload.to_vec();
            payload[index] ^= 1;
            context.publish(call.subject.clone(), payload.into()).await.unwrap().await.unwrap();
            sent += 1;
        }
        // And as it was, but in another queue of the machine's.
        let (before, _) = call.subject.rsplit_once('.').unwrap();
        let build = before.rsplit('.').next().unwrap();
        let (subject, name) = (format!("{before}.other"), format!("{build}-other"));
        let config = pull::Config {
            durable_name: Some(name),
            filter_subject: subject.clone(),
            ..Default::default()
        };
        let tasks = context.get_stream("TRINE_TASKS").await.unwrap();
        tasks.create_consumer(config).await.unwrap();
        context.publish(subject, call.payload.clone()).await.unwrap().await.unwrap();
        sent + 1
    });
    assert!(sent > 10);
    let _machine = world.machine(2);
    assert_eq!(caller.rest(), "7\n");
    // All of them were taken off, and none but the right one ran, or got an answer.
    wait_until(|| with_streams(&world, async |context| waiting(&context).await.is_none()));
    assert_eq!(world.notes("ran"), [7]);
    let answers = with_streams(&world, async |context| {
        let calls = context.get_stream("TRINE_ANSWERS").await.unwrap();
        let answers = calls.info_with_subjects("trine.answer.>").await.unwrap();
        answers.map(|answer| answer.unwrap().1).collect::<Vec<_>>().await
    });
    assert_eq!(answers, [1]);
}

fn replayed() {
    let world = World::new();
    world.go();
    let mut caller = world.caller("held");
    assert_eq!(caller.line(), "called");
    let call = the_one_waiting(&world);
    let again = async |context: jetstream::Context| {
        let sent = context.publish(call.subject.clone(), call.payload.clone()).await.unwrap();
        sent.await.unwrap();
    };
    // Before it has run, for both machines to take one, and afterwards.
    with_streams(&world, again);
    let machines: [Process; 2] = [world.machine(1), world.machine(1)];
    assert_eq!(caller.rest(), "7\n");
    for _ in 0..5 {
        with_streams(&world, again);
        wait_until(|| with_streams(&world, async |context| waiting(&context).await.is_none()));
    }
    drop(machines);
    assert_eq!(world.notes("ran"), [7]);
    // Nor on a machine that was not there when it ran.
    with_streams(&world, again);
    let _late = world.machine(1);
    wait_until(|| with_streams(&world, async |context| waiting(&context).await.is_none()));
    assert_eq!(world.notes("ran"), [7]);
}
