//! The worker of a pool with a name: its attacks harm neither the calls that wait for that pool nor
//! those of others.

use trine::{Config, Task, concurrent};
use trine_tests::programs::alone;

use super::attacks::{ATTACKS, Attack, carry_out, is_told};
use super::{Others, ended};

#[concurrent(process, pool = "attacked", timeout = 1s)]
fn attack_there(attack: Attack) -> u32 {
    carry_out(attack)
}

#[concurrent(process, pool = "attacked")]
fn behind(number: u32) -> u32 {
    number * 2
}

#[test]
fn an_attack_stays_in_its_pool() {
    alone(an_attack_stays_in_its_pool, &[("TRINE_PROCESSES", "1")], || {
        Config::new().pool("attacked", 1).apply().unwrap();
        // In the usual pool, those that only a deadline or a check of idle workers ends take long
        // enough.
        let ends = |attack: &&Attack| {
            use Attack::{AnswerAndSleep, ShutDown, Stop, Tail};
            !matches!(attack, AnswerAndSleep | Tail(_) | Stop | ShutDown(_))
        };
        for hostile in ATTACKS.iter().filter(ends) {
            let what = format!("{hostile:?} in a pool");
            let task = attack_there(hostile.clone());
            let calls: Vec<Task<u32>> = (0..20).map(behind).collect();
            let others = Others::call();
            if let Err(error) = ended(&what, task) {
                assert!(is_told(&error), "{what}: {error}");
            }
            for (number, call) in (0..).zip(calls) {
                assert_eq!(ended(&what, call).unwrap(), number * 2, "{what}");
            }
            others.check(&what);
        }
    });
}
