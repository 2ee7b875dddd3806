//! Borrowed arguments in the worker: long texts and long runs of numbers are read in place.

use std::sync::Mutex;
#[cfg(unix)]
use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde::{Deserialize, Serialize};
use trine::cross::process::Owned;
use trine::{Error, Function, concurrent};
use trine_tests::system::mapped;
#[cfg(unix)]
use trine_tests::{gate::Gate, programs::alone};

/// Where a worker found an argument.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Place {
    /// In memory that came from the parent, and that this process can only read.
    is_shared: bool,
    is_aligned: bool,
}

const SHARED: Place = Place { is_shared: true, is_aligned: true };
const COPIED: Place = Place { is_shared: false, is_aligned: true };

fn place<T>(values: &[T]) -> Place {
    let start = values.as_ptr().addr();
    let end = start + size_of_val(values);
    let is_shared = mapped().into_iter().any(|mapped| {
        let holds = mapped.range.start <= start && end <= mapped.range.end;
        holds && !mapped.is_writable
    });
    Place { is_shared, is_aligned: values.as_ptr().is_aligned() }
}

/// A function for each kind of number, and a table of calls.
macro_rules! numbers {
    ($($number:ident)*) => { $(
        #[concurrent(process)]
        fn $number(letter: char, values: &[$number], last: u8) -> (Place, char, Vec<$number>, u8) {
            (place(values), letter, values.to_vec(), last)
        }
    )*
        #[test]
        fn many_numbers_are_views_and_few_are_copies() -> Result<(), Error> {
            $(
                for (length, at) in [(0, COPIED), (1, COPIED), (100, COPIED), (100_003, SHARED)] {
                    let values: Vec<$number> = (0..length).map(|n| (n % 101) as $number).collect();
                    // A character before it, so that its position in the message is odd.
                    let (place, letter, back, last) = $number('ß', &values, 9).join()?;
                    let name = stringify!($number);
                    // To serde a `usize` has 64 bits; where it has fewer there is none to look at.
                    let is_same = cfg!(target_pointer_width = "64") || !name.ends_with("size");
                    let at = if is_same { at } else { COPIED };
                    assert_eq!((place, letter, last), (at, 'ß', 9), "{length} of {name}");
                    assert!(back == values, "{length} of {name}");
                }
            )*
            Ok(())
        }
    };
}

numbers!(u8 i8 u16 i16 u32 i32 u64 i64 u128 i128 f32 f64 usize isize);

type Places = (Place, Place, Place, Place, Place);

#[concurrent(process)]
fn many(text: &str, bytes: &[u8], wide: &[u128], names: &[String], floats: &[f64]) -> Places {
    assert!(names.iter().enumerate().all(|(index, name)| *name == index.to_string()));
    assert!(wide.iter().enumerate().all(|(index, number)| *number == index as u128));
    assert!(floats.iter().enumerate().all(|(index, number)| *number == index as f64));
    assert!(text.chars().all(|letter| letter == 'ä') && bytes.iter().all(|byte| *byte == 7));
    (place(text.as_bytes()), place(bytes), place(wide), place(names), place(floats))
}

#[test]
fn many_arguments_are_each_in_their_place() -> Result<(), Error> {
    for length in [20_001, 50_003] {
        let (text, bytes) = ("ä".repeat(length), vec![7; length]);
        let wide: Vec<u128> = (0..length as u128).collect();
        let names: Vec<String> = (0..length).map(|index| index.to_string()).collect();
        let floats: Vec<f64> = (0..length).map(|index| index as f64).collect();
        let places = many(&text, &bytes, &wide, &names, &floats).join()?;
        // Only runs of numbers have the same layout in a message as in memory.
        assert_eq!(places, (SHARED, SHARED, SHARED, COPIED, SHARED), "{length}");
    }
    Ok(())
}

#[concurrent(process)]
async fn awaited(text: &str, numbers: &[f64]) -> (Place, Place, usize) {
    std::future::ready(()).await;
    (place(text.as_bytes()), place(numbers), text.len() + numbers.len())
}

