//! Functions on threads: the plain shape, and what patterns and options add to it.
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use trine::concurrent;

/// Docs and attributes stay.
#[concurrent(threads, limit = 4)]
pub fn thumbnail(path: PathBuf, size: u32) -> io::Result<u64> {
    let length = std::fs::metadata(path)?.len();
    Ok(length / u64::from(size))
}

#[concurrent(threads)]
fn tick() {
    println!("tick");
}

#[concurrent(threads)]
fn count(mut from: u32, to: u32) -> u32 {
    from += 1;
    to - from
}

#[concurrent(threads)]
fn distance((x, _): (f64, f64), _: String) -> f64 {
    x
}

#[concurrent(threads, timeout = 1.5s, retries = 3, backoff = 100ms)]
fn fetch(url: String) -> Result<String, String> {
    if url.is_empty() { Err(url) } else { Ok(url) }
}

const PATIENCE: Duration = Duration::from_secs(2);

#[concurrent(threads, timeout = PATIENCE.saturating_mul(2))]
async fn drive(address: String) -> usize {
    std::future::ready(address.len()).await
}

#[concurrent(threads)]
fn largest<T: Ord + Send + 'static, const N: usize>(
    values: [T; N],
    extra: impl Into<T> + Send + 'static,
) -> Option<T> {
    values.into_iter().chain([extra.into()]).max()
}

#[concurrent(threads)]
fn forever() -> ! {
    loop {
        std::thread::park();
    }
}

#[concurrent(threads)]
fn raw(r#type: u32, #[cfg(windows)] handle: u32) -> u32 {
    r#type
}

fn is_transient<T>(outcome: Result<&Result<T, String>, &trine::Error>) -> bool {
    matches!(outcome, Ok(Err(text)) if text == "busy")
}

#[concurrent(threads, retries = 3, retry_if = is_transient::<usize>)]
fn fetch_some(url: String) -> Result<usize, String> {
    Ok(url.len())
}
