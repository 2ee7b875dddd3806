//! serde's attributes, each in a type that crosses as an argument, as a result and as an item of a
//! stream or channel, to a worker and in `sequential`. What arrives is what JSON would have made of
//! it, or there is an error that names the type; never a different value.

#![allow(dead_code, reason = "what is printed is read")]

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use trine::{Error, ErrorKind, Sender, Stream, channel, concurrent};

/// A table: an enum with a variant for each row, which holds a value of the row's type. All rows of
/// a table cross by the same four functions, or each would be compiled for each row.
trait Table: Debug + Serialize + DeserializeOwned + Send + 'static {
    fn values(row: usize) -> Vec<Self>;
}

#[concurrent(process)]
fn take<T: Table>(value: T) -> String {
    format!("{value:?}")
}

#[concurrent(process)]
fn give<T: Table>(row: usize, index: usize) -> T {
    one(row, index)
}

#[concurrent(process)]
fn yields<T: Table>(row: usize, index: usize) -> impl Iterator<Item = T> {
    std::iter::once(one(row, index))
}

#[concurrent(process)]
fn sends<T: Table>(row: usize, index: usize, sender: Sender<T>) {
    let _ = sender.send(one(row, index));
}

/// Keeps nothing; its methods take and give as functions do.
struct Store;

#[concurrent(process)]
impl Store {
    pub(super) fn new() -> Self {
        Self
    }
    pub(super) fn take<T: Table>(&mut self, value: T) -> String {
        format!("{value:?}")
    }
    pub(super) fn give<T: Table>(&self, row: usize, index: usize) -> T {
        one(row, index)
    }
}

fn one<T: Table>(row: usize, index: usize) -> T {
    T::values(row).swap_remove(index)
}

/// What arrived, each way, or why nothing did.
fn crossed<T: Table>(store: &StoreWorker, row: usize, index: usize) -> [Result<String, String>; 6] {
    let only = |stream: Stream<T>| {
        let mut items: Vec<_> = stream.into_iter().collect();
        assert_eq!(items.len(), 1);
        items.remove(0).map(|value| format!("{value:?}"))
    };
    let argument = take::<T>(one(row, index)).join();
    let result = give::<T>(row, index).join().map(|value| format!("{value:?}"));
    let item = only(yields::<T>(row, index));
    let (sender, stream) = channel(1);
    let sending = sends::<T>(row, index, sender);
    let sent = only(stream);
    sending.join().unwrap();
    let kept = store.take::<T>(one(row, index)).join();
    let given = store.give::<T>(row, index).join().map(|value| format!("{value:?}"));
    [argument, result, item, sent, kept, given].map(|arrived| arrived.map_err(codec))
}

fn codec(error: Error) -> String {
    match error.kind() {
        ErrorKind::Codec { message } => message.clone(),
        _ => panic!("{error}"),
    }
}

fn json<T: Table>(value: &T) -> Result<String, String> {
    let text = serde_json::to_string(value).map_err(|error| error.to_string())?;
    let value: T = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    Ok(format!("{value:?}"))
}

/// Checks one row; the error of each value that does not arrive contains `says`.
fn check<T: Table>(row: usize, says: &str) {
    static STORE: LazyLock<StoreWorker> = LazyLock::new(StoreWorker::new);
    for (index, value) in T::values(row).into_iter().enumerate() {
        let expected = json(&value);
        let everywhere = crossed::<T>(&STORE, row, index);
        let here = trine::sequential(|| crossed::<T>(&StoreWorker::new(), row, index));
        for arrived in everywhere.into_iter().chain(here) {
            match arrived {
                Ok(arrived) => assert!(
                    arrived == format!("{value:?}") || Ok(&arrived) == expected.as_ref(),
                    "{value:?}: {arrived}; {expected:?}"
                ),
                Err(why) => assert!(
                    !says.is_empty() && why.contains(says),
                    "{value:?}: {why}; {expected:?}"
                ),
            }
        }
    }
}

/// `TEST TYPE: VALUES;` is a test that each value arrives as JSON gives it; with `or ERROR`, that
/// the error contains these words instead.
macro_rules! rows {
    ($($test:ident $row:ty: [$($value:expr),* $(,)?] $(or $says:literal)?;)*) => {
        #[derive(Debug, Serialize, Deserialize)]
        #[allow(non_camel_case_types, reason = "named after the tests")]
        #[allow(clippy::large_enum_variant, reason = "there is one at a time")]
        enum Rows {
            $($test($row),)*
        }

        /// Their places in the table.
        #[allow(non_camel_case_types, reason = "named after the tests")]
        enum Places {
            $($test,)*
        }

        impl super::Table for Rows {
            fn values(row: usize) -> Vec<Self> {
                $(if row == Places::$test as usize {
                    return vec![$(Self::$test($value)),*];
                })*
                unreachable!("there is no row {row}")
            }
        }

        $(#[test]
        fn $test() {
            super::check::<Rows>(Places::$test as usize, concat!($($says)?));
        })*
    };
}

mod containers;
mod conversions;
mod enums;
mod flattened;
mod rarer;
mod shapes;
mod structs;

#[test]
fn what_serde_does_not_know_is_an_error_that_names_it() {
    #[derive(Serialize, Deserialize)]
    struct Job {
        when: SystemTime,
        file: PathBuf,
    }

    #[concurrent(process)]
    fn echo(job: Job) -> Job {
        job
    }

    let when = SystemTime::UNIX_EPOCH;
    let early = echo(Job { when: when - Duration::from_secs(1), file: PathBuf::new() });
    let odd = echo(Job { when, file: trine_tests::system::no_text().into() });
    for (task, says) in [(early, "field `when` of `Job`: "), (odd, "field `file` of `Job`: ")] {
        let why = codec(task.join().err().unwrap());
        assert!(why.starts_with("its arguments: ") && why.contains(says), "{why}");
    }
}
