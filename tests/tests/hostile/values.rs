//! A worker with state that attacks, in its constructor and in its methods: its own value may be
//! lost, and nothing else.

use std::thread;
use std::time::Duration;

use trine::{Task, concurrent};

use super::attacks::{ATTACKS, Attack, carry_out, is_told};
use super::{Others, ended, raw};

struct Attacked(u32);

#[concurrent(process, restarts = 1000)]
impl Attacked {
    pub(crate) fn new() -> Self {
        Self(7)
    }
    #[concurrent(timeout = 1s)]
    pub(crate) fn attack(&mut self, attack: Attack) -> u32 {
        carry_out(attack)
    }
    /// Without options, so that calls are sent there behind it.
    pub(crate) fn attack_before_others(&mut self, attack: Attack) -> u32 {
        carry_out(attack)
    }
    pub(crate) fn read(&self) -> u32 {
        self.0
    }
}

struct Liar(u32);

#[concurrent(process, restarts = 1000)]
impl Liar {
    pub(crate) fn new() -> Self {
        Self(7)
    }
    /// Writes one word, or all of them, and stays.
    #[concurrent(timeout = 50ms)]
    pub(crate) fn lie(&mut self, at: Option<usize>, value: u32) -> u32 {
        match at {
            Some(at) => raw::write(raw::Word(at), value),
            None => raw::write_everything(value.into()),
        }
        raw::sleep()
    }
    pub(crate) fn read(&self) -> u32 {
        self.0
    }
}

/// Whoever ends the call sees that its worker lies, and sends it no other.
#[test]
fn a_lie_about_what_runs_costs_the_calls_behind_it_nothing() {
    let words = [(raw::RUNNING, 0), (raw::RUNNING, u32::MAX), (raw::RUNNING_HIGH, u32::MAX)];
    let everything = [0, 1, u32::MAX].map(|value| (None, value));
    for (at, value) in
        words.map(|(word, value)| (Some(word.0), value)).into_iter().chain(everything)
    {
        let liar = LiarWorker::new();
        assert_eq!(liar.read().join().unwrap(), 7);
        let task = liar.lie(at, value);
        let behind: Vec<Task<u32>> = (0..5).map(|_| liar.read()).collect();
        assert!(is_told(&ended("a lie", task).unwrap_err()));
        for read in behind {
            assert_eq!(ended("behind a lie", read).unwrap(), 7, "{value}");
        }
        assert_eq!(liar.restarts(), 1);
    }
}

struct Bred(u32);

/// Each time that it is made it attacks again.
#[concurrent(process, restarts = 3)]
impl Bred {
    pub(crate) fn attacking(attack: Attack) -> Self {
        Self(carry_out(attack))
    }
    pub(crate) fn read(&self) -> u32 {
        self.0
    }
}

/// Those that only a deadline or a check of idle workers ends take long enough elsewhere.
fn ends(attack: &&Attack) -> bool {
    !matches!(attack, Attack::AnswerAndSleep | Attack::Tail(_) | Attack::Stop)
}

fn ends_well_or_is_told<T>(what: &str, task: Task<T>) {
    if let Err(error) = ended(what, task) {
        assert!(is_told(&error), "{what}: {error}");
    }
}

#[test]
fn an_attack_by_a_method_costs_its_own_value_at_most() {
    let (attacked, beside) = (AttackedWorker::new(), AttackedWorker::new());
    for attack in ATTACKS.iter().filter(ends) {
        let what = format!("{attack:?} in a method");
        let task = attacked.attack(attack.clone());
        let behind: Vec<Task<u32>> = (0..5).map(|_| attacked.read()).collect();
        let others = Others::call();
        ends_well_or_is_told(&what, task);
        for read in behind {
            if let Err(error) = ended(&what, read) {
                // Its process ended after it had answered, and before this call began.
                assert!(error.to_string().contains("its value is gone"), "{what}: {error}");
            }
        }
        assert_eq!(ended(&what, beside.read()).unwrap(), 7, "{what}");
        others.check(&what);
    }
    assert_eq!(beside.restarts(), 0);
}

/// Whether it is about calls that a worker has.
fn is_about_calls(attack: &&Attack) -> bool {
    use Attack::*;
    matches!(attack, Word(..) | WordAndAbort(..) | Everything(_) | Status(..) | Number(_))
}

/// What is sent ahead is with the same worker, and so with the same value.
#[test]
fn an_attack_before_calls_that_were_sent_ahead_costs_that_value_s_at_most() {
    let (attacked, beside) = (AttackedWorker::new(), AttackedWorker::new());
    for attack in ATTACKS.iter().filter(is_about_calls) {
        let what = format!("{attack:?} before others");
        assert_eq!(ended(&what, attacked.read()).unwrap(), 7, "{what}");
        let task = attacked.attack_before_others(attack.clone()).timeout(Duration::from_secs(1));
        let behind: Vec<Task<u32>> = (0..5).map(|_| attacked.read()).collect();
        let others = Others::call();
        ends_well_or_is_told(&what, task);
        for read in behind {
            ends_well_or_is_told(&what, read);
        }
        assert_eq!(ended(&what, beside.read()).unwrap(), 7, "{what}");
        others.check(&what);
        attacked.restart();
    }
    assert_eq!(beside.restarts(), 0);
}

#[test]
fn an_attack_by_a_constructor_ends_every_call() {
    // A constructor has no deadline: one that shuts a direction of its socket and sleeps goes on.
    let ends_by_itself = |attack: &&Attack| ends(attack) && !matches!(attack, Attack::ShutDown(_));
    let attacks: Vec<_> = ATTACKS.iter().filter(ends_by_itself).collect();
    // Some take seconds to be found out, in which there is nothing to do.
    for some in attacks.chunks(6) {
        thread::scope(|scope| {
            some.iter().for_each(|attack| drop(scope.spawn(|| attack_in_a_constructor(attack))));
        });
    }
}

fn attack_in_a_constructor(attack: &Attack) {
    let what = format!("{attack:?} in a constructor");
    let bred = BredWorker::attacking(attack.clone());
    let others = Others::call();
    for _ in 0..3 {
        let _ = ended(&what, bred.read());
    }
    others.check(&what);
}
