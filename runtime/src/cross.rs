//! What may cross from the caller to the task and back: the bounds of the engines' entries.
//!
//! Nobody implements these traits; they hold for every type that may cross. They exist to be
//! missing: a plain `Send` bound would speak of the tuple in the expansion, these name the one
//! argument that is the matter, point at it, and say what to do.
//!
//! `threads` and `async` move values between the threads of one program. What crosses to a worker
//! process is in [`process`].

#[cfg(feature = "process")]
pub mod process;

/// An argument that can be moved into a task.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be moved into a task: it is not `Send`",
    label = "cannot go to another thread",
    note = "a task runs on another thread: use a type that is `Send` (`Arc` for `Rc`, `Mutex` for \
            `RefCell`), add `Send` to the bounds of a type parameter, or create the value in the \
            function"
)]
pub trait Argument: Send {}

// Without this the compiler would report what is behind the bound, `Send`, and not the bound.
#[diagnostic::do_not_recommend]
impl<T: Send> Argument for T {}

/// A result that can come out of a task.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot come out of a task: it is not `Send`",
    label = "cannot come from another thread",
    note = "a task runs on another thread: return a type that is `Send` (`Arc` for `Rc`, \
            `Box<dyn Trait + Send>` for `Box<dyn Trait>`)"
)]
pub trait Output: Send {}

#[diagnostic::do_not_recommend]
impl<T: Send> Output for T {}

/// A future whose value can come out of a task.
///
/// Where it cannot, the compiler points at the body of which this is the future, and there at the
/// declared result.
pub trait Answer: Future<Output: Output> {}

impl<F: Future<Output: Output>> Answer for F {}

/// An argument that can be handed over once more, when a call with `retries` has failed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be handed over again: it is not `Clone`",
    label = "`retries` needs a copy of this argument",
    note = "each try gets arguments of its own: derive `Clone`, or take the argument in an `Arc`"
)]
pub trait RepeatableArgument: Clone {}

#[diagnostic::do_not_recommend]
impl<T: Clone> RepeatableArgument for T {}

/// The tuple of the arguments of a call.
pub trait Arguments: Send {}

impl<A: ArgumentTuple> Arguments for A {}

/// The tuple of the arguments of a call that may be made again.
pub trait RepeatableArguments: Clone {}

impl<A: RepeatableTuple> RepeatableArguments for A {}

/// A type, seen as itself.
///
/// An engine's entry takes arguments `A` and a body from [`Same<A>`](Same), which is `A`. Where
/// `A` is not fit, the compiler points at the one argument that mentions it plainly: at the
/// tuple, and in there at the element.
pub trait Itself {
    /// The type.
    type Itself: ?Sized;
}

impl<T: ?Sized> Itself for T {
    type Itself = T;
}

/// `A`; see [`Itself`].
pub type Same<A> = <A as Itself>::Itself;

/// Behind [`Arguments`]; apart from it so that messages do not list every tuple there is.
#[doc(hidden)]
pub trait ArgumentTuple: Send {}

/// Behind [`RepeatableArguments`].
#[doc(hidden)]
pub trait RepeatableTuple: Clone {}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: Argument),*> ArgumentTuple for ($($name,)*) {}
        impl<$($name: RepeatableArgument),*> RepeatableTuple for ($($name,)*) {}
        tuples!(@shorter $($name)*);
    };
    (@shorter $first:ident $($rest:ident)*) => { tuples!($($rest)*); };
    (@shorter) => {};
}
tuples!(A B C D E F G H I J K L M N O P);
