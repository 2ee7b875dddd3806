//! Machines and callers with a net between them, and the time that passes.

use std::collections::{BTreeMap, BTreeSet};

use super::call::{Ending, Truth};
use super::node::{MachineNode, Residents};
use super::numbers::{CallId, method, worker_of};
use super::weather::{Clock, Net, Random, Trouble};
use super::worker::{Served, Worker};
use crate::cluster::protocol::{Caller, Machine, Terms, ToCaller, ToMachine};

const TERMS: Terms = Terms { lease: 10_000, keep: 60_000, wait: 15_000 };
/// How long there is any trouble, and how long until all must have ended.
const TROUBLE: u64 = 80_000;
const END: u64 = 300_000;
const TICK: u64 = 200;

pub(super) enum Node {
    Caller(Box<Caller<u64, Ending>>),
    Machine(Box<MachineNode>),
    Dead,
}

pub(super) struct Place {
    pub(super) node: Node,
    pub(super) clock: Clock,
    pub(super) trouble: Option<(Trouble, u64)>,
}

pub(super) enum Event {
    ToMachine(usize, ToMachine<u64>),
    ToCaller(usize, ToCaller<Ending>),
    Absent(usize),
    Tick(usize),
    Submit(usize, u64),
    Cancel(usize, u64),
    /// The last handle of a worker with state is gone.
    Release(usize, u64),
    /// A caller reads what a call has yielded.
    Read(usize, u64),
    Trouble(usize),
    Kill(usize),
    Drain(usize),
    Join,
    /// The broker is gone for a while, with all that is on its way.
    Outage(u64),
}

pub(super) struct World {
    pub(super) random: Random,
    pub(super) net: Net,
    pub(super) now: u64,
    events: BTreeMap<(u64, u64), Event>,
    events_made: u64,
    /// Callers first, then machines.
    pub(super) places: Vec<Place>,
    pub(super) calls: BTreeMap<CallId, Truth>,
    pub(super) sent: BTreeMap<CallId, BTreeSet<u64>>,
    /// Workers with state.
    pub(super) workers: BTreeMap<CallId, Worker>,
    pub(super) served: Served,
}

impl World {
    pub(super) fn new(mut random: Random) -> Self {
        let net = Net::new(&mut random);
        let mut world = Self {
            random,
            net,
            now: 0,
            events: BTreeMap::new(),
            events_made: 0,
            places: Vec::new(),
            calls: BTreeMap::new(),
            sent: BTreeMap::new(),
            workers: BTreeMap::new(),
            served: Served::default(),
        };
        let callers = 1 + world.random.below(2) as usize;
        for caller in 0..callers {
            let clock = Clock::new(&mut world.random);
            let mut core = Caller::new(caller as u64, TERMS, clock.at(0));
            core.connected(clock.at(0));
            world.places.push(Place { node: Node::Caller(Box::new(core)), clock, trouble: None });
            world.add(0, Event::Tick(caller));
            for number in 0..1 + world.random.below(16) {
                let at = world.random.below(TROUBLE);
                world.calls.insert((caller, number), Truth::default());
                world.add(at, Event::Submit(caller, number));
                if world.random.often(150) {
                    let at = at + world.random.length(20_000);
                    world.add(at, Event::Cancel(caller, number));
                }
            }
            (0..world.random.below(3)).for_each(|worker| world.employ(caller, worker));
        }
        for _ in 0..world.random.below(4) {
            world.join();
        }
        for _ in 0..world.random.below(14) {
            let at = world.random.below(TROUBLE);
            let event = world.trouble();
            world.add(at, event);
        }
        world
    }

    /// A worker with state, with its calls.
    fn employ(&mut self, caller: usize, worker: u64) {
        let restarts = self.random.below(4);
        self.workers.insert((caller, worker), Worker::new(caller, worker, restarts));
        let mut at = 0;
        for index in 0..self.random.below(8) {
            at += self.random.length(20_000);
            let number = method(worker, index);
            self.calls.insert((caller, number), Truth::default());
            self.add(at, Event::Submit(caller, number));
            if self.random.often(100) {
                let at = at + self.random.length(20_000);
                self.add(at, Event::Cancel(caller, number));
            }
        }
        at += self.random.length(20_000);
        self.add(at, Event::Release(caller, worker));
    }

