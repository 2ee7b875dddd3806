//! What holds in every mode: calls and their handles, scopes, options.
//!
//! The modes are tables of the same functions, `trine_tests::modes`: what is new in all of them
//! gets a row there and its checks in a file here.

mod anywhere;
mod calls;
mod combined;
mod methods;
mod options;
mod priority;
mod scope;
