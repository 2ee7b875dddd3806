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

#[concurrent(threads, restarts = 3)]
impl Model {
    /// Takes its time: it runs once, and again after a crash.
    pub(crate) fn load(examples: Vec<String>) -> Result<Self, String> {
        if examples.is_empty() {
            return Err("there is nothing to learn from".to_owned());
        }
        println!("loading");
        let mut model = Self { weights: HashMap::new() };
        examples.into_iter().for_each(|example| _ = model.learn(example));
        Ok(model)
    }

    pub(crate) fn rate(&self, text: String) -> i64 {
        self.words(&text).map(|word| self.weights.get(word).copied().unwrap_or(0)).sum()
    }

    /// Gives back how many words are known.
    pub(crate) fn learn(&mut self, text: String) -> usize {
        for word in self.words(&text).map(str::to_owned).collect::<Vec<_>>() {
            assert!(word.len() < 20, "{word:?} is no word");
            *self.weights.entry(word).or_default() += 1;
        }
        self.weights.len()
    }

    /// Private, so it stays a plain method.
    fn words<'a>(&self, text: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        text.split_whitespace()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let examples = ["win money now", "money for free"].map(str::to_owned);
    let model = ModelWorker::load(examples.to_vec());

    // Handles are shared, and calls of all of them run one after the other.
    thread::scope(|scope| {
        for text in ["free money", "see you soon"] {
            let model = model.clone();
            scope.spawn(move || match model.rate(text.to_owned()).join() {
                Ok(points) => println!("{text}: {points}"),
                Err(error) => println!("{text}: {error}"),
            });
        }
    });

    // This one spoils the model in the middle of a change. The calls behind it get a new one.
    let spoils = model.learn(format!("money {}", "a".repeat(20)));
    let after = gather(["money", "free"].map(|word| model.rate(word.to_owned())));
    println!("{}", spoils.join().is_err_and(|error| error.is_panic()));
    println!("{:?} after {} restart", after.join()?, model.restarts());

    let failing = ModelWorker::load(Vec::new());
    println!("{}", failing.rate("money".to_owned()).join().unwrap_err());
    Ok(())
}