    fn trouble(&mut self) -> Event {
        let place = self.random.below(self.places.len() as u64 + 1) as usize;
        match self.random.below(8) {
            0 => Event::Kill(place),
            1 => Event::Drain(place),
            2 => Event::Join,
            3 => Event::Outage(self.random.length(40_000)),
            _ => Event::Trouble(place),
        }
    }

    fn join(&mut self) {
        let index = self.places.len();
        let clock = Clock::new(&mut self.random);
        let workers = 1 + self.random.below(3) as usize;
        let terms = Terms { lease: 5_000 + self.random.below(10_000), ..TERMS };
        let mut core = Machine::new(index as u64, (index as u64) << 32, terms, Vec::new());
        core.set_capacity(workers as u64 * (1 + self.random.below(3)));
        let (queue, running) = (Vec::new(), BTreeMap::new());
        let (streams, residents) = (BTreeMap::new(), Residents::default());
        let node = MachineNode { core, workers, drains: false, queue, running, streams, residents };
        let node = Node::Machine(Box::new(node));
        self.places.push(Place { node, clock, trouble: None });
        self.add(0, Event::Tick(index));
    }

    pub(super) fn add(&mut self, after: u64, event: Event) {
        self.events_made += 1;
        self.events.insert((self.now + after, self.events_made), event);
    }

    pub(super) fn run(&mut self) {
        while let Some(((at, number), event)) = self.events.pop_first() {
            self.now = at;
            let over = self.now > TROUBLE && self.calls.values().all(Truth::is_over);
            // Goes on for a while after everything is over, so that a call that begins too late is
            // seen.
            if self.now > END || over && self.now > TROUBLE + 80_000 {
                return;
            }
            self.happen(number, event);
        }
    }

    pub(super) fn has(&self, place: usize, trouble: Trouble) -> bool {
        let place = self.places.get(place).and_then(|place| place.trouble);
        place.is_some_and(|(now, until)| now == trouble && self.now < until)
    }

    fn happen(&mut self, number: u64, event: Event) {
        let to = match &event {
            Event::ToMachine(to, _) | Event::ToCaller(to, _) | Event::Absent(to) => Some(*to),
            _ => None,
        };
        let at = match &event {
            Event::Tick(at) => Some(*at),
            Event::Submit(at, _) | Event::Cancel(at, _) | Event::Read(at, _) => Some(*at),
            Event::Release(at, _) => Some(*at),
            _ => to,
        };
        if let Some(at) = at.filter(|at| self.has(*at, Trouble::Stopped)) {
            let (_, until) = self.places[at].trouble.expect("it is stopped");
            // Before what was to happen then: it does nothing in another order.
            self.events.insert((until, number), event);
            return;
        }
        if to.is_some_and(|to| self.has(to, Trouble::Deaf) || self.has(to, Trouble::Cut)) {
            return;
        }
        if let Some(at) = at {
            self.end_trouble(at);
        }
        match event {
            Event::Trouble(place) => self.begin_trouble(place),
            Event::Kill(place) => self.kill(place),
            Event::Join if self.now < TROUBLE => self.join(),
            Event::Join => {}
            Event::Outage(long) => {
                self.events.retain(|_, event| {
                    !matches!(event, Event::ToMachine(..) | Event::ToCaller(..))
                });
                (0..self.places.len()).for_each(|place| self.cut(place, Trouble::Cut, long));
            }
            event => self.happen_to_node(at, event),
        }
    }

