//! What may cross to a worker process and back: everything goes as bytes, by serde.
//!
//! An owned argument arrives as what it was. A borrowed one (`&str`, `&[T]`, `&T`) is encoded at
//! the call, from where it lies, and arrives as the [`Owned`] of its kind.

use std::ffi::{CStr, CString};
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

/// An argument that a worker process can receive as an `R`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to a worker process",
    label = "cannot be encoded and decoded",
    note = "arguments go to the worker as bytes: derive `serde::Serialize` and \
            `serde::Deserialize` for the type, add `Serialize + DeserializeOwned` to the bounds of \
            a type parameter, or send what it can be made from"
)]
pub trait Argument<R>: Serialize {
    /// Reads what was sent, on the worker's side.
    ///
    /// # Errors
    /// Those of the deserializer.
    fn receive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<R, D::Error>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Argument<T> for T {
    fn receive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        T::deserialize(deserializer)
    }
}

impl<T: ?Sized + Referent> Argument<T::Owned> for Borrowed<'_, T> {
    fn receive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<T::Owned, D::Error> {
        serde::Deserialize::deserialize(deserializer)
    }
}

/// What a `&T` argument may refer to.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to a worker process",
    label = "cannot be encoded and decoded",
    note = "arguments go to the worker as bytes: derive `serde::Serialize` and \
            `serde::Deserialize` for the type, add `Serialize + DeserializeOwned` to the bounds of \
            a type parameter, or send what it can be made from"
)]
pub trait Referent: Serialize + Lend<Owned: DeserializeOwned> {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized + Serialize + Lend<Owned: DeserializeOwned>> Referent for T {}

/// A result that can come out of a worker process.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot come out of a worker process",
    label = "cannot be encoded and decoded",
    note = "results come from the worker as bytes: derive `serde::Serialize` and \
            `serde::Deserialize` for the type (for an error, its text will do: \
            `Result<T, String>`)"
)]
pub trait Output: Serialize + DeserializeOwned + Send {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send> Output for T {}

/// The tuple of the arguments of a call, which the worker receives as an `R`.
pub trait Arguments<R>: Serialize {
    /// Reads the arguments, on the worker's side.
    ///
    /// # Errors
    /// Those of the deserializer.
    fn receive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<R, D::Error>;
}

impl<A: ArgumentTuple<R>, R> Arguments<R> for A {
    fn receive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<R, D::Error> {
        A::receive_tuple(deserializer)
    }
}

/// An argument that the caller keeps: encoded from where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Borrowed<'a, T: ?Sized>(pub &'a T);

impl<T: ?Sized + Serialize> Serialize for Borrowed<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A type that can be lent to a process function, and what the worker then owns.
#[diagnostic::on_unimplemented(
    message = "a `&{Self}` cannot be sent to a worker process",
    label = "nothing is known that a worker could own in its place",
    note = "`&str`, `&[T]`, `&Path`, `&CStr` and `&T` of sized types can: take one of these, or \
            an owned type"
)]
pub trait Lend {
    /// `String` for `str`, `Vec<T>` for `[T]`, and each sized type for itself.
    type Owned;
}

impl<T> Lend for T {
    type Owned = T;
}

impl Lend for str {
    type Owned = String;
}

impl<T> Lend for [T] {
    type Owned = Vec<T>;
}

impl Lend for Path {
    type Owned = PathBuf;
}

impl Lend for CStr {
    type Owned = CString;
}

/// What a worker owns of a `&T` argument.
///
/// ```
/// let name: trine::cross::process::Owned<str> = String::from("a");
/// let numbers: trine::cross::process::Owned<[u8]> = vec![1, 2];
/// let flag: trine::cross::process::Owned<bool> = true;
/// # let _ = (name, numbers, flag);
/// ```
pub type Owned<T> = <T as Lend>::Owned;

/// Behind [`Arguments`]; apart from it so that messages do not list every tuple there is.
#[doc(hidden)]
pub trait ArgumentTuple<R>: Serialize {
    fn receive_tuple<'de, D: Deserializer<'de>>(deserializer: D) -> Result<R, D::Error>;
}

impl ArgumentTuple<()> for () {
    fn receive_tuple<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        serde::Deserialize::deserialize(deserializer)
    }
}

/// One argument, read by way of [`Argument::receive`]: the tuple's own `Deserialize` would need a
/// bound on what is received, and so a second error beside the one at the argument.
struct Seed<A, R>(PhantomData<(A, R)>);

impl<'de, A: Argument<R>, R> DeserializeSeed<'de> for Seed<A, R> {
    type Value = R;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<R, D::Error> {
        A::receive(deserializer)
    }
}

struct TupleVisitor<A, R>(PhantomData<(A, R)>);

macro_rules! tuples {
    ($length:literal: $($sent:ident $received:ident $value:ident)*) => {
        impl<$($sent: Argument<$received>, $received),*> ArgumentTuple<($($received,)*)>
            for ($($sent,)*)
        {
            fn receive_tuple<'de, De: Deserializer<'de>>(
                deserializer: De,
            ) -> Result<($($received,)*), De::Error> {
                deserializer.deserialize_tuple($length, TupleVisitor::<Self, _>(PhantomData))
            }
        }

        impl<'de, $($sent: Argument<$received>, $received),*> Visitor<'de>
            for TupleVisitor<($($sent,)*), ($($received,)*)>
        {
            type Value = ($($received,)*);

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "the {} arguments of a call", $length)
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut sequence: S) -> Result<Self::Value, S::Error> {
                $(
                    let seed = Seed::<$sent, $received>(PhantomData);
                    let $value = sequence
                        .next_element_seed(seed)?
                        .ok_or_else(|| S::Error::invalid_length($length, &self))?;
                )*
                Ok(($($value,)*))
            }
        }
    };
}

tuples!(1: A1 A2 a);
tuples!(2: A1 A2 a B1 B2 b);
tuples!(3: A1 A2 a B1 B2 b C1 C2 c);
tuples!(4: A1 A2 a B1 B2 b C1 C2 c D1 D2 d);
tuples!(5: A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e);
tuples!(6: A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f);
tuples!(7: A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g);
tuples!(8: A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h);
tuples!(9: A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h I1 I2 i);
tuples!(10: A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h I1 I2 i J1 J2 j);
tuples!(11: A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h I1 I2 i J1 J2 j
    K1 K2 k);
tuples!(12: A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h I1 I2 i J1 J2 j
    K1 K2 k L1 L2 l);
tuples!(13: A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h I1 I2 i J1 J2 j
    K1 K2 k L1 L2 l M1 M2 m);
tuples!(14: A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h I1 I2 i J1 J2 j
    K1 K2 k L1 L2 l M1 M2 m N1 N2 n);
tuples!(15: A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h I1 I2 i J1 J2 j
    K1 K2 k L1 L2 l M1 M2 m N1 N2 n O1 O2 o);
tuples!(16: A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h I1 I2 i J1 J2 j
    K1 K2 k L1 L2 l M1 M2 m N1 N2 n O1 O2 o P1 P2 p);
