//! What may cross from the caller to the task and back: the bounds of the engines' entry points.
//!
//! Users do not implement these traits; they hold for every type that may cross. They come between
//! the entry points and `Send` so that the compiler reports the one argument that is wrong, and the
//! part of it, rather than the tuple in the expansion.
//!
//! `threads` and `async` move values between the threads of one program. See [`process`] for what
//! crosses to a worker process.

/// Calls a macro with the names for a tuple of each length, from one to sixteen.
macro_rules! for_tuples {
    ($each:ident) => {
        for_tuples!($each: [] A1 A2 a B1 B2 b C1 C2 c D1 D2 d E1 E2 e F1 F2 f G1 G2 g H1 H2 h
            I1 I2 i J1 J2 j K1 K2 k L1 L2 l M1 M2 m N1 N2 n O1 O2 o P1 P2 p);
    };
    ($each:ident: [$($taken:ident)*] $sent:ident $received:ident $value:ident $($rest:ident)*) => {
        $each!($($taken)* $sent $received $value);
        for_tuples!($each: [$($taken)* $sent $received $value] $($rest)*);
    };
    ($each:ident: [$($taken:ident)*]) => {};
}

#[allow(unsafe_code, reason = "`Send`, for a value of which it was asked before")]
mod arguments;
#[allow(unsafe_code, reason = "`Send`, for a value of which it was asked before")]
mod methods;
#[cfg(feature = "process")]
pub mod process;

pub use arguments::{Checked, Repeated, argument, repeatable};
pub use methods::{Method, MethodArguments, method};
pub use methods::{RepeatedArguments, RepeatedMethod, repeatable_method};

/// Something that can be sent to a task, which receives it as a `T`: a `T` itself, or a [`Checked`]
/// one.
pub trait Movable<T>: Send {
    /// The argument.
    fn value(self) -> T;
}

impl<T: Send> Movable<T> for T {
    fn value(self) -> T {
        self
    }
}

/// The tuple of the arguments of a call, which the body receives as a `B`.
pub trait Arguments<B>: Send {
    /// The arguments.
    fn values(self) -> B;
}

/// A type that a call with `retries` can copy for each try.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be handed over again: it is not `Clone`",
    label = "`retries` needs a copy of this argument",
    note = "each try gets arguments of its own: derive `Clone`, or take the argument in an `Arc`"
)]
pub trait Repeatable: Clone {}

// Without this the compiler would report `Clone`, which is behind the bound, instead of the bound.
#[diagnostic::do_not_recommend]
impl<T: Clone> Repeatable for T {}

/// Something that is [`Movable`] repeatedly: a `T` itself, or a [`Repeated`] one.
pub trait RepeatedlyMovable<T>: Movable<T> + Clone {}

impl<T: Send + Clone> RepeatedlyMovable<T> for T {}

/// The tuple of the arguments of a call that may be repeated.
pub trait RepeatableArguments<B>: Arguments<B> + Clone {}

/// A future whose value can be returned from a task.
///
/// If it cannot, the compiler points at the declared result of the body that this future runs.
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

for_tuples!(tuples);
