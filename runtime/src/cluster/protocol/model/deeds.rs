//! What nodes want done, and what is true at the end.

use super::call::{Answer, Ending, Seen, Truth};
use super::numbers::{home_of, is_drop, is_value, worker_of};
use super::weather::Trouble;
use super::world::{Event, Node, Place, World};
use crate::cluster::protocol::{CallerDeed, End, MachineDeed, ToMachine};

impl World {
    /// Does what the node at a place wants done.
    pub(super) fn obey(&mut self, index: usize) {
        let place = &mut self.places[index];
        let now = place.clock.at(self.now);
        match &mut place.node {
            Node::Dead => {}
            Node::Caller(_) => loop {
                self.go_on(index);
                let Node::Caller(core) = &mut self.places[index].node else { return };
                let deeds = core.deeds(now, 300);
                if deeds.is_empty() {
                    return;
                }
                deeds.into_iter().for_each(|deed| self.obey_caller(index, deed));
            },
            Node::Machine(node) => {
                let truth = (&mut self.calls, &mut self.served);
                node.work(self.now, now, &mut self.random, truth);
                let deeds = node.core.deeds(now, 300);
                for deed in deeds {
                    if let MachineDeed::Send { caller, message } = deed {
                        if self.net.refuses(&mut self.random) {
                            if let Node::Machine(node) = &mut self.places[index].node {
                                node.core.break_off(message.lease());
                            }
                            continue;
                        }
                        self.send(index, Event::ToCaller(caller as usize, message));
                    } else if let Node::Machine(node) = &mut self.places[index].node {
                        node.obey(deed);
                    }
                }
            }
        }
    }

    fn obey_caller(&mut self, index: usize, deed: CallerDeed<u64, Ending>) {
        match deed {
            CallerDeed::Send { machine, message } => {
                if self.net.refuses(&mut self.random)
                    && let (Node::Caller(core), Some(lease)) =
                        (&mut self.places[index].node, message.lease())
                {
                    return core.break_off(lease);
                }
                if let ToMachine::Packet { orders, .. } = &message {
                    for order in orders {
                        if let crate::cluster::protocol::Order::Call { number, .. } = order {
                            self.sent.entry((index, *number)).or_default().insert(machine);
                        }
                    }
                }
                self.send(index, Event::ToMachine(machine as usize, message));
            }
            CallerDeed::Seek { open, .. } => {
                let is_there = |place: &Place| match &place.node {
                    Node::Machine(node) => !node.drains,
                    _ => false,
                };
                let there = self.places.iter().enumerate().filter(|(_, place)| is_there(place));
                let there: Vec<_> = there.map(|(machine, _)| machine).collect();
                if there.is_empty() {
                    return self.send(index, Event::Absent(index));
                }
                let machine = there[self.random.below(there.len() as u64) as usize];
                self.send(index, Event::ToMachine(machine, ToMachine::Open(open)));
            }
            CallerDeed::Item { number, item } if is_value(number) => {
                let worker = worker_of(number).and_then(|w| self.workers.get_mut(&(index, w)));
                worker.into_iter().for_each(|worker| worker.hear(number, item));
            }
            CallerDeed::Item { number, item } => {
                let Ending::Item(item) = item else { panic!("{item:?} is no item") };
                let call = self.calls.get_mut(&(index, number)).expect("it was made");
                if worker_of(number).is_some() && call.cancelled.is_some() {
                    // It has its turn until it has ended there.
                    return;
                }
                call.take_item(self.now, item);
                let after = self.random.length(5_000);
                self.add(after, Event::Read(index, number));
            }
            CallerDeed::Finish { number, end } => self.finish(index, number, end),
        }
    }

    /// A call has ended, or a turn.
    fn finish(&mut self, index: usize, number: u64, end: End<Ending>) {
        let worker = worker_of(number).and_then(|w| self.workers.get_mut(&(index, w)));
        if let Some(worker) = worker {
            let comes_back = matches!(end, End::Returned)
                && self.calls.get(&(index, number)).is_some_and(|call| !call.is_over());
            if matches!(end, End::Returned) {
                let home = worker.home();
                worker.lose(home);
                if let Node::Caller(core) = &mut self.places[index].node {
                    core.cancel(home);
                }
            }
            worker.lose(if is_drop(number) { home_of(number) } else { number });
            worker.pass_on(number, comes_back);
            let is_answered = self.calls.get(&(index, number)).is_none_or(Truth::is_over);
            if comes_back || is_answered {
                return;
            }
        }
        let has_all = self.calls[&(index, number)].has_all(number);
        let answer = match end {
            End::Unwanted(_) => return,
            End::Ended(Ending::Done(value)) if value == number && has_all => Answer::Done,
            End::Ended(_) | End::Lost => Answer::Lost,
            End::Nobody(_) | End::Returned => Answer::Nobody,
        };
        let id = (index, number);
        let runs = self.places.iter().enumerate().any(|(machine, place)| {
            !self.has(machine, Trouble::Stopped) && place.runs(self.now, id)
        });
        let call = self.calls.get_mut(&id).expect("it was made");
        call.answer(self.now, answer, runs);
    }

    fn send(&mut self, from: usize, event: Event) {
        if self.has(from, Trouble::Mute) {
            return;
        }
        // What is sent without a connection goes out when there is one, or never.
        let wait = match self.places[from].trouble {
            Some((Trouble::Cut, until)) if self.now < until => until - self.now,
            _ => 0,
        };
        let arrivals = self.net.arrivals(&mut self.random);
        for after in arrivals {
            self.add(wait + after, event.copy());
        }
    }

    pub(super) fn judge(&self, seen: &mut Seen) -> Result<(), String> {
        for (id, call) in &self.calls {
            call.judge(seen).map_err(|broken| format!("call {id:?} {broken}"))?;
            seen.moved += u64::from(self.sent.get(id).is_some_and(|sent| sent.len() > 1));
        }
        for worker in self.workers.values() {
            (seen.left, seen.made_anew) =
                (seen.left + worker.moved, seen.made_anew + worker.anew());
            seen.unmade += worker.unmade;
            seen.called_off += u64::from(worker.called_off);
        }
        if let Some(broken) = &self.served.broken {
            return Err(broken.clone());
        }
        (0..self.places.len()).try_for_each(|place| self.is_clear(place))
    }

    /// Whether a machine keeps only values that somebody still has.
    fn is_clear(&self, machine: usize) -> Result<(), String> {
        let Node::Machine(node) = &self.places[machine].node else { return Ok(()) };
        if self.has(machine, Trouble::Stopped) {
            return Ok(());
        }
        for (&(_, home), &caller) in &node.residents.values {
            let is_alive = matches!(self.places[caller].node, Node::Caller(_));
            let worker = worker_of(home).and_then(|worker| self.workers.get(&(caller, worker)));
            let is_held = worker.is_some_and(|worker| worker.has_value() && worker.home() == home);
            if !(is_alive && is_held) {
                return Err(format!("value {home:x} of caller {caller} is left on {machine}"));
            }
        }
        Ok(())
    }

    /// The workers of a caller go on; those of whom nobody will serve a call end it.
    fn go_on(&mut self, caller: usize) {
        let Place { node, clock, .. } = &mut self.places[caller];
        let (now, Node::Caller(core)) = (clock.at(self.now), node) else { return };
        for (&(_, _), worker) in self.workers.range_mut((caller, 0)..(caller + 1, 0)) {
            for number in worker.go_on(now, core) {
                let call = self.calls.get_mut(&(caller, number)).expect("it was made");
                if !call.is_over() {
                    call.answer(self.now, Answer::Nobody, false);
                }
            }
        }
    }
}
