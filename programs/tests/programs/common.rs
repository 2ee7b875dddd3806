//! Helpers: running a program, a folder for its files, and a small site on loopback.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A program's output and exit code.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn run(program: &str, arguments: &[&str]) -> Ran {
    run_with(&[], program, arguments)
}

/// The same with these variables set.
pub(crate) fn run_with(variables: &[(&str, &Path)], program: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new(program);
    command.args(arguments).envs(variables.iter().copied());
    for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    // Without this, a worker at its memory limit would spend its time on a backtrace.
    command.env("RUST_BACKTRACE", "0");
    let output = command.output().expect("the program starts");
    Ran {
        code: output.status.code().expect("the program exits by itself"),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

/// `--help` prints to standard output; nonsense is reported on standard error, with exit code 2.
pub(crate) fn check_manners(program: &str) {
    let help = run(program, &["--help"]);
    assert_eq!(help.code, 0);
    assert!(help.out.contains("Usage: "), "{help:?}");
    let nonsense = run(program, &["--nonsense"]);
    assert_eq!(nonsense.code, 2);
    assert!(nonsense.err.contains("--nonsense"), "{nonsense:?}");
}

/// An empty folder for this test alone.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

/// How a page responds.
#[derive(Clone)]
pub(crate) enum Answer {
    Page(&'static str),
    Status(u16),
    /// This many failures first, then a page.
    After(usize, &'static str),
    /// Accepts the request and never answers.
    Never,
}

/// A site on loopback that lives as long as the test.
pub(crate) struct Site {
    pub(crate) address: String,
    requests: Arc<AtomicUsize>,
}

impl Site {
    pub(crate) fn start(pages: &[(&'static str, Answer)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = format!("http://{}", listener.local_addr().expect("it is bound"));
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        let pages = Arc::new(Mutex::new(HashMap::from_iter(pages.iter().cloned())));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::Relaxed);
                let pages = Arc::clone(&pages);
                thread::spawn(move || answer(stream, &pages));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

fn answer(mut stream: TcpStream, pages: &Mutex<HashMap<&str, Answer>>) {
    let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let path = request.split([' ', '?']).nth(1).unwrap_or_default();
    let mut pages = pages.lock().expect("no answer panics");
    let (status, body) = match pages.get_mut(path) {
        Some(Answer::Page(body)) => (200, *body),
        Some(Answer::Status(status)) => (*status, ""),
        Some(Answer::After(0, body)) => (200, *body),
        Some(Answer::After(failures, _)) => {
            *failures -= 1;
            (503, "")
        }
        Some(Answer::Never) => {
            drop(pages);
            // Until the client gives up.
            let _ = stream.read(&mut [0]);
            return;
        }
        None => (404, ""),
    };
    drop(pages);
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status} \r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
}
