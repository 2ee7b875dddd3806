//! Functions that yield: the items leave one by one, and `impl Trait` stays where the body runs.
use futures::Stream;
use trine::concurrent;

#[concurrent(threads, ahead = 16)]
pub fn numbers(most: u64) -> impl Iterator<Item = u64> {
    0..most
}

#[concurrent(async)]
pub fn relayed(most: u64) -> impl Stream<Item = Result<u64, trine::Error>> {
    numbers(most)
}

#[derive(serde::Serialize, serde::Deserialize)]
pub struct Book {
    lines: Vec<String>,
}

impl Book {
    #[concurrent(process, timeout = 5s)]
    pub fn search(self, word: String) -> impl Iterator<Item = String> {
        self.lines.into_iter().filter(move |line| line.contains(&word))
    }

    #[concurrent(threads)]
    pub fn words(self, (least, _): (usize, usize)) -> impl Iterator<Item = String> {
        self.lines.into_iter().filter(move |line| line.len() >= least)
    }
}
