//! Names that are keywords since edition 2024, in crates of earlier editions: the expansion's own
//! tokens have the edition of the macro.

use concurrency::concurrent;
use serde::{Deserialize, Serialize};

#[concurrent(threads, crate = concurrency)]
fn on_a_thread(gen: u8, (other, _): (u8, u8)) -> u8 {
    gen + other
}

#[concurrent(process, crate = concurrency)]
fn in_a_process(mut gen: u8, text: &str) -> usize {
    gen += 1;
    usize::from(gen) + text.len()
}

#[concurrent(async, crate = concurrency)]
async fn polled(gen: u8) -> u8 {
    gen
}

#[concurrent(threads, scoped, crate = concurrency)]
fn borrowed(gen: &u8) -> &u8 {
    gen
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Method(u8);

impl Method {
    #[concurrent(threads, crate = concurrency)]
    fn gen(self, gen: u8) -> u8 {
        self.0 + gen
    }

    #[concurrent(process, crate = concurrency)]
    fn generated(&self, gen: &u8) -> u8 {
        self.0 + gen
    }
}

pub(crate) struct Sum(u8);

#[concurrent(threads, crate = concurrency)]
impl Sum {
    pub(crate) fn new(gen: u8) -> Self {
        Self(gen)
    }

    pub(crate) fn add(&mut self, gen: u8) -> u8 {
        self.0 += gen;
        self.0
    }
}

#[test]
fn a_parameter_may_be_named_by_a_later_keyword() {
    assert_eq!(on_a_thread(1, (2, 3)).join().unwrap(), 3);
    assert_eq!(in_a_process(1, "text").join().unwrap(), 6);
    assert_eq!(polled(4).join().unwrap(), 4);
    assert_eq!(concurrency::scope(|scope| borrowed(scope, &5).join().copied()).unwrap(), 5);
    assert_eq!(Method(1).gen(2).join().unwrap(), 3);
    assert_eq!(Method(1).generated(&3).join().unwrap(), 4);
    assert_eq!(SumWorker::new(1).add(4).join().unwrap(), 5);
}
