//! A call of a concurrent function does what a plain call does, in every edition: the arguments are
//! dropped after the body and in the same order, whether the body mentions them or not.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use concurrency::{Task, concurrent};
use functions_under_every_lint as functions;

/// Says when it is dropped.
#[derive(Clone)]
struct Noisy(&'static str, Arc<Mutex<Vec<&'static str>>>);

impl Noisy {
    fn length(&self) -> usize {
        self.0.len()
    }

    fn again(&self, name: &'static str) -> Self {
        Noisy(name, Arc::clone(&self.1))
    }
}

impl Drop for Noisy {
    fn drop(&mut self) {
        self.1.lock().expect("no poison").push(self.0);
    }
}

type Log = Arc<Mutex<Vec<&'static str>>>;

fn log() -> (Log, impl Fn(&'static str) -> Noisy) {
    let log = Log::default();
    let copy = Arc::clone(&log);
    (log, move |name| Noisy(name, Arc::clone(&copy)))
}

fn taken(log: &Log) -> Vec<&'static str> {
    std::mem::take(&mut log.lock().expect("no poison"))
}

/// Writes the same function plainly, on threads and async, and compares the order of drops.
macro_rules! same_drops {
    ($test:ident: fn($($pattern:pat => $type:ty = $value:expr),*) -> $output:ty $body:block) => {
        #[test]
        fn $test() {
            fn plain($($pattern: $type),*) -> $output $body

            #[concurrent(threads, crate = concurrency)]
            fn threads($($pattern: $type),*) -> $output $body

            #[concurrent(threads, crate = concurrency)]
            async fn driven($($pattern: $type),*) -> $output $body

            #[concurrent(async, crate = concurrency)]
            async fn asynchronous($($pattern: $type),*) -> $output $body

            #[expect(dead_code, reason = "it is there to be dropped")]
            struct Method(Noisy);
            impl Method {
                fn plain(self, $($pattern: $type),*) -> $output $body

                #[concurrent(threads, crate = concurrency)]
                fn threads(self, $($pattern: $type),*) -> $output $body

                #[concurrent(async, crate = concurrency)]
                async fn asynchronous(self, $($pattern: $type),*) -> $output $body
            }

            let (log, new) = log();
            let _ = plain($($value(&new)),*);
            let expected = taken(&log);
            assert!(!expected.is_empty(), "something is dropped");
            let _ = threads($($value(&new)),*).join().expect("no failure");
            assert_eq!(taken(&log), expected, "threads");
            let _ = driven($($value(&new)),*).join().expect("no failure");
            assert_eq!(taken(&log), expected, "an async fn on threads");
            let _ = asynchronous($($value(&new)),*).join().expect("no failure");
            assert_eq!(taken(&log), expected, "async");

            let _ = Method(new("self")).plain($($value(&new)),*);
            let expected = taken(&log);
            let _ = Method(new("self")).threads($($value(&new)),*).join().expect("no failure");
            assert_eq!(taken(&log), expected, "a method on threads");
            let _ = Method(new("self")).asynchronous($($value(&new)),*).join().expect("no failure");
            assert_eq!(taken(&log), expected, "an async method");
        }
    };
}

