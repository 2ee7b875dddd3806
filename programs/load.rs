//! Clients for a service: each keeps one connection open and sends one request after another.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::Failure;

/// How much load, and how bad.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// In total.
    pub requests: usize,
    /// At the same time.
    pub connections: usize,
    /// One request in this many crashes its worker; 0 for none.
    pub crash_every: usize,
}

/// Sends all requests, and prints how many answers of each status came and how long they took.
///
/// # Errors
///
/// When a request gets no answer.
pub async fn run(address: SocketAddr, load: Load) -> Result<(), Failure> {
    let start = Instant::now();
    let clients: Vec<_> =
        (0..load.connections).map(|client| tokio::spawn(send(address, load, client))).collect();
    let mut statuses = BTreeMap::<u16, usize>::new();
    let mut times = Vec::with_capacity(load.requests);
    for client in clients {
        for (status, time) in client.await?? {
            *statuses.entry(status).or_default() += 1;
            times.push(time);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let (requests, connections) = (load.requests, load.connections);
    let rate = requests as f64 / seconds;
    println!("{requests} requests over {connections} connections, {rate:.0} a second");
    for (status, count) in statuses {
        println!("{status}: {count}");
    }
    times.sort_unstable();
    let quantile = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    let [half, most, longest] = [50, 99, 100].map(quantile);
    println!("half within {half:.2} ms, 99 % within {most:.2} ms, all within {longest:.2} ms");
    Ok(())
}

/// Sends every request whose number, modulo the number of clients, is this client's; returns each
/// status and time.
async fn send(address: SocketAddr, load: Load, client: usize) -> io::Result<Vec<(u16, Duration)>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut answers = Vec::new();
    for number in (client..load.requests).step_by(load.connections) {
        let crashes = load.crash_every > 0 && number % load.crash_every == load.crash_every - 1;
        let body = if crashes { "!crash" } else { "four words in all" };
        let length = body.len();
        let request = format!(
            "POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        let start = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        answers.push((answer(&mut stream).await?, start.elapsed()));
    }
    Ok(answers)
}

/// Reads one answer, and returns its status.
async fn answer(stream: &mut BufReader<TcpStream>) -> io::Result<u16> {
    let cut_short = || io::Error::other("the service sent no answer");
    let (mut status, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let line = line.trim_end();
        if status.is_none() {
            let number = line.split(' ').nth(1).and_then(|number| number.parse().ok());
            status = Some(number.ok_or_else(cut_short)?);
        } else if line.is_empty() {
            break;
        } else if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    status.ok_or_else(cut_short)
}
