//! A web service whose handler awaits, in worker processes, a parser that nobody trusts.
//!
//! Whatever the parser does to itself becomes an answer of the service: a crash and a hang have a
//! status of their own, and other clients notice nothing. A client that leaves cancels its call,
//! because axum drops the handler, which drops the task. If too many calls wait already, the next
//! one ends as `Busy`, and its client gets a 503. `--load` plays the clients too.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use lexopt::prelude::*;
use tokio::net::TcpListener;
use trine::{ErrorKind, concurrent};
use trine_programs::load::{self, Load};
use trine_programs::{BadUsage, Failure, number};

const USAGE: &str = "\
service: count words of what clients send, in worker processes

Usage: service [--port N]
       service --load N [--connections N] [--crash-every N]

  --port N         where it listens on loopback; 0 for any (default: 8080)
  --load N         serve on a free port, send N requests, and say what came back
  --connections N  over so many connections (default: 16)
  --crash-every N  every Nth request crashes its worker (default: 0, none)

  curl -d 'some words' localhost:8080/count     # 2
  curl -d '!crash' localhost:8080/count         # 422, the worker died
  curl -d '!hang' localhost:8080/count          # 504, after a second
  256 requests at once, and the next one        # 503";

/// The parser: it counts words well, and has two bugs. At most 256 clients wait for it.
#[concurrent(process, timeout = 1s, memory = 256MiB, limit = 16, queue = 240)]
fn words(text: &str) -> usize {
    match text {
        "!crash" => std::process::abort(),
        "!hang" => loop {
            std::hint::spin_loop();
        },
        text => text.split_whitespace().count(),
    }
}

/// Work that no client waits for.
#[concurrent(threads)]
fn note(length: usize, error: String) {
    eprintln!("{length} bytes: {error}");
}

type Answer = Result<String, (StatusCode, String)>;

async fn count(State(service): State<Arc<Service>>, text: String) -> Answer {
    let error = match words(&text).await {
        Ok(count) => return Ok(format!("{count}\n")),
        Err(error) => error,
    };
    let status = match error.kind() {
        ErrorKind::Busy => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Crashed { .. } | ErrorKind::StackOverflow | ErrorKind::MemoryLimit => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ErrorKind::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    if service.notes && !error.is_busy() {
        note(text.len(), error.to_string()).detach();
    }
    Err((status, format!("{error}\n")))
}

struct Service {
    notes: bool,
}

fn main() -> ExitCode {
    trine_programs::run(USAGE, run)
}

fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let mut port = 8080;
    let mut load = Load { requests: 0, connections: 16, crash_every: 0 };
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("port") => port = number("--port", &mut arguments)?,
            Long("load") => load.requests = number("--load", &mut arguments)?,
            Long("connections") => load.connections = number("--connections", &mut arguments)?,
            Long("crash-every") => load.crash_every = number("--crash-every", &mut arguments)?,
            _ => return Err(argument.unexpected().into()),
        }
    }
    if load.connections == 0 {
        return Err(BadUsage::because("--connections has to be 1 or more"));
    }
    let is_load = load.requests > 0;
    let service = Arc::new(Service { notes: !is_load });
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let port = if is_load { 0 } else { port };
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let router = axum::Router::new().route("/count", post(count)).with_state(service);
        let server = axum::serve(listener, router);
        if is_load {
            let _server = tokio::spawn(server.into_future());
            return load::run(address, load).await;
        }
        println!("listening on {address}; Ctrl-C ends it");
        // Accepts no more connections, and returns when the last handler has ended.
        let ctrl_c = async { _ = tokio::signal::ctrl_c().await };
        server.with_graceful_shutdown(ctrl_c).await?;
        Ok(())
    })?;
    if !trine::drain(Duration::from_secs(10)) {
        eprintln!("some notes were not written");
    }
    Ok(())
}