    fn happen_to_node(&mut self, at: Option<usize>, event: Event) {
        let index = match (&event, at) {
            (Event::Drain(index), _) => *index,
            (_, Some(index)) => index,
            _ => return,
        };
        let Some(place) = self.places.get_mut(index) else { return };
        let now = place.clock.at(self.now);
        if matches!(event, Event::Tick(_)) {
            self.events_made += 1;
            let event = Event::Tick(index);
            self.events.insert((self.now + TICK, self.events_made), event);
        }
        if let Node::Machine(node) = &mut place.node {
            // Workers wait for nobody: they begin what they may before anything is heard.
            let truth = (&mut self.calls, &mut self.served);
            node.work(self.now, now, &mut self.random, truth);
        }
        match (&mut place.node, event) {
            (Node::Machine(node), Event::ToMachine(_, message)) => node.core.receive(now, message),
            (Node::Machine(node), Event::Drain(_)) => node.drain(),
            (Node::Machine(node), Event::Tick(_)) => node.core.tick(now),
            (Node::Caller(core), Event::ToCaller(_, message)) => core.receive(now, message),
            (Node::Caller(core), Event::Tick(_)) => core.tick(now),
            (Node::Caller(core), Event::Absent(_)) => core.nobody(now, ""),
            (Node::Caller(core), Event::Submit(_, number)) => {
                if let Some(worker) = worker_of(number) {
                    if let Some(worker) = self.workers.get_mut(&(index, worker)) {
                        worker.enter(number);
                    }
                    return self.obey(index);
                }
                let parcel = (index as u64) << 32 | number;
                core.submit(now, number, parcel, "");
            }
            (Node::Caller(core), Event::Read(_, number)) => {
                let call = self.calls.get_mut(&(index, number)).expect("it was made");
                call.read = call.items;
                core.grant(number, call.read);
            }
            (Node::Caller(_), Event::Release(_, worker)) => {
                self.workers.get_mut(&(index, worker)).into_iter().for_each(Worker::close);
            }
            (Node::Caller(core), Event::Cancel(_, number)) => {
                match worker_of(number).and_then(|worker| self.workers.get_mut(&(index, worker))) {
                    None => core.cancel(number),
                    Some(worker) => {
                        if !worker.cancel(number) {
                            core.stop(number);
                        }
                    }
                }
                let call = self.calls.get_mut(&(index, number)).expect("it was made");
                if call.answers.is_empty() {
                    call.cancelled = Some(self.now);
                }
            }
            _ => {}
        }
        self.obey(index);
    }

    fn begin_trouble(&mut self, place: usize) {
        let (trouble, long) = (Trouble::any(&mut self.random), self.random.length(60_000));
        self.cut(place, trouble, long);
    }

    fn cut(&mut self, index: usize, trouble: Trouble, long: u64) {
        let Some(place) = self.places.get_mut(index) else { return };
        if place.trouble.is_some_and(|(_, until)| self.now < until) {
            return;
        }
        place.trouble = Some((trouble, self.now + long));
        if let (Node::Caller(core), Trouble::Cut) = (&mut place.node, trouble) {
            core.disconnected(place.clock.at(self.now));
        }
    }

    fn end_trouble(&mut self, index: usize) {
        let Some(place) = self.places.get_mut(index) else { return };
        if let Some((trouble, until)) = place.trouble
            && self.now >= until
        {
            place.trouble = None;
            if let (Node::Caller(core), Trouble::Cut) = (&mut place.node, trouble) {
                core.connected(place.clock.at(self.now));
            }
        }
    }

    fn kill(&mut self, index: usize) {
        let Some(place) = self.places.get_mut(index) else { return };
        if let Node::Caller(_) = place.node {
            let own = self.calls.iter_mut().filter(|((caller, _), _)| *caller == index);
            own.filter(|(_, call)| !call.is_over()).for_each(|(_, call)| call.orphaned = true);
        }
        place.node = Node::Dead;
    }
}

impl Event {
    pub(super) fn copy(&self) -> Self {
        match self {
            Self::ToMachine(to, message) => Self::ToMachine(*to, message.clone()),
            Self::ToCaller(to, message) => Self::ToCaller(*to, message.clone()),
            _ => Self::Absent(match self {
                Self::Absent(to) => *to,
                _ => unreachable!("only messages are copied"),
            }),
        }
    }
}

impl Place {
    pub(super) fn runs(&self, now: u64, id: CallId) -> bool {
        let Node::Machine(node) = &self.node else { return false };
        node.running.values().any(|(until, call)| *call == id && now < *until)
    }
}
