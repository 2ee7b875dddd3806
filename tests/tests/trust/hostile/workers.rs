//! User code of workers with state: what makes the value, its methods, its destructor, and how the
//! error of a constructor is shown.

use std::fmt;

use trine::{Error, Task};

use super::{Deed, contained, everywhere};

/// Where the deed is done.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Spot {
    Constructor,
    ErrorOfConstructor,
    Look,
    Change,
    DropOfValue,
    CloneOfArguments,
    DropOfArguments,
}

const SPOTS: &[Spot] = &[
    Spot::Constructor,
    Spot::ErrorOfConstructor,
    Spot::Look,
    Spot::Change,
    Spot::DropOfValue,
    Spot::CloneOfArguments,
    Spot::DropOfArguments,
];

#[derive(Clone, Copy)]
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

    fn does(&self, here: Spot, arguments: &Arguments) -> u32 {
        let _ = arguments;
        self.0.act(here);
        7
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.0.act(Spot::DropOfValue);
    }
}

macro_rules! worker {
    ($module:ident, $mode:ident, $($async:ident)?) => {
        mod $module {
            use super::{Arguments, Plan, Refused, Spot, Value};
            use trine::concurrent;

            pub(super) struct Keeper(Value);

            #[concurrent($mode, restarts = 2)]
            impl Keeper {
                pub(super) $($async)? fn new(arguments: Arguments) -> Result<Self, Refused> {
                    Value::made(&arguments).map(Self)
                }
                pub(super) $($async)? fn look(&self, arguments: Arguments) -> u32 {
                    self.0.does(Spot::Look, &arguments)
                }
                pub(super) $($async)? fn change(&mut self, arguments: Arguments) -> u32 {
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

worker!(threads, threads,);
worker!(asynchronous, async, async);

struct Calls {
    look: Box<dyn Fn() -> Task<u32>>,
    change: Box<dyn Fn() -> Task<u32>>,
    restart: Box<dyn Fn()>,
    stop: Box<dyn Fn()>,
}

/// The value, or an error that says whose fault it is.
fn check(result: Result<u32, Error>, plan: Plan) {
    let told = match &result {
        Ok(value) => *value == 7,
        Err(error) if error.is_stopped() => true,
        Err(error) if plan.0 == Spot::ErrorOfConstructor => {
            plan.1.panics() || error.to_string().contains("refused")
        }
        Err(_) => plan.1.panics(),
    };
    assert!(told, "{:?}: {result:?}", plan.0);
    contained(|| drop(result));
}

#[test]
fn every_place_of_a_worker_with_state_times_what_it_may_do() {
    let names: Vec<_> = SPOTS.iter().map(|spot| format!("a worker, {spot:?}")).collect();
    everywhere(&names, SPOTS.len(), |mode, index, deed| {
        let plan = Plan(SPOTS[index], deed);
        for ends in 0..3 {
            let calls = match mode.name {
                "threads" => threads::calls(plan),
                "async" => asynchronous::calls(plan),
                _ => return,
            };
            let waits: Vec<_> = (0..3).map(|_| (calls.look)()).collect();
            check((calls.change)().join(), plan);
            check(futures::executor::block_on((calls.look)()), plan);
            (calls.change)().detach();
            contained(|| drop((calls.change)()));
            (calls.restart)();
            check((calls.look)().join(), plan);
            waits.into_iter().for_each(|task| check(task.join(), plan));
            match ends {
                0 => (calls.stop)(),
                1 => (calls.change)().detach(),
                _ => {}
            }
            contained(|| drop(calls));
        }
    });
}
