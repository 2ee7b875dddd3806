//! What `#[concurrent]` expands to.
//!
//! `cargo expand` shows it: one static with the function's name and options, one call that starts
//! the body, and the body, token for token. (It expands the macros in the body as well.) Everything
//! that the expansion names is public and documented here, and the examples on this page are
//! compiled and run.
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
//! The static is in a separate block, so that the body cannot see it: a `FUNCTION` that the body or
//! a macro in it mentions is the user's.
//!
//! The closure captures nothing, so it coerces to a plain `fn` pointer; unlike a `fn` item, it can
//! use outer generics and `Self`. All arguments travel in one tuple, even those that the body never
//! mentions, and are dropped after the body, in the order of a call. `return` and `?` leave the
//! closure, and so the body.
//!
//! `process` differs in one word of the path. Borrowed arguments (`&str`, `&[T]`, `&T`) are encoded
//! at the call; the closure receives what the worker owns in their place
//! ([`process::Owned`](crate::cross::process::Owned)) and lends it to the body:
//!
//! ```
//! # #[cfg(feature = "process")] {
//! // #[concurrent(process)]
//! // fn words(text: &str) -> usize { text.split_whitespace().count() }
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
//! The inner closure has the parameters as they were written. It exists only if they cannot be part
//! of the tuple's pattern: `_`, a pattern that leaves something unbound, a parameter with
//! attributes.
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
//!         |(url,): (String,)| async move {
//!             let (url,) = (url,);
//!             if let ::core::option::Option::Some(__output) =
//!                 ::core::option::Option::None::<Result<u16, std::num::ParseIntError>>
//!             {
//!                 return __output;
//!             }
//!             {
//!                 ({
//!                     let port = url.parse()?;
//!                     Ok(port)
//!                 })
//!             }
//!         },
//!     )
//! }
//! # assert_eq!(port("80".into()).join()?, Ok(80));
//! # Ok::<(), trine::Error>(())
//! ```
//!
//! An `async` block moves only what it mentions, so the arguments are bound again inside. It also
//! cannot declare a result type: the unreachable `return` tells the compiler the type, so that `?`
//! and coercions work as in an `async fn`. With `threads` or `process`, the block is passed to
//! [`block_on`](crate::block_on).
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
//!             (
//!                 ::trine::cross::method((request,))
//!                     .body::<usize, _>(move |(request,): (String,)| {
//!                         let _ = &self;
//!                         { ({ request.len() }) }
//!                     }),
//!             ),
//!             |(__method,): (_,)| { __method.run() },
//!         )
//!     }
//! }
//! # assert_eq!(Arc::new(Server).handle("four".into()).join()?, 4);
//! # Ok::<(), trine::Error>(())
//! ```
//!
//! An argument whose type is not known by its name to be `Send` goes through
//! [`cross::argument`](crate::cross::argument), which only checks that: there the compiler can
//! underline the argument, and report which part of it is not `Send`. With `retries` it is
//! [`cross::repeatable`](crate::cross::repeatable), which requires `Clone` as well.
//!
//! A closure cannot have a parameter `self`, so the body captures it, all of it, and travels as the
//! argument; [`cross::method`](crate::cross::method) checks that both can. Nothing is added to the
//! `impl`, which may be one of a trait.
//!
//! A worker process cannot be sent a closure. It calls the method itself, on the `self` that it has
//! decoded. [`process::method`](crate::process::method) tells that call from all others, and has
//! the body run in place; the others, which its own body makes too, start a task:
//!
//! ```
//! # #[cfg(feature = "process")] {
//! # #[derive(serde::Serialize, serde::Deserialize)]
//! # struct Grid(Vec<u64>);
//! // impl Grid {
//! //     #[concurrent(process)]
//! //     fn sum(&self, weight: u64) -> u64 { self.0.iter().sum::<u64>() * weight }
//! // }
//! impl Grid {
//!     fn sum(&self, weight: u64) -> ::trine::Task<u64> {
//!         let __method = ::trine::process::method({
//!             static FUNCTION: ::trine::Function = ::trine::Function::new("sum");
//!             &FUNCTION
//!         });
//!         if let ::core::option::Option::Some(__begun) = __method.begun() {
//!             return __begun.run((weight,), move |(weight,): (u64,)| -> u64 {
//!                 let _ = &self;
//!                 { ({ self.0.iter().sum::<u64>() * weight }) }
//!             });
//!         }
//!         __method.spawn((self, weight), |(__this, weight): (_, u64)| { __this.sum(weight) })
//!     }
//! }
//! # assert_eq!(Grid(vec![1, 2]).sum(3).join()?, 9);
//! # }
//! # Ok::<(), trine::Error>(())
//! ```
//!
//! The names that begin with two underscores are locals. The body does not see them, nor do
//! they clash with a constant of yours, whose name a pattern could not bind.
//!
//! # What options add
//!
//! Most are calls on [`Function::new`](crate::Function::new). `retries` calls `spawn_retrying` and
//! adds which outcomes are tried again, a [`Retry`](crate::Retry): of the path in `retry_if`, or of
//! `|__output: &T| ::trine::Returned(__output).is_err()` ([`Returned`](crate::Returned)). `scoped`
//! adds the scope as the first argument, calls `spawn_scoped`, replaces elided lifetimes by the
//! scope's, and bounds type parameters by it. (Those of an `impl` too: through `Self`, and in an
//! associated function that does not name `Self`, in types with a name in capitals such as `T`.)
//!
//! ```
//! // #[concurrent(threads, scoped)]
//! // fn count(text: &str) -> usize { text.len() }
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
//! # A function that yields
//!
//! ```
//! use trine::concurrent;
//!
//! #[concurrent(threads, ahead = 16)]
//! fn squares(count: u64) -> impl Iterator<Item = u64> {
//!     (0..count).map(|number| number * number)
//! }
//! # assert_eq!(squares(3).gather().join()?, [0, 1, 4]);
//! # Ok::<(), trine::Error>(())
//! ```
//!
//! becomes
//!
//! ```
//! fn squares(count: u64) -> ::trine::Stream<u64> {
//!     ::trine::threads::stream(
//!         {
//!             static FUNCTION: ::trine::Function = ::trine::Function::new("squares").ahead(16);
//!             &FUNCTION
//!         },
//!         (count,),
//!         |(count,): (u64,)| { (0..count).map(|number| number * number) },
//!     )
//! }
//! # assert_eq!(squares(3).gather().join()?, [0, 1, 4]);
//! # Ok::<(), trine::Error>(())
//! ```
//!
//! The closure has no result type, since `impl Iterator` has no name. With `impl Stream` the entry
//! is `stream_polled`, and the static names the trait (`.yields::<dyn Stream<Item = ()>>()`), so
//! that its import is still used.
//!
//! A method of a [worker](crate::guide::workers) that yields is given an
//! [`Outlet`](crate::worker::Outlet) in which it puts its items itself, so that they may borrow the
//! value: `|__this: &Model, (least,): (usize,), __outlet| { __outlet.all(Model::words(__this,
//! least)) }`, passed to `call_stream` or `call_stream_mut`.
//!
//! A parameter under `#[cfg]` makes two functions, one with it and one without, each under its own
//! `cfg`.
