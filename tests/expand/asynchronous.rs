//! Async functions: all arguments are moved in, and `return` knows the declared type.
use std::error::Error;

use trine::concurrent;

#[concurrent(async)]
pub async fn fetch(url: String) -> Result<usize, Box<dyn Error + Send + Sync>> {
    let port: usize = url.parse()?;
    Ok(port)
}

#[concurrent(async)]
async fn tick() {
    println!("tick");
}

#[concurrent(async)]
async fn wait(mut left: u32, _: String, (_, name): (String, String)) -> String {
    left -= 1;
    format!("{name}: {left}")
}

#[concurrent(async, scoped, timeout = 2min)]
async fn borrow<'a>(text: &'a str, word: &str) -> &'a str {
    text.trim_matches(|letter| word.contains(letter))
}
