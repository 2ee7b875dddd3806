//! The service: under load, while it crashes, when too many come, and when it is told to stop.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::common::{check_manners, run};

const SERVICE: &str = env!("CARGO_BIN_EXE_service");

#[test]
fn manners() {
    check_manners(SERVICE);
}

#[test]
fn everybody_is_answered_while_workers_crash() {
    for connections in ["16", "200"] {
        let arguments = ["--load", "1000", "--connections", connections, "--crash-every", "100"];
        let ran = run(SERVICE, &arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.out.contains("\n200: 990\n422: 10\nhalf within "), "{ran:?}");
    }
}

/// A service that runs, and its address.
struct Running {
    program: Child,
    address: String,
}

impl Running {
    fn start() -> Self {
        let mut command = Command::new(SERVICE);
        command.args(["--port", "0"]).env("RUST_BACKTRACE", "0");
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut program = command.spawn().expect("the program starts");
        let mut line = String::new();
        let out = program.stdout.as_mut().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("text");
        let address = line.split([' ', ';']).nth(2).expect("an address").to_owned();
        Self { program, address }
    }

    fn send(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        write!(
            stream,
            "POST /count HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{text}",
            text.len()
        )
        .expect("it reads");
        stream
    }

    fn ask(&self, text: &str) -> Option<(u16, String)> {
        answer(self.send(text))
    }

    /// Told to stop, it does.
    fn stop(mut self) {
        let interrupt = format!("kill -INT {}", self.program.id());
        assert!(Command::new("sh").args(["-c", &interrupt]).status().expect("a shell").success());
        assert!(self.program.wait().expect("it ends").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// The status of an answer, and its text, if there is one before a service must have hung.
fn answer(mut stream: TcpStream) -> Option<(u16, String)> {
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split("\r\n\r\n").nth(1)?.to_owned()))
}

fn answered(status: u16, text: &str) -> Option<(u16, String)> {
    Some((status, text.to_owned()))
}

#[test]
fn each_end_of_a_call_has_a_status() {
    let service = Running::start();
    assert_eq!(service.ask("four words in all"), answered(200, "4\n"));
    let crashed = "task `words` crashed: killed by SIGABRT\n";
    assert_eq!(service.ask("!crash"), answered(422, crashed));
    assert_eq!(service.ask("!hang"), answered(504, "task `words` timed out after 1s\n"));
    service.stop();
}

/// More hang than it has places, which refuses the rest; they leave, which frees the places.
#[test]
fn who_finds_no_place_is_sent_away_until_others_leave() {
    let service = Running::start();
    let (tell, told) = channel();
    let hung: Vec<_> = (0..400).map(|_| service.send("!hang")).collect();
    for stream in &hung {
        let (stream, tell) = (stream.try_clone().expect("a handle"), tell.clone());
        thread::spawn(move || answer(stream).map(|answer| tell.send(answer)));
    }
    drop(tell);
    let refused = told.iter().find(|(status, _)| *status != 504);
    assert_eq!(refused, answered(503, "task `words` was refused: its queue is full\n"));
    hung.iter().for_each(|stream| _ = stream.shutdown(std::net::Shutdown::Both));
    let busy = |answer: &Option<(u16, String)>| matches!(answer, Some((503, _)));
    // Behind those that hang it would be minutes later.
    let answer = std::iter::repeat_with(|| service.ask("two words")).find(|answer| !busy(answer));
    assert_eq!(answer, Some(answered(200, "2\n")));
    service.stop();
}
