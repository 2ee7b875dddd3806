//! What a fleet costs the broker: messages and bytes a second, while nothing goes wrong.
//!
//! `cargo test --release -p trine --features cluster --lib model::cost -- --ignored --nocapture`

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::weather::Random;
use crate::cluster::protocol::{
    Caller, CallerDeed, Machine, MachineDeed, Terms, ToCaller, ToMachine, Weight,
};

const TERMS: Terms = Terms { lease: 10_000, keep: 900_000, wait: 30_000 };
/// Until when callers find their machines, and when counting ends.
const START: u64 = 10_000;
const END: u64 = 30_000;
const WORKERS: u64 = 4;

#[derive(Clone, Copy)]
struct Load {
    machines: u64,
    callers: u64,
    /// How many calls each caller has made at a time.
    at_once: u64,
    /// How long a call runs, and how long a caller waits before its next one.
    runs: u64,
    rests: u64,
}

enum Event {
    ToMachine(u64, ToMachine<u64>),
    ToCaller(u64, ToCaller<u64>),
    Tick(u64),
    Submit(u64),
    Ended(u64, u64, u64),
}

struct Fleet {
    load: Load,
    random: Random,
    now: u64,
    made: u64,
    order: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    machines: Vec<Machine<u64, u64>>,
    callers: Vec<(Caller<u64, u64>, u64)>,
    messages: u64,
    bytes: u64,
    calls: u64,
}

impl Fleet {
    fn new(load: Load) -> Self {
        let machine = |id: u64| {
            let mut machine = Machine::new(id, id << 32, TERMS, Vec::new());
            machine.set_capacity(WORKERS);
            machine
        };
        let caller = |id: u64| {
            let mut caller = Caller::new(id, TERMS, 0);
            caller.connected(0);
            (caller, 0)
        };
        let mut fleet = Self {
            load,
            random: Random::new(1),
            now: 0,
            made: 0,
            order: BinaryHeap::new(),
            events: BTreeMap::new(),
            machines: (0..load.machines).map(machine).collect(),
            callers: (0..load.callers).map(caller).collect(),
            messages: 0,
            bytes: 0,
            calls: 0,
        };
        for caller in 0..load.callers {
            for _ in 0..load.at_once {
                let at = fleet.random.below(load.rests.max(5_000));
                fleet.add(at, Event::Submit(caller));
            }
        }
        for node in 0..load.callers + load.machines {
            let at = fleet.random.below(100);
            fleet.add(at, Event::Tick(node));
        }
        fleet
    }

    fn add(&mut self, after: u64, event: Event) {
        self.made += 1;
        self.order.push(Reverse((self.now + after, self.made)));
        self.events.insert(self.made, event);
    }

    /// A message goes in to the broker and out again, which counts as one.
    fn send(&mut self, weight: usize, event: Event) {
        if self.now >= START {
            self.messages += 1;
            self.bytes += weight as u64;
        }
        self.add(1, event);
    }

    fn run(&mut self) {
        while let Some(Reverse((at, event))) = self.order.pop() {
            self.now = at;
            if at >= END {
                return;
            }
            let event = self.events.remove(&event).expect("it was added");
            self.happen(event);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ToMachine(machine, message) => {
                self.machines[machine as usize].receive(self.now, message);
                self.obey_machine(machine);
            }
            Event::ToCaller(caller, message) => {
                self.callers[caller as usize].0.receive(self.now, message);
                self.obey_caller(caller);
            }
            Event::Tick(node) if node < self.load.callers => {
                self.callers[node as usize].0.tick(self.now);
                self.obey_caller(node);
                self.add(50, Event::Tick(node));
            }
            Event::Tick(node) => {
                let machine = node - self.load.callers;
                self.machines[machine as usize].tick(self.now);
                self.obey_machine(machine);
                self.add(100, Event::Tick(node));
            }
            Event::Submit(caller) => {
                let (core, made) = &mut self.callers[caller as usize];
                *made += 1;
                core.submit(self.now, *made, caller, "");
                self.obey_caller(caller);
            }
            Event::Ended(machine, lease, number) => {
                self.machines[machine as usize].ended(lease, number, number);
                self.obey_machine(machine);
            }
        }
    }

    fn obey_machine(&mut self, machine: u64) {
        for deed in self.machines[machine as usize].deeds(self.now, 100_000) {
            match deed {
                MachineDeed::Send { caller, message } => {
                    self.send(message.weight(), Event::ToCaller(caller, message));
                }
                MachineDeed::Submit { lease, number, .. } => {
                    self.add(self.load.runs, Event::Ended(machine, lease, number));
                }
                _ => {}
            }
        }
    }

    fn obey_caller(&mut self, caller: u64) {
        for deed in self.callers[caller as usize].0.deeds(self.now, 100_000) {
            match deed {
                CallerDeed::Send { machine, message } => {
                    self.send(message.weight(), Event::ToMachine(machine, message));
                }
                CallerDeed::Seek { open, .. } => {
                    let machine = self.random.below(self.load.machines);
                    let message = ToMachine::Open(open);
                    self.send(message.weight(), Event::ToMachine(machine, message));
                }
                CallerDeed::Item { .. } => {}
                CallerDeed::Finish { .. } => {
                    self.calls += u64::from(self.now >= START);
                    self.add(self.load.rests, Event::Submit(caller));
                }
            }
        }
    }
}

#[test]
#[ignore = "minutes without a release build; its figures are in the chapter"]
fn what_a_fleet_costs_the_broker() {
    let idle = Load { machines: 1000, callers: 10_000, at_once: 1, runs: 100, rests: 20_000 };
    let loads = [
        ("a call every twenty seconds each", idle),
        ("a call of 300 ms every two seconds each", Load { runs: 300, rests: 2_000, ..idle }),
        (
            "four calls each, ten times the places",
            Load { at_once: 4, runs: 1_000, rests: 0, ..idle },
        ),
        (
            "100 callers of 1,000 calls",
            Load { callers: 100, at_once: 1_000, runs: 1_000, rests: 0, ..idle },
        ),
    ];
    for (name, load) in loads {
        let mut fleet = Fleet::new(load);
        fleet.run();
        let seconds = (END - START) / 1000;
        let leases: usize = fleet.machines.iter().map(Machine::callers).sum();
        println!(
            "{name}: {} messages and {} kB a second for {} calls a second, {leases} leases",
            fleet.messages / seconds,
            fleet.bytes / seconds / 1000,
            fleet.calls / seconds,
        );
    }
}
