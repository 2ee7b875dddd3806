//! What may cross from the caller to the task and back: the bounds of the engines' entries.
//!
//! Nobody implements these traits; they hold for every type that may cross. They stand between the
//! entries and `Send` so that the compiler speaks of the one argument that is the matter, and of
//! what is in it, rather than of the tuple in the expansion.
//!
//! `threads` and `async` move values between the threads of one program. What crosses to a worker
//! process is in [`process`].

#[allow(unsafe_code, reason = "`Send`, for a value of which it was asked before")]
mod argument;
#[cfg(feature = "process")]
pub mod process;

pub use argument::{Argument, Repeated, argument, repeatable};

/// What can go to a task, which gets it as a `T`: a `T` itself, or an [`Argument`].
pub trait Movable<T>: Send {
    /// The argument.
    fn value(self) -> T;
}

impl<T: Send> Movable<T> for T {
    fn value(self) -> T {
        self
    }
}

/// The tuple of the arguments of a call, which the body gets as a `B`.
pub trait Arguments<B>: Send {
    /// The arguments.
    fn values(self) -> B;
}

/// A type of which a call with `retries` can hand over another copy.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be handed over again: it is not `Clone`",
    label = "`retries` needs a copy of this argument",
    note = "each try gets arguments of its own: derive `Clone`, or take the argument in an `Arc`"
)]
pub trait Repeatable: Clone {}

// Without this the compiler would report what is behind the bound, `Clone`, and not the bound.
#[diagnostic::do_not_recommend]
impl<T: Clone> Repeatable for T {}

/// What is [`Movable`] again and again: a `T` itself, or a [`Repeated`] one.
pub trait RepeatedlyMovable<T>: Movable<T> + Clone {}

impl<T: Send + Clone> RepeatedlyMovable<T> for T {}

/// The tuple of the arguments of a call that may be made again.
pub trait RepeatableArguments<B>: Arguments<B> + Clone {}

/// A future whose value can come out of a task.
///
/// Where it cannot, the compiler points at the body of which this is the future, and there at the
/// declared result.
pub trait Answer: Future<Output: Send> {}

impl<F: Future<Output: Send>> Answer for F {}

impl Arguments<()> for () {
    fn values(self) {}
}

impl RepeatableArguments<()> for () {}

macro_rules! tuples {
    ($($sent:ident $received:ident $value:ident)*) => {
        impl<$($sent: Movable<$received>, $received),*> Arguments<($($received,)*)>
            for ($($sent,)*)
        {
            fn values(self) -> ($($received,)*) {
                let ($($value,)*) = self;
                ($($value.value(),)*)
            }
        }

        impl<$($sent: RepeatedlyMovable<$received>, $received),*>
            RepeatableArguments<($($received,)*)> for ($($sent,)*)
        {
        }
    };
}

tuples!(A1 A2 a);
tuples!(A1 A2 a B1 B2 b);
tuples!(A1 A2 a B1 B2 b C1 C2 c);
tuples!(A1 A2 a B1 B2 b C1 C2 c D1 D2 d);
tuples!(A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e);
tuples!(A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f);
tuples!(A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g);
tuples!(A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h);
tuples!(A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h I1 I2 i);
tuples!(A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h I1 I2 i J1 J2 j);
tuples!(A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h I1 I2 i J1 J2 j
    K1 K2 k);
tuples!(A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h I1 I2 i J1 J2 j
    K1 K2 k L1 L2 l);
tuples!(A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h I1 I2 i J1 J2 j
    K1 K2 k L1 L2 l M1 M2 m);
tuples!(A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h I1 I2 i J1 J2 j
    K1 K2 k L1 L2 l M1 M2 m N1 N2 n);
tuples!(A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h I1 I2 i J1 J2 j
    K1 K2 k L1 L2 l M1 M2 m N1 N2 n O1 O2 o);
tuples!(A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h I1 I2 i J1 J2 j
    K1 K2 k L1 L2 l M1 M2 m N1 N2 n O1 O2 o P1 P2 p);
