//! serde's attributes, each in a type that crosses as an argument, as a result and as an item of a
//! stream or channel, to a worker and in `sequential`. What arrives is what JSON would have made of
//! it, or there is an error that names the type; never a different value.

#![allow(dead_code, reason = "what is printed is read")]

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use trine::{Error, ErrorKind, Sender, Stream, channel, concurrent};

/// A row: a type, and values of that type.
trait Row: Debug + Serialize + DeserializeOwned + Send + 'static {
    fn values() -> Vec<Self>;
}

#[concurrent(process)]
fn take<R: Row>(value: R) -> String {
    format!("{value:?}")
}

#[concurrent(process)]
fn give<R: Row>(index: usize) -> R {
    R::values().swap_remove(index)
}

#[concurrent(process)]
fn yields<R: Row>(index: usize) -> impl Iterator<Item = R> {
    std::iter::once(R::values().swap_remove(index))
}

#[concurrent(process)]
fn sends<R: Row>(index: usize, sender: Sender<R>) {
    let _ = sender.send(R::values().swap_remove(index));
}

/// What arrived, each way, or why nothing did.
fn crossed<R: Row>(index: usize) -> [Result<String, String>; 4] {
    let only = |stream: Stream<R>| {
        let mut items: Vec<_> = stream.into_iter().collect();
        assert_eq!(items.len(), 1);
        items.remove(0).map(|value| format!("{value:?}"))
    };
    let argument = take(give_here::<R>(index)).join();
    let result = give::<R>(index).join().map(|value| format!("{value:?}"));
    let item = only(yields::<R>(index));
    let (sender, stream) = channel(1);
    let sending = sends::<R>(index, sender);
    let sent = only(stream);
    sending.join().unwrap();
    [argument, result, item, sent].map(|arrived| arrived.map_err(codec))
}

fn give_here<R: Row>(index: usize) -> R {
    R::values().swap_remove(index)
}

fn codec(error: Error) -> String {
    match error.kind() {
        ErrorKind::Codec { message } => message.clone(),
        _ => panic!("{error}"),
    }
}

fn json<R: Row>(value: &R) -> Result<String, String> {
    let text = serde_json::to_string(value).map_err(|error| error.to_string())?;
    let value: R = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    Ok(format!("{value:?}"))
}

/// Checks one row; the error of each value that does not arrive contains `says`.
fn check<R: Row>(says: &str) {
    for (index, value) in R::values().into_iter().enumerate() {
        let expected = json(&value);
        let everywhere = crossed::<R>(index).into_iter();
        for arrived in everywhere.chain(trine::sequential(|| crossed::<R>(index))) {
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
    ($($test:ident $row:ty: [$($value:expr),* $(,)?] $(or $says:literal)?;)*) => { $(
        impl Row for $row {
            fn values() -> Vec<Self> {
                vec![$($value),*]
            }
        }

        #[test]
        fn $test() {
            check::<$row>(concat!($($says)?));
        }
    )* };
}

mod containers;
mod conversions;
mod enums;
mod flattened;
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
    let path = || <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(vec![0xff]);
    let early = echo(Job { when: when - Duration::from_secs(1), file: PathBuf::new() });
    let odd = echo(Job { when, file: path().into() });
    for (task, says) in [(early, "field `when` of `Job`: "), (odd, "field `file` of `Job`: ")] {
        let why = codec(task.join().err().unwrap());
        assert!(why.starts_with("its arguments: ") && why.contains(says), "{why}");
    }
}
