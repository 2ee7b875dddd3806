//! Workers with state: the type stays as it is, and another one calls its methods.
use std::path::PathBuf;

use trine::concurrent;

pub struct Model {
    weights: Vec<f32>,
}

#[concurrent(threads, restarts = 3, timeout = 5s)]
impl Model {
    const MAX: usize = 100;

    /// Loads it.
    pub fn load(path: PathBuf) -> Result<Self, String> {
        let weights = std::fs::read(path).map_err(|error| error.to_string())?;
        Ok(Self { weights: weights.into_iter().map(f32::from).collect() })
    }

    #[concurrent(timeout = 1s, retries = 2)]
    pub fn predict(&self, input: Vec<f32>) -> Result<f32, String> {
        if input.len() > Self::MAX { Err("too long".into()) } else { Ok(self.weight() * input[0]) }
    }

    pub fn weights(&self) -> impl Iterator<Item = f32> {
        self.weights.iter().copied()
    }

    pub fn merge(&mut self, (other, _): (Self, u8)) {
        self.weights.extend(other.weights);
    }

    fn weight(&self) -> f32 {
        self.weights.iter().sum()
    }
}

pub struct Cache<K, const N: usize>(Vec<K>);

#[concurrent(threads, name = SharedCache)]
impl<K: Eq + Send + 'static, const N: usize> Cache<K, N> {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(N))
    }

    pub(crate) fn sent<T: From<K> + Send + 'static>(&mut self) -> impl futures::Stream<Item = T> {
        futures::stream::iter(self.0.drain(..).map(T::from))
    }

    pub(crate) async fn add<I: Into<K> + Send + 'static>(&mut self, key: I) -> bool {
        self.0.push(key.into());
        std::future::ready(true).await
    }
}

pub struct Connection {
    sent: Vec<String>,
}

#[concurrent(async, restarts = 10, per = 1h)]
impl Connection {
    pub async fn open(address: String) -> std::io::Result<Self> {
        Ok(std::future::ready(Self { sent: vec![address] }).await)
    }

    pub async fn count(&self) -> usize {
        self.sent.len()
    }

    #[concurrent(priority = high)]
    pub async fn send(&mut self, line: String) {
        self.sent.push(line);
    }

    pub fn take(&mut self, most: usize) -> impl futures::Stream<Item = String> {
        futures::stream::iter(self.sent.drain(..most))
    }
}

pub struct Parser {
    depth: usize,
}

#[concurrent(process, memory = 64MiB, restarts = 3)]
impl Parser {
    pub fn new(rules: &str) -> Self {
        Self { depth: rules.len() }
    }

    #[concurrent(timeout = 1s)]
    pub fn parse(&self, text: &str, limits: &[usize]) -> usize {
        text.len() + limits.len() + self.depth
    }

    pub fn learn(&mut self, depth: usize) {
        self.depth = depth;
    }

    #[concurrent(ahead = 16)]
    pub fn words(&self, text: &str) -> impl Iterator<Item = String> {
        text.split(' ').take(self.depth).map(str::to_owned)
    }
}

pub struct Dictionary {
    words: Vec<String>,
}

#[concurrent(process, copies = 2, renew = 1000, name = Dictionaries)]
impl Dictionary {
    pub fn of(text: &str) -> Result<Self, String> {
        Ok(Self { words: text.split(' ').map(str::to_owned).collect() })
    }

    #[concurrent(retries = 2)]
    pub fn position(&self, word: &str) -> Option<usize> {
        self.words.iter().position(|known| known == word)
    }
}