#[concurrent(process, retries = 2)]
fn retried(numbers: &[f64], tries: &std::path::Path) -> Result<(Place, f64), String> {
    let sum = numbers.iter().sum();
    if !tries.exists() {
        std::fs::write(tries, "once").map_err(|error| error.to_string())?;
        std::process::abort();
    }
    Ok((place(numbers), sum))
}

#[test]
fn views_are_the_same_in_async_bodies_and_in_another_try() -> Result<(), Error> {
    let (text, numbers) = ("x".repeat(100_000), vec![0.5; 100_000]);
    assert_eq!(awaited(&text, &numbers).join()?, (SHARED, SHARED, 200_000));
    let tries = std::env::temp_dir().join(format!("trine-lent-{}", std::process::id()));
    let result = retried(&numbers, &tries).join();
    let _ = std::fs::remove_file(&tries);
    assert_eq!(result?, Ok((SHARED, 50_000.0)));
    Ok(())
}

#[concurrent(process)]
fn taken(numbers: Vec<f64>) -> (Place, f64) {
    (place(&numbers), numbers.iter().sum())
}

/// A body may change what it owns, so that is never the parent's memory.
#[test]
fn owned_numbers_are_copies() -> Result<(), Error> {
    assert_eq!(taken(vec![0.5; 100_000]).join()?, (COPIED, 50_000.0));
    Ok(())
}

// Elsewhere no process can fork.
#[cfg(unix)]
#[concurrent(process)]
fn by_child(numbers: &[f64], few: &[f64]) -> i32 {
    let sum = |numbers: &[f64]| numbers.iter().sum::<f64>();
    // SAFETY: the child only adds numbers and exits.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::_exit(i32::from(sum(numbers) != 50_000.0 || sum(few) != 1.0));
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        status
    }
}

#[cfg(unix)]
#[test]
fn a_child_that_a_body_forks_sees_what_the_body_sees() -> Result<(), Error> {
    assert_eq!(by_child(&vec![0.5; 100_000], &[0.5, 0.5]).join()?, 0);
    Ok(())
}

/// A child, and its connection to the gate: when that ends, it says what it sees.
#[cfg(unix)]
#[concurrent(process)]
fn leaves_a_child(numbers: &[f64], port: u16) {
    let mut gate = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // SAFETY: the child only adds numbers and exits.
    if unsafe { libc::fork() } == 0 {
        let _ = gate.read(&mut [0]);
        let _ = gate.write_all(&[u8::from(numbers.iter().sum::<f64>() == 50_000.0)]);
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) };
    }
}

/// Alone, since the child ends with its worker, which others crash.
#[cfg(unix)]
#[test]
fn a_child_that_outlives_its_call_keeps_what_it_borrowed() {
    alone(a_child_that_outlives_its_call_keeps_what_it_borrowed, &[], || {
        let gate = Gate::new();
        leaves_a_child(&vec![0.5; 100_000], gate.port()).join().unwrap();
        let mut child = gate.entered();
        for _ in 0..20 {
            assert_eq!(taken(vec![1.0; 100_000]).join().unwrap(), (COPIED, 100_000.0));
        }
        child.write_all(&[1]).unwrap();
        let mut sees = [0];
        child.read_exact(&mut sees).unwrap();
        assert_eq!(sees, [1], "it was overwritten");
    });
}

/// If a body kept a borrowed argument, it would be changed or gone after the call.
#[test]
fn a_borrowed_argument_cannot_be_kept() {
    static KEPT: Mutex<Vec<Owned<[u64]>>> = Mutex::new(Vec::new());
    static FUNCTION: Function = Function::new("keep");
    let numbers = vec![7; 100_000];
    let keep = |(numbers,): (Owned<[u64]>,)| KEPT.lock().unwrap().push(numbers);
    let error = trine::process::spawn(&FUNCTION, (&numbers[..],), keep).join().unwrap_err();
    assert!(error.is_crash(), "{error}");
    // A copy may be kept.
    trine::process::spawn(&FUNCTION, (&numbers[..10],), keep).join().unwrap();
}