/// A value made where the log is known.
macro_rules! noisy {
    ($name:literal) => {
        |new: &dyn Fn(&'static str) -> Noisy| new($name)
    };
    ($first:literal, $second:literal) => {
        |new: &dyn Fn(&'static str) -> Noisy| (new($first), new($second))
    };
}

same_drops!(names: fn(a => Noisy = noisy!("a"), b => Noisy = noisy!("b")) -> usize {
    a.length() + b.length()
});

same_drops!(unused: fn(_a => Noisy = noisy!("a"), _b => Noisy = noisy!("b")) -> usize { 1 });

same_drops!(underscore: fn(
    _ => Noisy = noisy!("a"),
    b => Noisy = noisy!("b"),
    _ => Noisy = noisy!("c")
) -> usize {
    b.length()
});

same_drops!(remainder: fn(
    (x, _) => (Noisy, Noisy) = noisy!("x", "remainder of x"),
    b => Noisy = noisy!("b"),
    (_, y) => (Noisy, Noisy) = noisy!("remainder of y", "y")
) -> usize {
    x.length() + y.length() + b.length()
});

same_drops!(moved: fn(
    a => Noisy = noisy!("a"),
    b => Noisy = noisy!("b"),
    _c => Noisy = noisy!("c")
) -> usize {
    drop(b);
    let local = a.again("local");
    local.length()
});

same_drops!(returned: fn(
    a => Noisy = noisy!("a"),
    (b, _) => (Noisy, Noisy) = noisy!("b", "c")
) -> Result<u8, usize> {
    let _local = a.again("local");
    if b.length() == 1 {
        return Err(a.length());
    }
    Ok(1)
});

// The guard in the last expression is a temporary: before edition 2024 it lives until the value of
// the block has been made; in every edition it is dropped before the arguments.
same_drops!(tail_temporary: fn(a => Noisy = noisy!("a"), b => Noisy = noisy!("b")) -> usize {
    let local = a.again("local");
    let _ = &local;
    b.again("temporary").length() + a.length()
});

#[concurrent(threads, crate = concurrency)]
fn locked(value: Arc<Mutex<u32>>, other: Mutex<u32>) -> u32 {
    *value.lock().expect("no poison") + *other.lock().expect("no poison")
}

#[concurrent(async, crate = concurrency)]
async fn locked_async(value: Arc<Mutex<u32>>, (other, _): (Mutex<u32>, u8)) -> u32 {
    *value.lock().expect("no poison") + *other.lock().expect("no poison")
}

/// A tail expression may borrow an argument.
#[test]
fn the_last_expression_borrows_an_argument() {
    let value = Arc::new(Mutex::new(1));
    assert_eq!(locked(Arc::clone(&value), Mutex::new(2)).join().expect("no failure"), 3);
    assert_eq!(locked_async(value, (Mutex::new(3), 0)).join().expect("no failure"), 4);
}

type Shape = Box<dyn Fn(u32) -> u32 + Send>;

#[concurrent(threads, crate = concurrency)]
fn unsized_early(early: bool) -> Shape {
    if early {
        return Box::new(|value| value + 1);
    }
    Box::new(|value| value * 10)
}

#[concurrent(async, crate = concurrency)]
async fn unsized_early_async(early: bool) -> Shape {
    if early {
        return Box::new(|value| value + 1);
    }
    Box::new(|value| value * 10)
}

struct Maker;

impl Maker {
    #[concurrent(async, crate = concurrency)]
    async fn unsized_early(self, early: bool) -> Shape {
        if early {
            return Box::new(|value| value + 1);
        }
        Box::new(|value| value * 10)
    }
}

/// Every `return` knows the declared type.
#[test]
fn an_early_return_is_coerced() {
    let call = |task: Task<Shape>| task.join().expect("no failure")(5);
    assert_eq!([call(unsized_early(true)), call(unsized_early(false))], [6, 50]);
    assert_eq!([call(unsized_early_async(true)), call(unsized_early_async(false))], [6, 50]);
    assert_eq!([call(Maker.unsized_early(true)), call(Maker.unsized_early(false))], [6, 50]);
}

#[concurrent(threads, crate = concurrency)]
fn not_send_inside(count: u32) -> u32 {
    let shared = Rc::new(RefCell::new(count));
    *shared.borrow_mut() += 1;
    shared.take()
}

/// Only what crosses has to be `Send`.
#[test]
fn the_body_may_use_what_cannot_cross() {
    assert_eq!(not_send_inside(1).join().expect("no failure"), 2);
}

/// The functions of the library are run, not only compiled.
#[test]
fn every_kind_of_function_runs() {
    assert_eq!(functions::plain("abc".to_owned(), 1).join().expect("no failure"), 4);
    assert_eq!(functions::own_static(1, 2, 3, 4, 5).join().expect("no failure"), 22);
    assert_eq!(functions::made(1, 10).join().expect("no failure"), 21);
    assert_eq!(functions::nested(4).join().expect("no failure"), 10);
    assert_eq!(functions::r#match(8).join().expect("no failure"), 8);
    assert_eq!(functions::driven(8).join().expect("no failure"), 8);
    let ones = functions::many(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
    assert_eq!(ones.join().expect("no failure"), 18);
    let all = functions::generic(["a".to_owned()], "b").join().expect("no failure");
    assert_eq!(all, ["a", "b"]);
    let mut server = functions::Server::new(3).join().expect("no failure");
    let least = 1;
    let texts = ["a".to_owned(), "bc".to_owned()];
    concurrency::scope(|scope| {
        let longest = functions::longest(scope, &texts, "none", &least).join()?;
        assert_eq!(longest, "bc");
        assert_eq!(functions::first(scope, "xyz", "").join()?, Some('x'));
        assert_eq!(server.peek(scope, "four").join()?, (&3, 4));
        Ok::<_, concurrency::Error>(())
    })
    .expect("no failure");
    concurrency::scope(|scope| server.replace(scope, 4).join()).expect("no failure");
    assert_eq!(server.into_answer(None).join().expect("no failure"), 4);
}

/// What is lent is encoded at the call, and owned in the worker.
#[test]
fn a_worker_process_owns_what_it_is_lent() {
    let owned = "ab".to_owned();
    assert_eq!(functions::lent("cde", &[1, 2], &true, 0, owned).join().expect("no failure"), 7);
    assert_eq!(functions::sent(Some(1.5), 2_u8).join().expect("no failure"), Some(1.5));
    let grid = functions::Grid { cells: vec![1, 2, 3] };
    assert_eq!(grid.sum(&[1, 10, 100]).join().expect("no failure"), 321);
    let text = "borrowed".to_owned();
    let length = concurrency::scope(|scope| functions::driven_there(scope, &text, &[]).join());
    assert_eq!(length.expect("no failure"), 8);
}

/// A recursive call calls the concurrent function, since that is what the name means.
#[test]
fn a_recursive_call_starts_a_task() {
    #[concurrent(threads, crate = concurrency)]
    fn depth(left: u32) -> u32 {
        if left == 0 {
            return 0;
        }
        let below: Task<u32> = depth(left - 1);
        below.join().expect("no failure") + 1
    }
    assert_eq!(depth(5).join().expect("no failure"), 5);
}

/// In each mode a function that never returns gives a task, which says how it ended.
#[test]
fn a_function_that_never_returns_gives_a_task() {
    #[concurrent(process, crate = concurrency)]
    fn exits() -> ! {
        std::process::exit(3)
    }
    #[concurrent(threads, crate = concurrency)]
    fn panics() -> ! {
        panic!("as told")
    }
    assert!(exits().join().expect_err("it ended").to_string().contains('3'));
    assert!(panics().join().expect_err("it ended").to_string().contains("as told"));
}

/// Names that differ by underscores alone are different functions, and so are the hidden ones.
#[test]
fn underscores_tell_functions_apart() {
    macro_rules! check {
        ($($module:ident)*) => {$({
            use functions::shapes::$module::{__alike, _alike, Alike, alike};
            let new = || Alike::<u8>(7);
            let free = [alike(), _alike(), __alike()];
            assert_eq!(free.map(|task| task.join().expect("no failure")), [0, 1, 2]);
            let methods = [new().name(), new()._name(), new().__name(1)];
            assert_eq!(methods.map(|task| task.join().expect("no failure")), [0, 1, 2]);
            let itself = Box::new(new()).name_().join().expect("no failure");
            assert_eq!(itself.map(|itself| itself.0), Some(7));
            let (other, count) = new().trine_name((Alike(8), 0)).join().expect("no failure");
            assert_eq!((other.0, count), (8, 3));
            assert_eq!(new().r#loop(9).join().expect("no failure"), Ok(9));
        })*};
    }
    check!(on_threads in_processes polled);
}

/// The rarer shapes are run too.
#[test]
fn every_rarer_shape_runs() {
    macro_rules! check {
        ($($module:ident)*) => {$({
            use functions::shapes::{Pair, $module as shapes};
            let pair = Pair { number: 1, ..Pair::default() };
            let sum = shapes::patterns((1, 1), 1, String::new(), pair, [1; 4], (1, 1), 1);
            assert_eq!(sum.join().expect("no failure"), 9);
            assert_eq!(shapes::inside(vec![1, 2], Some((1, 'x'))).join().expect("no failure"), 3);
            let items = shapes::associated::<Vec<u8>>(vec![1, 2]);
            assert_eq!(items.join().expect("no failure"), 2);
            let text = shapes::owned("text".into(), 1).join().expect("no failure");
            assert_eq!(text.as_deref(), Some("text"));
        })*};
    }
    check!(on_threads in_processes polled);
    use functions::shapes::{self, Marked, MarkedByName, places};
    assert_eq!(shapes::made((1, 2)).join().expect("no failure"), 3);
    assert_eq!(shapes::made_there("text").join().expect("no failure"), 4);
    assert_eq!((places::CONSTANT)(5).join().expect("no failure"), 5);
    assert!(places::in_another(2).join().expect("no failure") >= 2);
    assert_eq!(MarkedByName::new(1).seen((2, 0)).join().expect("no failure"), 3);
    let pairs = shapes::repeated(("x", 0), 1).into_iter().map(Result::unwrap);
    assert_eq!(pairs.last(), Some((1, "x")));
    let letters = shapes::characters("xy", &[]).into_iter().map(Result::unwrap);
    assert_eq!(letters.last(), Some(Ok('x')));
    assert_eq!(Marked(1).driven("text", (2, 0)).join().expect("no failure"), 7);
    let marked = Marked(1).up_to(4).into_iter().map(|item| item.expect("no failure").0);
    assert_eq!(marked.collect::<Vec<u8>>(), [1, 2, 3]);
    assert_eq!(Marked::all().into_iter().count(), 256);
    let (mut bytes, long, borrowed) = ([1; 2], [1, 2], String::from("x"));
    let asks = |byte: &u8| *byte > 1;
    let found = concurrency::scope(|scope| {
        let (text, once) = ((&*borrowed).into(), Box::new(|| assert_eq!(borrowed, "x")));
        shapes::borrows(scope, &mut bytes, text, long.iter(), &asks, once, |text| text).join()
    });
    assert_eq!((found.expect("no failure"), bytes), (Some(&2), [0; 2]));
}
