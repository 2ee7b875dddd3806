//! User code of workers with state: what makes the value, its methods, its destructor, and how the
//! error of a constructor is shown.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use trine::{Error, Task};

use super::{Deed, contained, everywhere, in_turn};

/// Where the deed is done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Spot {
    Constructor,
    ErrorOfConstructor,
    Look,
    Change,
    DropOfValue,
    CloneOfArguments,
    DropOfArguments,
    /// On the way there and back.
    Serialize,
    Deserialize,
}

const SPOTS: &[Spot] = &[
    Spot::Constructor,
    Spot::ErrorOfConstructor,
    Spot::Look,
    Spot::Change,
    Spot::DropOfValue,
    Spot::CloneOfArguments,
    Spot::DropOfArguments,
    Spot::Serialize,
    Spot::Deserialize,
];

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Plan(Spot, Deed);

impl Plan {
    fn act(self, here: Spot) {
        let Self(spot, deed) = self;
        if spot == here && !std::thread::panicking() {
            deed.done();
        }
    }
}

struct Arguments(Plan);

impl Clone for Arguments {
    fn clone(&self) -> Self {
        self.0.act(Spot::CloneOfArguments);
        Self(self.0)
    }
}

impl Drop for Arguments {
    fn drop(&mut self) {
        self.0.act(Spot::DropOfArguments);
    }
}

impl Serialize for Arguments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.act(Spot::Serialize);
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let plan = Plan::deserialize(deserializer)?;
        plan.act(Spot::Deserialize);
        Ok(Self(plan))
    }
}

struct Refused(Plan);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.act(Spot::ErrorOfConstructor);
        f.write_str("refused")
    }
}

struct Value(Plan);

impl Value {
    fn made(arguments: &Arguments) -> Result<Self, Refused> {
        arguments.0.act(Spot::Constructor);
        match arguments.0 {
            Plan(Spot::ErrorOfConstructor, _) => Err(Refused(arguments.0)),
            plan => Ok(Self(plan)),
        }
    }

    fn does(&self, here: Spot, arguments: &Arguments) -> Arguments {
        self.0.act(here);
        Arguments(arguments.0)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.0.act(Spot::DropOfValue);
    }
}

macro_rules! worker {
    ($module:ident, $mode:ident, $($async:ident)?; [$($by:tt)*] $($options:tt)*) => {
        mod $module {
            use super::{Arguments, Plan, Refused, Spot, Value};
            use trine::concurrent;

            pub(super) struct Keeper(Value);

            #[concurrent($mode, restarts = 2 $($options)*)]
            impl Keeper {
                pub(super) $($async)? fn new(arguments: Arguments) -> Result<Self, Refused> {
                    Value::made(&arguments).map(Self)
                }
                pub(super) $($async)? fn look(&self, arguments: Arguments) -> Arguments {
                    self.0.does(Spot::Look, &arguments)
                }
                pub(super) $($async)? fn change($($by)* self, arguments: Arguments) -> Arguments {
                    self.0.does(Spot::Change, &arguments)
                }
            }

            pub(super) fn calls(plan: Plan) -> super::Calls {
                let worker = KeeperWorker::new(Arguments(plan));
                let (look, change, restart) = (worker.clone(), worker.clone(), worker.clone());
                super::Calls {
                    look: Box::new(move || look.look(Arguments(plan))),
                    change: Box::new(move || change.change(Arguments(plan))),
                    restart: Box::new(move || restart.restart()),
                    stop: Box::new(move || worker.stop()),
                }
            }
        }
    };
}

worker!(threads, threads,; [&mut]);
worker!(process, process,; [&mut]);
worker!(asynchronous, async, async; [&mut]);
worker!(threads_copies, threads,; [&], copies = 2);
worker!(process_copies, process,; [&], copies = 2, renew = 2);
worker!(asynchronous_copies, async, async; [&], copies = 2);

type New = fn(Plan) -> Calls;

/// One value, and copies, which in `process` are renewed as well. Of copies no method changes one.
/// Each value of `process` takes a process, and so its time.
fn workers(mode: &str, deed: Deed) -> &'static [New] {
    const IN_PROCESSES: &[New] = &[process::calls, process_copies::calls];
    match mode {
        "threads" => &[threads::calls, threads_copies::calls],
        "process" if matches!(deed, Deed::Panics | Deed::Joins) => IN_PROCESSES,
        "process" => &IN_PROCESSES[..1],
        _ => &[asynchronous::calls, asynchronous_copies::calls],
    }
}

struct Calls {
    look: Box<dyn Fn() -> Task<Arguments>>,
    change: Box<dyn Fn() -> Task<Arguments>>,
    restart: Box<dyn Fn()>,
    stop: Box<dyn Fn()>,
}

/// The value, or an error that says whose fault it is.
fn check(result: Result<Arguments, Error>, plan: Plan) {
    let told = match &result {
        Ok(Arguments(Plan(spot, _))) => *spot == plan.0,
        Err(error) if error.is_stopped() => true,
        Err(error) if plan.0 == Spot::ErrorOfConstructor => {
            plan.1.panics() || error.to_string().contains("refused")
        }
        Err(_) => plan.1.panics(),
    };
    assert!(told, "{:?}: {:?}", plan.0, result.err());
    contained(|| drop(result));
}

/// Makes a call. In `process` its arguments are dropped by whoever makes it.
fn made(call: &dyn Fn() -> Task<Arguments>) -> Option<Task<Arguments>> {
    let mut task = None;
    contained(|| task = Some(call()));
    task
}

#[test]
fn every_place_of_a_worker_with_state_times_what_it_may_do() {
    in_turn(every_place_of_a_worker_with_state_times_what_it_may_do, || {
        let names: Vec<_> = SPOTS.iter().map(|spot| format!("a worker, {spot:?}")).collect();
        everywhere(&names, SPOTS.len(), |mode, index, deed| {
            let plan = Plan(SPOTS[index], deed);
            let ends = if mode.name == "process" { 1 } else { 3 };
            let news = workers(mode.name, deed).iter();
            for (new, ends) in news.flat_map(|new| (0..ends).map(move |ends| (new, ends))) {
                let mut worker = None;
                contained(|| worker = Some(new(plan)));
                let Some(calls) = worker else { continue };
                let join =
                    |task: Option<Task<_>>| task.into_iter().for_each(|t| check(t.join(), plan));
                let waits: Vec<_> = (0..3).map(|_| made(&calls.look)).collect();
                join(made(&calls.change));
                let awaited = made(&calls.look).map(futures::executor::block_on);
                awaited.into_iter().for_each(|result| check(result, plan));
                made(&calls.change).into_iter().for_each(Task::detach);
                contained(|| drop(made(&calls.change)));
                (calls.restart)();
                join(made(&calls.look));
                waits.into_iter().for_each(join);
                match ends {
                    // Others wait in line.
                    0 => {
                        let waits: Vec<_> = (0..3).map(|_| made(&calls.change)).collect();
                        (calls.stop)();
                        waits.into_iter().for_each(join);
                    }
                    1 => made(&calls.change).into_iter().for_each(Task::detach),
                    _ => {}
                }
                contained(|| drop(calls));
            }
        });
    });
}
