//! Row 17: a service whose handler awaits a `process` call, beside one that runs the body inline.
//! It measures the latency of requests at the 99th percentile.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::blocking::tokio_runtime_with_io;
use crate::harness::{Goal, Row};

/// About 100 µs of computing.
fn score(number: u64) -> u64 {
    (0..100_000).fold(number, |sum, step| std::hint::black_box(sum.rotate_left(5) ^ step))
}

/// The same, except that one call in a hundred crashes its worker.
#[trine::concurrent(process, retries = 9)]
fn score_or_crash(number: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    if now.as_nanos().is_multiple_of(100) {
        std::process::abort();
    }
    score(number)
}

async fn handle(Path(number): Path<u64>) -> Result<String, StatusCode> {
    let score = score_or_crash(number).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(format!("{score:020}"))
}

async fn handle_inline(Path(number): Path<u64>) -> String {
    format!("{:020}", score(number))
}

fn start(runtime: &Runtime, router: Router) -> SocketAddr {
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    })
}

/// Sends one request after another on one connection, and returns how long each took.
async fn ask(address: SocketAddr, numbers: std::ops::Range<u64>) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.expect("the service listens");
    stream.set_nodelay(true).expect("a socket has the option");
    let mut times = Vec::new();
    let mut answer = Vec::new();
    for number in numbers {
        let began = Instant::now();
        let request = format!("GET /{number} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("the service reads");
        answer.clear();
        let body = loop {
            let read = stream.read_buf(&mut answer).await.expect("the service writes");
            assert!(read > 0, "request {number} was lost");
            let head = answer.windows(4).position(|end| end == b"\r\n\r\n");
            if let Some(head) = head.filter(|head| answer.len() == head + 4 + 20) {
                break &answer[head + 4..];
            }
        };
        times.push(began.elapsed());
        // Checking every answer would be a load of its own.
        if number % 64 == 0 {
            assert_eq!(body, format!("{:020}", score(number)).as_bytes());
        }
    }
    times
}

const REQUESTS: u64 = 4_000;

/// The 99th percentile.
fn latency(runtime: &Runtime, address: SocketAddr, connections: u64) -> Duration {
    let each = REQUESTS / connections;
    let mut times = runtime.block_on(async {
        let ask = |index| tokio::spawn(ask(address, index * each..(index + 1) * each));
        let all: Vec<_> = (0..connections).map(ask).collect();
        let mut times = Vec::new();
        for connection in all {
            times.extend(connection.await.expect("no request is lost"));
        }
        times
    });
    times.sort();
    times[times.len() * 99 / 100]
}

fn row(workload: &'static str, connections: u64) -> Row {
    let (ours, theirs) = (tokio_runtime_with_io(), tokio_runtime_with_io());
    let address = start(&ours, Router::new().route("/{number}", get(handle)));
    let inline = start(&theirs, Router::new().route("/{number}", get(handle_inline)));
    Row::new("17", workload)
        .rounds(7)
        .self_timed("trine process", move || latency(&ours, address, connections))
        .self_timed("body inline", move || latency(&theirs, inline, connections))
        .goal(Goal::Time("body inline", 3.0))
}

pub(crate) fn few() -> Row {
    row("axum handler, 16 connections, 1 % of the workers crash, p99", 16)
}

pub(crate) fn many() -> Row {
    row("axum handler, 200 connections, 1 % of the workers crash, p99", 200)
}
