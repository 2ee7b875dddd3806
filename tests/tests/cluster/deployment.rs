//! Brokers that demand a login, encrypt the connection, or store nothing; and what a call says if
//! something is set up wrong: the reason, in bounded time, and no secret.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::world::{KEY, World, wait_until};

pub(crate) const CHECKS: &[super::Check] = &[
    ("a login in the address is used and never shown", logins),
    ("an nkey is used", nkey),
    ("what is said is hidden by TLS", tls),
    ("files that are missing are named", missing_files),
    ("the key may come from a file", key_file),
    ("without JetStream all works that needs no store", no_store),
    ("a store that is full is an error and no wait", full_store),
    ("a stream of another make is named", other_stream),
    ("machines are listed and drained by name", operations),
    ("what is stored can be purged at any time", purged),
];

/// What a caller of `part` prints with these variables.
pub(crate) fn said(world: &World, part: &str, variables: &[(&str, &str)]) -> String {
    let mut caller = world.part(part);
    caller.env("TRINE_CLUSTER_WAIT", "1");
    variables.iter().for_each(|(name, value)| _ = caller.env(name, value));
    let output = caller.stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    format!("{said}{}", String::from_utf8(output.stderr).unwrap())
}

/// A machine with these variables.
pub(crate) fn machine(world: &World, variables: &[(&str, &str)]) -> super::world::Process {
    let mut command = world.part("machine");
    variables.iter().for_each(|(name, value)| _ = command.env(name, value));
    world.machine_of(command, 1)
}

fn logins() {
    let cases = [
        ("authorization { user: \"me\", password: \"s3@cret\" }", "me:s3%40cret", "me:wr0ng"),
        ("authorization { token: \"s3cret\" }", "s3cret", "wr0ng"),
    ];
    for (settings, right, wrong) in cases {
        let world = World::with(settings);
        let with = |login: &str| format!("nats://{login}@127.0.0.1:{}", world.port());
        let (right, wrong) = (with(right), with(wrong));
        let _machine = machine(&world, &[("TRINE_CLUSTER", &right)]);
        assert_eq!(said(&world, "one", &[("TRINE_CLUSTER", &right)]), "8\n");
        for address in [&wrong, &world.address()] {
            let said = said(&world, "one", &[("TRINE_CLUSTER", address)]);
            assert!(said.contains(&world.address()), "{said}");
            assert!(said.contains("cannot be reached"), "{said}");
            assert!(said.contains("authorization violation"), "{said}");
            assert!(!said.contains("wr0ng"), "{said}");
        }
    }
}

fn nkey() {
    let seed = "SUAGN6GRTB5Z5TH5XUSLIY2XJPVUGOLBRCC3UKSCJA6AYPUESKXYWI2NJE";
    let user = "UAELP2BZQXPDZLJ2UI7URAKKDCKNTEMRW45HLV5NWBP6XNGS54SF6G3B";
    let world = World::with(&format!("authorization {{ users: [ {{ nkey: {user} }} ] }}"));
    let file = world.folder.join("seed");
    fs::write(&file, format!("{seed}\n")).unwrap();
    let variable = ("TRINE_CLUSTER_NKEY", file.to_str().unwrap());
    let _machine = machine(&world, &[variable]);
    assert_eq!(said(&world, "one", &[variable]), "8\n");
    let refused = said(&world, "one", &[]);
    assert!(refused.contains("authorization violation"), "{refused}");
}

fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.current_dir(folder).args(arguments.split(' '));
    let output = command.output().expect("openssl is there, as for any broker with TLS");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A certificate authority, and a certificate for the broker that it signed.
fn certificates(folder: &Path) {
    let curve = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(
        folder,
        &format!("req -x509 {curve} -keyout ca.key -out ca.pem -subj /CN=root -days 9"),
    );
    openssl(folder, &format!("req {curve} -keyout broker.key -out broker.csr -subj /CN=broker"));
    fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1").unwrap();
    openssl(
        folder,
        "x509 -req -in broker.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out broker.pem -days 9 \
         -extfile names",
    );
}

