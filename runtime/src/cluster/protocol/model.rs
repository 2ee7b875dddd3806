//! The protocol in random weather: messages that get lost, come late or twice; machines, callers
//! and the broker that go away, are stopped, and come back; clocks that disagree.
//!
//! Everything follows from one seed, so that a schedule that fails can be run again:
//! `TRINE_SEED=… cargo test -p trine --features cluster --lib protocol::model`. `TRINE_SCHEDULES`
//! says how many are run.

mod call;
mod cost;
mod deeds;
mod node;
mod numbers;
mod spread;
mod weather;
mod worker;
mod world;

use self::weather::Random;
use self::world::World;

const SCHEDULES: u64 = 1_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn every_call_has_one_answer_and_none_runs_twice_or_after_it() {
    let seeds = match number("TRINE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRINE_SCHEDULES").unwrap_or(SCHEDULES),
    };
    let mut seen = call::Seen::default();
    for seed in seeds {
        let mut world = World::new(Random::new(seed));
        world.run();
        if let Err(broken) = world.judge(&mut seen) {
            panic!("schedule {seed}: {broken}");
        }
    }
    println!("{seen:?}");
    if number("TRINE_SEED").is_none() {
        assert!(seen.is_varied(), "the weather is too fair: {seen:?}");
    }
}
