//! Workers that only some functions have, such as those of a pool with a name: their attacks harm
//! neither the calls that wait for such a worker nor those of others.

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

#[concurrent(process, fresh, timeout = 1s)]
fn attack_afresh(attack: Attack) -> u32 {
    carry_out(attack)
}

#[concurrent(process, fresh)]
fn fresh(number: u32) -> u32 {
    number * 2
}

#[concurrent(process, memory = 256MiB, timeout = 1s)]
fn attack_limited(attack: Attack) -> u32 {
    carry_out(attack)
}

#[concurrent(process, memory = 256MiB)]
fn limited(number: u32) -> u32 {
    number * 2
}

#[concurrent(process, timeout = 1s)]
fn attack_yielding(attack: Attack) -> impl Iterator<Item = u32> {
    std::iter::once_with(|| carry_out(attack))
}

#[concurrent(process)]
fn yields(number: u32) -> impl Iterator<Item = u32> {
    std::iter::once(number * 2)
}

/// Functions that have workers of their own: how they attack, and how they double a number.
type Kind = (&'static str, fn(Attack) -> Task<u32>, fn(u32) -> Task<u32>);

const KINDS: &[Kind] = &[
    ("a pool", attack_there, behind),
    ("a fresh worker", attack_afresh, fresh),
    ("a worker with a limit", attack_limited, limited),
    (
        "a stream",
        |attack| attack_yielding(attack).gather().map(|items| items.into_iter().sum()),
        |number| yields(number).gather().map(|items| items[0]),
    ),
];

#[test]
fn an_attack_stays_in_its_worker() {
    alone(an_attack_stays_in_its_worker, &[("TRINE_PROCESSES", "1")], || {
        Config::new().pool("attacked", 1).apply().unwrap();
        // In the usual pool, those that only a deadline or a check of idle workers ends take long
        // enough.
        let ends = |attack: &&Attack| {
            use Attack::{AnswerAndSleep, ShutDown, Stop, Tail};
            !matches!(attack, AnswerAndSleep | Tail(_) | Stop | ShutDown(_))
        };
        // Each in the pool, and in one of the others in turn.
        let others = KINDS[1..].iter().cycle();
        let attacks = ATTACKS
            .iter()
            .filter(ends)
            .zip(others)
            .flat_map(|(hostile, other)| [(hostile, &KINDS[0]), (hostile, other)]);
        for (hostile, (kind, attack, double)) in attacks {
            let what = format!("{hostile:?} in {kind}");
            let task = attack(hostile.clone());
            let calls: Vec<Task<u32>> = (0..5).map(double).collect();
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
