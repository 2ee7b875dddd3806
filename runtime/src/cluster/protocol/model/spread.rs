//! Over which machines a caller spreads the values of its workers with state, where it hears of
//! others by their news alone: whoever it asks for one is known already.

use super::call::Ending;
use crate::cluster::protocol::{Caller, CallerDeed, Machine, MachineDeed, Terms, ToMachine};

const TERMS: Terms = Terms { lease: 10_000, keep: 60_000, wait: 15_000 };
const LABEL: &str = "gpu";
/// How long a value waits for a machine that keeps fewer, and how often the caller looks.
const ASK: u64 = 500;
const TICK: u64 = 50;

struct Fleet {
    now: u64,
    caller: Caller<u64, Ending>,
    machines: Vec<Machine<u64, Ending>>,
    /// The machine of each value.
    values: Vec<usize>,
    /// Constructors do not come to their end.
    is_slow: bool,
}

impl Fleet {
    fn new() -> Self {
        let mut caller = Caller::new(0, TERMS, 0);
        caller.connected(0);
        Self { now: 0, caller, machines: Vec::new(), values: Vec::new(), is_slow: false }
    }

    fn join(&mut self) {
        let index = self.machines.len() as u64;
        let labels = vec![LABEL.to_owned()];
        let mut machine = Machine::new(index, index << 32, TERMS, labels.clone());
        machine.set_capacity(8);
        self.machines.push(machine);
        self.caller.news(self.now, index, &labels);
    }

    /// Has a value made; returns on which machine, and how long it waited for that.
    fn make(&mut self) -> (usize, u64) {
        let (number, since) = (self.values.len() as u64, self.now);
        self.caller.submit_keeper(since, number, 0, LABEL);
        while self.values.len() as u64 == number {
            self.go_on();
            assert!(self.now - since < 10_000, "it is made nowhere");
        }
        (self.values[number as usize], self.now - since - TICK)
    }

    /// Has the last calls of these sent, which drop them; they take their time.
    fn drop_all(&mut self, values: std::ops::Range<u64>) {
        values.for_each(|home| self.caller.submit_home(1000 + home, 0, home, true));
    }

    fn go_on(&mut self) {
        let Self { now, caller, machines, values, is_slow } = self;
        while let deeds = caller.deeds(*now, 300)
            && !deeds.is_empty()
        {
            for deed in deeds {
                match deed {
                    CallerDeed::Send { machine, message } => {
                        machines[machine as usize].receive(*now, message);
                    }
                    CallerDeed::Seek { open, .. } => {
                        machines[0].receive(*now, ToMachine::Open(open));
                    }
                    CallerDeed::Item { .. } | CallerDeed::Finish { .. } => {}
                }
            }
            for (index, machine) in machines.iter_mut().enumerate() {
                for deed in machine.deeds(*now, 300) {
                    match deed {
                        MachineDeed::Send { message, .. } => caller.receive(*now, message),
                        MachineDeed::Submit { lease, number, home: None, .. } => {
                            values.push(index);
                            if !*is_slow {
                                machine.yielded(lease, number, Ending::Made);
                                machine.pause(lease, number, true);
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
        *now += TICK;
        caller.tick(*now);
        machines.iter_mut().for_each(|machine| machine.tick(*now));
    }

    /// How many of the next values each machine gets.
    fn spread(&mut self, count: usize) -> Vec<usize> {
        let mut got = vec![0; self.machines.len()];
        (0..count).for_each(|_| got[self.make().0] += 1);
        got
    }
}

#[test]
fn values_go_where_fewest_are() {
    let mut fleet = Fleet::new();
    fleet.join();
    assert_eq!(fleet.spread(3), [3]);
    fleet.join();
    assert_eq!(fleet.spread(3), [0, 3]);
    assert_eq!(fleet.spread(6), [3, 3]);
    // Those that are being dropped do not count.
    fleet.drop_all(0..3);
    fleet.go_on();
    assert_eq!(fleet.spread(3), [3, 0]);
}

#[test]
fn a_value_waits_a_little_for_the_machine_that_keeps_fewest() {
    let mut fleet = Fleet::new();
    fleet.join();
    fleet.machines[0].set_capacity(1);
    assert_eq!(fleet.make(), (0, 0));
    fleet.join();
    assert_eq!(fleet.spread(2), [0, 2]);
    // One whose constructor takes long has the only place there.
    fleet.is_slow = true;
    assert_eq!(fleet.make().0, 0);
    fleet.is_slow = false;
    assert_eq!(fleet.make().0, 1);
    assert_eq!(fleet.make(), (1, ASK));
}
