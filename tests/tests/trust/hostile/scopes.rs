//! User code of calls that borrow, in every mode.

use trine::{Scope, ScopedTask};

use super::{Hostile, PLACES, Place, body, contained, everywhere, in_turn};

type Call = for<'scope, 'env> fn(
    &'scope Scope<'scope, 'env>,
    &'scope u32,
    Hostile,
) -> ScopedTask<'scope, Hostile>;

macro_rules! scoped {
    ($name:ident, $mode:ident, $($async:ident)?) => {
        #[trine::concurrent($mode, scoped)]
        $($async)? fn $name(number: &u32, arguments: Hostile) -> Hostile {
            assert_eq!(*number, 3);
            body(arguments)
        }
    };
}

scoped!(threads, threads,);
scoped!(process, process,);
scoped!(asynchronous, async, async);

/// What becomes of the handle in its scope, if it may be joined there.
const ENDS: &[fn(ScopedTask<'_, Hostile>)] = &[
    |task| drop(task.join()),
    |task| drop(futures::executor::block_on(task)),
    |task| drop(task),
    |task| task.cancel(),
    |task| {
        task.cancel();
        drop(task.join());
    },
];

#[test]
fn every_place_of_a_call_that_borrows_times_what_it_may_do() {
    in_turn(every_place_of_a_call_that_borrows_times_what_it_may_do, || {
        let names: Vec<_> = PLACES.iter().map(|place| format!("in a scope, {place:?}")).collect();
        everywhere(&names, names.len(), |mode, index, deed| {
            let call: Call = match mode.name {
                "threads" => threads,
                "process" => process,
                _ => asynchronous,
            };
            let number = 3;
            for end in ENDS {
                let hostile = || Hostile::new(PLACES[index], deed, Place::DropOfArguments);
                contained(|| trine::scope(|s| contained(|| end(call(s, &number, hostile())))));
                // The scope ends by a panic, if it is one.
                contained(|| trine::scope(|s| end(call(s, &number, hostile()))));
            }
        });
    });
}
