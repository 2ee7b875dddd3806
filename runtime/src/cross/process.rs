//! What may cross to a worker process and back: everything goes as bytes, through serde.
//!
//! An owned argument arrives as the same type. A borrowed one (`&str`, `&[T]`, `&T`) is encoded in
//! place at the call, and arrives as the matching [`Owned`] type: a long text or run of numbers
//! stays in shared memory and is not copied again.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::process::value::lent::{LentSlice, LentStr};

/// An argument that a worker process can receive as an `R`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to a worker process",
    label = "cannot be encoded and decoded",
    note = "arguments go to the worker as bytes: derive `serde::Serialize` and \
            `serde::Deserialize` for the type, add `Serialize + DeserializeOwned + 'static` to the \
            bounds of a type parameter, or send what it can be made from"
)]
pub trait Argument<R>: Serialize {
    /// What is decoded: `R`, where that is known to be so.
    type Received: DeserializeOwned;

    /// What was decoded, as an `R`.
    fn received(value: Self::Received) -> R;
}

// Without this the compiler would report serde's traits, which are behind the bound, instead of the
// bound.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Argument<T> for T {
    type Received = T;

    fn received(value: T) -> T {
        value
    }
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Argument<T> for &T {
    type Received = T;

    fn received(value: T) -> T {
        value
    }
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Argument<LentSlice<T>> for &[T] {
    type Received = LentSlice<T>;

    fn received(value: LentSlice<T>) -> LentSlice<T> {
        value
    }
}

#[diagnostic::do_not_recommend]
impl Argument<LentStr> for &str {
    type Received = LentStr;

    fn received(value: LentStr) -> LentStr {
        value
    }
}

#[diagnostic::do_not_recommend]
impl Argument<PathBuf> for &Path {
    type Received = PathBuf;

    fn received(value: PathBuf) -> PathBuf {
        value
    }
}

/// A result that a worker process can return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot come out of a worker process",
    label = "cannot be encoded and decoded, or is not `Send`",
    note = "results come from the worker as bytes, and any thread may take them: derive \
            `serde::Serialize` and `serde::Deserialize` for the type, add `Serialize + \
            DeserializeOwned + Send + 'static` to the bounds of a type parameter, or return what \
            it can be made from (for an error, its text will do: `Result<T, String>`)"
)]
pub trait Output: Serialize + DeserializeOwned + Send {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send> Output for T {}

/// The type itself, which the expansion of a method names as a generic argument: the compiler then
/// reports a result type that it does not know once.
pub type Itself<T> = T;

/// The result of a process function that never returns (`-> !`). It has no values.
///
/// The other modes use [`Infallible`](std::convert::Infallible), which serde does not support.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Never {}

impl Serialize for Never {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl<'de> serde::Deserialize<'de> for Never {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("there is no value of this type"))
    }
}

/// The tuple of the arguments of a call, which the worker receives as an `R`.
pub trait Arguments<R>: Serialize {
    /// What is decoded: `R`, where that is known to be so.
    type Received: DeserializeOwned;

    /// What was decoded, as an `R`.
    fn received(values: Self::Received) -> R;
}

impl<A: ArgumentTuple<R>, R> Arguments<R> for A {
    type Received = A::Tuple;

    fn received(values: A::Tuple) -> R {
        A::tuple(values)
    }
}

/// A type that can be passed to a process function by reference, and the type that the worker then
/// owns.
#[diagnostic::on_unimplemented(
    message = "a `&{Self}` cannot be sent to a worker process",
    label = "nothing is known that a worker could own in its place",
    note = "`&str`, `&[T]`, `&Path` and `&T` of sized types can: take one of these, or an owned \
            type"
)]
pub trait Lend {
    /// Each sized type for itself; for `str` and `[T]` what holds or views one.
    type Owned;
}

impl<T> Lend for T {
    type Owned = T;
}

impl Lend for str {
    type Owned = LentStr;
}

impl<T> Lend for [T] {
    type Owned = LentSlice<T>;
}

impl Lend for Path {
    type Owned = PathBuf;
}

/// The type that a worker has for a `&T` argument: a value of its own, or a view of shared memory.
///
/// ```
/// let name: trine::cross::process::Owned<str> = String::from("a").into();
/// let numbers: trine::cross::process::Owned<[u8]> = vec![1, 2].into();
/// assert_eq!((&*name, &*numbers), ("a", &[1, 2][..]));
/// let flag: trine::cross::process::Owned<bool> = true;
/// # let _ = (name, numbers, flag);
/// ```
pub type Owned<T> = <T as Lend>::Owned;

/// The implementation of [`Arguments`]; separate so that messages do not list every tuple.
#[doc(hidden)]
pub trait ArgumentTuple<R>: Serialize {
    type Tuple: DeserializeOwned;

    fn tuple(values: Self::Tuple) -> R;
}

impl ArgumentTuple<()> for () {
    type Tuple = ();

    fn tuple((): ()) {}
}

macro_rules! tuples {
    ($($sent:ident $received:ident $value:ident)*) => {
        impl<$($sent: Argument<$received>, $received),*> ArgumentTuple<($($received,)*)>
            for ($($sent,)*)
        {
            type Tuple = ($($sent::Received,)*);

            fn tuple(($($value,)*): Self::Tuple) -> ($($received,)*) {
                ($($sent::received($value),)*)
            }
        }
    };
}

for_tuples!(tuples);
