//! Functions in worker processes: one word differs from threads, and references are lent.
use std::path::Path;

use trine::concurrent;

#[concurrent(process)]
pub fn parse(text: String, radix: u32) -> Option<u32> {
    u32::from_str_radix(&text, radix).ok()
}

#[concurrent(process)]
fn search(folder: &Path, words: &[String], limit: usize) -> usize {
    words.iter().filter(|word| folder.join(word).exists()).take(limit).count()
}

#[concurrent(process, memory = 512MiB, fresh, retries = 2)]
fn render(page: &str) -> Result<usize, String> {
    if page.is_empty() { Err(page.to_owned()) } else { Ok(page.len()) }
}

#[concurrent(process, local)]
async fn drive(name: &str) -> usize {
    std::future::ready(name.len()).await
}

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Grid {
    cells: Vec<u8>,
}

impl Grid {
    #[concurrent(process)]
    pub fn sum(&self, weight: u64) -> u64 {
        self.cells.iter().map(|cell| u64::from(*cell) * weight).sum()
    }
}

/// A trait may mark what it declares, or write `-> trine::Task<u64>` itself.
pub trait Area {
    #[concurrent(process)]
    fn area(&self, scale: u64) -> u64;
}

impl Area for Grid {
    #[concurrent(process, timeout = 5s)]
    fn area(&self, scale: u64) -> u64 {
        self.cells.len() as u64 * scale
    }
}

#[concurrent(process, limit = 2, queue = 100, pool = "images", priority = low)]
fn shrink(width: u32) -> u32 {
    width / 8
}
