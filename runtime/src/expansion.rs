//! What `#[concurrent]` writes, to be read.
//!
//! `cargo expand` shows it: one static with the function's name and options, one call that starts
//! the body, and the body, token for token. (It unfolds the macros of the body as well: where
//! `println!` stood, it shows what that is made of.) All that the expansion names is public and
//! documented here, and the examples on this page are compiled and run.
//!
//! # A function
//!
//! ```
//! # use std::{io, path::PathBuf};
//! use trine::concurrent;
//!
//! #[concurrent(threads, limit = 4)]
//! fn length(path: PathBuf, mut spare: u64) -> io::Result<u64> {
//!     spare += std::fs::metadata(path)?.len();
//!     Ok(spare)
//! }
//! # assert!(length("Cargo.toml".into(), 1).join()?.is_ok());
//! # Ok::<(), trine::Error>(())
//! ```
//!
//! becomes
//!
//! ```
//! # use std::{io, path::PathBuf};
//! fn length(path: PathBuf, spare: u64) -> ::trine::Task<io::Result<u64>> {
//!     ::trine::threads::spawn(
//!         {
//!             static FUNCTION: ::trine::Function = ::trine::Function::new("length").limit(4);
//!             &FUNCTION
//!         },
//!         (path, spare),
//!         |(path, mut spare): (PathBuf, u64)| -> io::Result<u64> {
//!             spare += std::fs::metadata(path)?.len();
//!             Ok(spare)
//!         },
//!     )
//! }
//! # assert!(length("Cargo.toml".into(), 1).join()?.is_ok());
//! # Ok::<(), trine::Error>(())
//! ```
//!
//! The static stands in a block of its own, so that the body cannot see it: a `FUNCTION` that the
//! body or a macro in it speaks of is the user's.
//!
//! The closure captures nothing, so it is a plain `fn` pointer; since it is not a `fn` item,
//! generics and `Self` are still in sight. All arguments travel in one tuple, those that the body
//! never mentions too, and are dropped after the body, in the order of a call. `return` and `?`
//! leave the closure, which is to say the body.
//!
//! `process` differs by the word in the path. What is borrowed there (`&str`, `&[T]`, `&T`) is
//! encoded at the call; the closure gets what the worker owns in its place
//! ([`process::Owned`](crate::cross::process::Owned)) and lends it to the body:
//!
//! ```
//! # #[cfg(feature = "process")] {
//! fn words(text: &str) -> ::trine::Task<usize> {
//!     ::trine::process::spawn(
//!         {
//!             static FUNCTION: ::trine::Function = ::trine::Function::new("words");
//!             &FUNCTION
//!         },
//!         (text,),
//!         |(text,): (::trine::process::Owned<str>,)| -> usize {
//!             (|text: &str| -> usize { text.split_whitespace().count() })(&text)
//!         },
//!     )
//! }
//! # assert_eq!(words("a b").join()?, 2);
//! # }
//! # Ok::<(), trine::Error>(())
//! ```
//!
//! The inner closure has the parameters as they were written. It is there wherever they cannot
//! stand in the tuple's pattern: `_`, a pattern that leaves a rest, a parameter with attributes.
//!
//! # An async function
//!
//! ```
//! use trine::concurrent;
//!
//! #[concurrent(async)]
//! async fn port(url: String) -> Result<u16, std::num::ParseIntError> {
//!     let port = url.parse()?;
//!     Ok(port)
//! }
//! # assert_eq!(port("80".into()).join()?, Ok(80));
//! # Ok::<(), trine::Error>(())
//! ```
//!
//! becomes
//!
//! ```
//! fn port(url: String) -> ::trine::Task<Result<u16, std::num::ParseIntError>> {
//!     ::trine::asynchronous::spawn(
//!         {
//!             static FUNCTION: ::trine::Function = ::trine::Function::new("port");
//!             &FUNCTION
//!         },
//!         (url,),
//!         |arguments: (String,)| async move {
//!             let (url,) = arguments;
//!             if let ::core::option::Option::Some(output) =
//!                 ::core::option::Option::None::<Result<u16, std::num::ParseIntError>>
//!             {
//!                 return output;
//!             }
//!             ({
//!                 let port = url.parse()?;
//!                 Ok(port)
//!             })
//!         },
//!     )
//! }
//! # assert_eq!(port("80".into()).join()?, Ok(80));
//! # Ok::<(), trine::Error>(())
//! ```
//!
//! An `async` block moves only what it mentions, so the arguments are bound again inside. It has
//! no place for a result type either: the `return` that is never reached tells the compiler what
//! every other one has to be, so that `?` and coercions work as in an `async fn`. With `threads`
//! or `process` the block goes to [`block_on`](crate::block_on).
//!
//! # A method
//!
//! ```
//! use std::sync::Arc;
//! use trine::concurrent;
//!
//! struct Server;
//!
//! impl Server {
//!     #[concurrent(threads)]
//!     fn handle(self: Arc<Self>, request: String) -> usize {
//!         request.len()
//!     }
//! }
//! # assert_eq!(Arc::new(Server).handle("four".into()).join()?, 4);
//! # Ok::<(), trine::Error>(())
//! ```
//!
//! becomes
//!
//! ```
//! use std::sync::Arc;
//!
//! struct Server;
//!
//! impl Server {
//!     fn handle(self: Arc<Self>, request: String) -> ::trine::Task<usize> {
//!         ::trine::threads::spawn(
//!             {
//!                 static FUNCTION: ::trine::Function = ::trine::Function::new("handle");
//!                 &FUNCTION
//!             },
//!             (::trine::cross::argument(self), request),
//!             |(this, request): (Arc<Self>, String)| -> usize {
//!                 Self::__trine_handle(this, request)
//!             },
//!         )
//!     }
//!     #[doc(hidden)]
//!     fn __trine_handle(self: Arc<Self>, request: String) -> usize {
//!         request.len()
//!     }
//! }
//! # assert_eq!(Arc::new(Server).handle("four".into()).join()?, 4);
//! # Ok::<(), trine::Error>(())
//! ```
//!
//! An argument of which nobody can tell by the name of its type that it is `Send` goes through
//! [`cross::argument`](crate::cross::argument), which does nothing but ask: there the compiler can
//! underline it, and say what in it is not. With `retries` that is
//! [`cross::repeatable`](crate::cross::repeatable), which asks for `Clone` as well.
//!
//! No closure has a `self`, so the body stays in a method. That is also why a method of a trait
//! cannot be concurrent: there is no room beside it.
//!
//! # What options add
//!
//! Most are calls on [`Function::new`](crate::Function::new). `retries` calls `spawn_retrying` and
//! adds which outcomes are tried again, a [`Retry`](crate::Retry): of the path in `retry_if`, or of
//! `|output: &T| ::trine::Returned(output).is_err()` ([`Returned`](crate::Returned)). `scoped` adds
//! the scope as the first argument, calls `spawn_scoped`, gives the lifetimes that were left out
//! the scope's, and says that type parameters live as long:
//!
//! ```
//! fn count<'scope>(
//!     scope: &'scope ::trine::Scope<'scope, '_>,
//!     text: &'scope str,
//! ) -> ::trine::ScopedTask<'scope, usize> {
//!     ::trine::threads::spawn_scoped(
//!         scope,
//!         {
//!             static FUNCTION: ::trine::Function = ::trine::Function::new("count");
//!             &FUNCTION
//!         },
//!         (text,),
//!         |(text,): (&'scope str,)| -> usize { text.len() },
//!     )
//! }
//! # let text = String::from("four");
//! # assert_eq!(trine::scope(|scope| count(scope, &text).join())?, 4);
//! # Ok::<(), trine::Error>(())
//! ```
//!
//! A parameter under `#[cfg]` makes two functions, one with it and one without, each under a `cfg`
//! of its own.