fn tls() {
    let folder = std::env::temp_dir().join(format!("trine-tls-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    certificates(&folder);
    let (certificate, key) = (folder.join("broker.pem"), folder.join("broker.key"));
    let world = World::with(&format!("tls {{ cert_file: {certificate:?}, key_file: {key:?} }}"));
    let address = format!("tls://127.0.0.1:{}", world.port());
    let root = folder.join("ca.pem");
    let trusts = [("TRINE_CLUSTER", &*address), ("TRINE_CLUSTER_CA", root.to_str().unwrap())];
    let _machine = machine(&world, &trusts);
    assert_eq!(said(&world, "one", &trusts), "8\n");
    let refused = said(&world, "one", &trusts[..1]);
    assert!(refused.contains("cannot be reached"), "{refused}");
    assert!(refused.contains("certificate"), "{refused}");
    let _ = fs::remove_dir_all(&folder);
}

fn missing_files() {
    let world = World::new();
    let variables = ["TRINE_CLUSTER_CA", "TRINE_CLUSTER_NKEY", "TRINE_CLUSTER_CREDENTIALS"];
    for variable in variables.into_iter().chain(["TRINE_CLUSTER_KEY_FILE"]) {
        let said = said(&world, "one", &[(variable, "/no/such/file")]);
        let expected = format!("{variable} is /no/such/file, which cannot be read");
        assert!(said.contains(&expected), "{said}");
    }
    let odd = said(&world, "one", &[("TRINE_CLUSTER_LEASE", "soon")]);
    assert!(odd.contains("TRINE_CLUSTER_LEASE must be a number of seconds"), "{odd}");
    let file = world.folder.join("no.creds");
    fs::write(&file, "nothing of the kind").unwrap();
    let odd = said(&world, "one", &[("TRINE_CLUSTER_CREDENTIALS", file.to_str().unwrap())]);
    assert!(odd.contains("no.creds, which has no credentials"), "{odd}");
}

fn key_file() {
    let world = World::new();
    let _machine = world.machine(1);
    let file = world.folder.join("key");
    // With a newline at the end, as `openssl rand -hex 32 >key` writes it.
    fs::write(&file, format!("{KEY}\n")).unwrap();
    let name = file.to_str().unwrap();
    let variables = [("TRINE_CLUSTER_KEY_FILE", name), ("TRINE_CLUSTER_KEY", "not that one")];
    assert_eq!(said(&world, "one", &variables), "8\n");
    // Or from a descriptor.
    let mut caller = world.part("one");
    caller.env("TRINE_CLUSTER_KEY_FILE", "/dev/fd/0").env_remove("TRINE_CLUSTER_KEY");
    let output = caller.stdin(fs::File::open(&file).unwrap()).output().unwrap();
    assert_eq!(output.stdout, b"8\n");
    fs::write(&file, "short").unwrap();
    let short = said(&world, "one", &variables);
    assert!(
        short.contains("TRINE_CLUSTER_KEY_FILE needs a secret of at least 32 bytes"),
        "{short}"
    );
}

fn no_store() {
    let world = World::without_store();
    let _machine = world.machine(1);
    assert_eq!(said(&world, "one", &[]), "8\n");
    for part in ["limited", "long"] {
        let said = said(&world, part, &[]);
        assert!(said.contains("the broker has no JetStream"), "{part}: {said}");
    }
    assert_eq!(said(&world, "one", &[]), "8\n");
}

fn full_store() {
    let world = World::new();
    let _machine = world.machine(1);
    let small = [("TRINE_CLUSTER_STORE", "1000000")];
    let full = said(&world, "long", &small);
    assert!(full.contains("maximum bytes exceeded"), "{full}");
    assert_eq!(said(&world, "one", &small), "8\n");
}

fn other_stream() {
    let world = World::new();
    let _machine = world.machine(1);
    assert_eq!(said(&world, "long", &[]), "3000000\n");
    let other = said(&world, "long", &[("TRINE_CLUSTER_REPLICAS", "3")]);
    let expected = "different stream TRINE_VALUES: its number of replicas is 1, but must be 3";
    assert!(other.contains(expected), "{other}");
}

fn operations() {
    let world = World::new();
    let variables = |name| [("TRINE_NAME", name), ("TRINE_LABELS", "gpu,zone-a")];
    let _stays = machine(&world, &variables("stays"));
    let ends = machine(&world, &variables("ends"));
    let listed = said(&world, "machines", &[]);
    let expected =
        |name| format!("{name}: 1 workers, 0 + 0 calls, 0 values, [\"gpu\", \"zone-a\"]\n");
    assert_eq!(listed, format!("{}{}", expected("ends"), expected("stays")));
    #[cfg(feature = "metrics")]
    assert_eq!(
        said(&world, "published", &[]).lines().collect::<Vec<_>>(),
        [
            "trine_machine_callers [\"machine\", \"build\"] Gauge(0.0)",
            "trine_machine_callers [\"machine\", \"build\"] Gauge(0.0)",
            "trine_machine_calls_ended [\"machine\", \"build\"] Counter(0)",
            "trine_machine_calls_ended [\"machine\", \"build\"] Counter(0)",
            "trine_machine_calls_queued [\"machine\", \"build\"] Gauge(0.0)",
            "trine_machine_calls_queued [\"machine\", \"build\"] Gauge(0.0)",
            "trine_machine_calls_running [\"machine\", \"build\"] Gauge(0.0)",
            "trine_machine_calls_running [\"machine\", \"build\"] Gauge(0.0)",
            "trine_machine_values [\"machine\", \"build\"] Gauge(0.0)",
            "trine_machine_values [\"machine\", \"build\"] Gauge(0.0)",
            "trine_machine_workers [\"machine\", \"build\"] Gauge(1.0)",
            "trine_machine_workers [\"machine\", \"build\"] Gauge(1.0)",
        ]
    );
    assert_eq!(said(&world, "drain", &[("NAME", "ends")]), "1\n");
    assert_eq!(ends.rest(), "");
    assert_eq!(said(&world, "machines", &[]), expected("stays"));
    assert_eq!(said(&world, "drain", &[("NAME", "nobody")]), "0\n");
}

fn purged() {
    let world = World::new();
    let machine = machine(&world, &[("TRINE_NAME", "here")]);
    assert_eq!(said(&world, "purge", &[]), "", "there is nothing yet");
    let mut runs = world.caller("held-long");
    assert_eq!(runs.line(), "called");
    wait_until(|| world.notes("began").len() == 1);
    let mut waits = world.caller("held");
    assert_eq!(waits.line(), "called");
    wait_until(|| said(&world, "machines", &[]).starts_with("here: 1 workers, 1 + 0 calls"));
    assert!(super::world::stored(&world.address(), "TRINE_VALUES").0 > 0);
    assert_eq!(said(&world, "purge", &[]), "");
    // A call that has its arguments does not need what was stored.
    world.go();
    assert_eq!((runs.rest(), waits.rest()), ("3000000\n".to_owned(), "7\n".to_owned()));
    // What needs the store makes it anew, in the middle of calls as well.
    assert_eq!(said(&world, "limited", &[]), "1\n");
    let crowd = world.caller("crowd");
    assert_eq!(said(&world, "purge", &[]), "");
    assert!(crowd.rest().trim().parse::<usize>().is_ok());
    assert_eq!(said(&world, "long", &[]), "3000000\n");
    drop(machine);
}
