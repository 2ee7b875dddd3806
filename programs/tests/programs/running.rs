//! A service that runs, and what it answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A service that runs, and its address.
pub(crate) struct Running {
    program: Child,
    address: String,
}

impl Running {
    pub(crate) fn start(service: &str) -> Self {
        let mut command = Command::new(service);
        command.args(["--port", "0"]).env("RUST_BACKTRACE", "0");
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut program = command.spawn().expect("the program starts");
        let mut line = String::new();
        let out = program.stdout.as_mut().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("text");
        let address = line.split([' ', ';']).nth(2).expect("an address").to_owned();
        Self { program, address }
    }

    pub(crate) fn send(&self, path: &str, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{text}",
            text.len()
        )
        .expect("it reads");
        stream
    }

    pub(crate) fn ask(&self, path: &str, text: &str) -> Option<(u16, String)> {
        answer(self.send(path, text))
    }

    /// Told to stop, it does.
    pub(crate) fn stop(mut self) {
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
pub(crate) fn answer(mut stream: TcpStream) -> Option<(u16, String)> {
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split("\r\n\r\n").nth(1)?.to_owned()))
}

pub(crate) fn answered(status: u16, text: &str) -> Option<(u16, String)> {
    Some((status, text.to_owned()))
}
