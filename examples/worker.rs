//! A model that is loaded once and asked by several threads, with one crash in the middle.
//!
//! In Python this is a pool of one worker with an initializer and a global, or an actor of Ray:
//!
//! ```python
//! @ray.remote(max_restarts=3)
//! class Model:
//!     def __init__(self, path): self.words = load(path)
//!     def rate(self, text): ...
//!
//! model = Model.remote(path)
//! ray.get([model.rate.remote(text) for text in texts])
//! ```

use std::collections::HashMap;
use std::thread;

use trine::{concurrent, gather};

/// How often each word was in texts that are spam.
struct Model {
    weights: HashMap<String, i64>,
}

/// It lives in a process of its own: whatever a call does there ends this value and nothing else.
#[concurrent(process, memory = 1GiB, restarts = 3)]
impl Model {
    /// Takes its time: it runs once, and again after a crash.
    pub(crate) fn load(examples: &[String]) -> Result<Self, String> {
        if examples.is_empty() {
            return Err("there is nothing to learn from".to_owned());
        }
        println!("loading");
        let mut model = Self { weights: HashMap::new() };
        examples.iter().for_each(|example| _ = model.learn(example));
        Ok(model)
    }

    #[concurrent(timeout = 10s)]
    pub(crate) fn rate(&self, text: &str) -> i64 {
        text.split_whitespace().map(|word| self.weight(word)).sum()
    }

    /// Gives back how many words are known.
    pub(crate) fn learn(&mut self, text: &str) -> usize {
        for word in text.split_whitespace() {
            if word.len() > 20 {
                // As a library in C does that writes past the end of its buffer.
                std::process::abort();
            }
            *self.weights.entry(word.to_owned()).or_default() += 1;
        }
        self.weights.len()
    }

    /// The words that are in so many texts, as they are found.
    pub(crate) fn known(&self, least: i64) -> impl Iterator<Item = String> {
        self.weights
            .iter()
            .filter(move |(_, weight)| **weight >= least)
            .map(|(word, _)| word.clone())
    }

    /// Private, so it stays a plain method.
    fn weight(&self, word: &str) -> i64 {
        self.weights.get(word).copied().unwrap_or(0)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = ModelWorker::load(&["win money now", "money for free"].map(str::to_owned));

    // Handles are shared, and calls of all of them run one after the other.
    thread::scope(|scope| {
        for text in ["free money", "see you soon"] {
            let model = model.clone();
            scope.spawn(move || match model.rate(text).join() {
                Ok(points) => println!("{text}: {points}"),
                Err(error) => println!("{text}: {error}"),
            });
        }
    });

    // This one ends the process in the middle of a change. The calls behind it get a new value.
    let crash = model.learn(&format!("money {}", "a".repeat(21)));
    let after = gather(["money", "free"].map(|word| model.rate(word)));
    println!("{}", crash.join().unwrap_err());
    println!("{:?} after {} restart", after.join()?, model.restarts());
    for word in model.known(2) {
        println!("often: {}", word?);
    }

    let failing = ModelWorker::load(&[]);
    println!("{}", failing.rate("money").join().unwrap_err());
    Ok(())
}
