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
    pub(crate) fn rate(&self, text: &str) -> i64 {
        text.split_whitespace().map(|word| self.weight(word)).sum()
    }
    /// Gives back how many words are known.
    pub(crate) fn learn(&mut self, text: &str) -> usize {
        for word in text.split_whitespace() {
            if word.len() > 20 {
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
/// It lives in a process of its own: whatever a call does there ends this value and nothing else.
/**
A worker with a `Model`, which lives where its methods run: `process`, `memory = 1GiB`, `restarts = 3`.*/
pub(crate) struct ModelWorker<T = Model>(::trine::Worker<T>);
impl ModelWorker<Model> {
    /// Takes its time: it runs once, and again after a crash.
    /**
The value lives in a worker: `process`, `memory = 1GiB`, `restarts = 3`.*/
    pub(crate) fn load(examples: &[String]) -> Self {
        Self(
            ::trine::process::worker::<
                Model,
                _,
                _,
                _,
            >(
                {
                    static FUNCTION: ::trine::Function = ::trine::Function::new("load")
                        .memory(1 << 30)
                        .restarts(3);
                    &FUNCTION
                },
                (examples,),
                |(examples,): (::trine::process::Owned<[String]>,)| {
                    Model::load(&examples)
                },
            ),
        )
    }
    /**
Each call runs as a task of the worker: `process`, `timeout = 10s`.*/
    pub(crate) fn rate(&self, text: &str) -> ::trine::Task<i64> {
        ::trine::process::call(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("rate")
                    .timeout(::core::time::Duration::from_secs(10));
                &FUNCTION
            },
            (text,),
            |__this: &Model, (text,): (::trine::process::Owned<str>,)| -> i64 {
                Model::rate(__this, &text)
            },
        )
    }
    /// Gives back how many words are known.
    /**
Each call runs as a task of the worker: `process`.*/
    pub(crate) fn learn(&self, text: &str) -> ::trine::Task<usize> {
        ::trine::process::call_mut(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("learn");
                &FUNCTION
            },
            (text,),
            |__this: &mut Model, (text,): (::trine::process::Owned<str>,)| -> usize {
                Model::learn(__this, &text)
            },
        )
    }
    /// The words that are in so many texts, as they are found.
    /**
Each call runs as a task of the worker: `process`.*/
    pub(crate) fn known(&self, least: i64) -> ::trine::Stream<String> {
        ::trine::process::call_stream(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("known");
                &FUNCTION
            },
            (least,),
            |__this: &Model, (least,): (i64,), __outlet| {
                __outlet.all(Model::known(__this, least))
            },
        )
    }
}
impl ::core::clone::Clone for ModelWorker<Model> {
    fn clone(&self) -> Self {
        Self(::core::clone::Clone::clone(&self.0))
    }
}
impl ::core::fmt::Debug for ModelWorker<Model> {
    fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        ::core::fmt::Debug::fmt(&self.0, formatter)
    }
}
impl ::core::ops::Deref for ModelWorker<Model> {
    type Target = ::trine::Worker<Model>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = ModelWorker::load(
        &["win money now", "money for free"].map(str::to_owned),
    );
    thread::scope(|scope| {
        for text in ["free money", "see you soon"] {
            let model = model.clone();
            scope
                .spawn(move || match model.rate(text).join() {
                    Ok(points) => println!("{text}: {points}"),
                    Err(error) => println!("{text}: {error}"),
                });
        }
    });
    let crash = model.learn(&format!("money {}", "a".repeat(21)));
    let after = gather(["money", "free"].map(|word| model.rate(word)));
    println!("{}", crash.join().unwrap_err());
    println!("{:?} after {} restart", after.join() ?, model.restarts());
    for word in model.known(2) {
        println!("often: {}", word ?);
    }
    let failing = ModelWorker::load(&[]);
    println!("{}", failing.rate("money").join().unwrap_err());
    Ok(())
}
