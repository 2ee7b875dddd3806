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
///A worker with a `Model`, which lives where its methods run: `threads`.
pub(crate) struct ModelWorker<T = Model>(::trine::Worker<T>);
impl ModelWorker<Model> {
    /// Takes its time: it runs once, and again after a crash.
    /**
The value lives in a worker: `threads`, `restarts = 3`.*/
    pub(crate) fn load(examples: Vec<String>) -> Self {
        Self(
            ::trine::threads::worker::<
                Model,
                _,
                _,
                _,
            >(
                {
                    static FUNCTION: ::trine::Function = ::trine::Function::new("load")
                        .restarts(3);
                    &FUNCTION
                },
                (examples,),
                |(examples,): (Vec<String>,)| { Model::load(examples) },
            ),
        )
    }
    /**
Each call runs as a task of the worker: `threads`.*/
    pub(crate) fn rate(&self, text: String) -> ::trine::Task<i64> {
        ::trine::threads::call(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("rate");
                &FUNCTION
            },
            (text,),
            |__this: &Model, (text,): (String,)| -> i64 { Model::rate(__this, text) },
        )
    }
    /// Gives back how many words are known.
    /**
Each call runs as a task of the worker: `threads`.*/
    pub(crate) fn learn(&self, text: String) -> ::trine::Task<usize> {
        ::trine::threads::call_mut(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("learn");
                &FUNCTION
            },
            (text,),
            |__this: &mut Model, (text,): (String,)| -> usize {
                Model::learn(__this, text)
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
    let examples = ["win money now", "money for free"].map(str::to_owned);
    let model = ModelWorker::load(examples.to_vec());
    thread::scope(|scope| {
        for text in ["free money", "see you soon"] {
            let model = model.clone();
            scope
                .spawn(move || match model.rate(text.to_owned()).join() {
                    Ok(points) => println!("{text}: {points}"),
                    Err(error) => println!("{text}: {error}"),
                });
        }
    });
    let spoils = model.learn(format!("money {}", "a".repeat(20)));
    let after = gather(["money", "free"].map(|word| model.rate(word.to_owned())));
    println!("{}", spoils.join().is_err_and(| error | error.is_panic()));
    println!("{:?} after {} restart", after.join() ?, model.restarts());
    let failing = ModelWorker::load(Vec::new());
    println!("{}", failing.rate("money".to_owned()).join().unwrap_err());
    Ok(())
}
