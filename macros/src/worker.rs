//! The attribute on an `impl`: a worker with state.
//!
//! ```text
//! // Input:
//! #[concurrent(threads, restarts = 3)]
//! impl Model {
//!     pub fn load(path: PathBuf) -> Result<Self, String> { BODY }
//!     pub fn predict(&self, input: Vec<f32>) -> f32 { BODY }
//! }
//! // Output:
//! impl Model { as it was }
//! pub struct ModelWorker<T = Model>(::trine::Worker<T>);
//! impl ModelWorker<Model> {
//!     pub fn load(path: PathBuf) -> Self {
//!         let body = |(path,): (PathBuf,)| Model::load(path);
//!         Self(::trine::threads::worker::<Model, _, _, _>(FUNCTION, (path,), body))
//!     }
//!     pub fn predict(&self, input: Vec<f32>) -> ::trine::Task<f32> {
//!         let body = |this: &Model, (input,): (Vec<f32>,)| Model::predict(this, input);
//!         ::trine::threads::call(&self.0, FUNCTION, (input,), body)
//!     }
//! }
//! // and `Clone`, `Debug` and `Deref` for it
//! ```
//!
//! (The bodies are written where they are passed.) Nothing is added to the type itself, which stays
//! plain. [`block`] takes the `impl` apart, without looking into bodies; [`check`] says what of it
//! cannot be a worker; [`methods`] writes the calls, and [`made`] the type around them. After a
//! mistake the `impl` is still there as it was, and the worker too, with bodies that are never run,
//! so that one mistake is one error.
use super::error::Errors;
use super::mode::Mode;
use super::reader;
use proc_macro2::TokenStream;
use quote::quote;

mod block;
mod check;
mod made;
mod methods;

use block::Block;

/// Whether the item is an `impl`.
pub(crate) fn is_impl(item: &TokenStream) -> bool {
    block::is_impl(item)
}

/// The expansion of `#[concurrent(ARGUMENTS)] impl …`.
pub(crate) fn concurrent(
    arguments: TokenStream,
    item: TokenStream,
    enabled: fn(&Mode) -> bool,
) -> TokenStream {
    let mut errors = Errors::default();
    let args = reader::attribute(arguments, enabled, &mut errors);
    let block = match Block::parse(&args, item.clone(), &mut errors) {
        Ok(block) => block,
        Err(error) => {
            errors.add(error);
            return [errors.to_tokens(), item].into_iter().collect();
        }
    };
    check::check(&args, &block, &mut errors);
    let plain = &block.plain;
    if block.of_trait.is_some() {
        return [errors.to_tokens(), plain.clone()].into_iter().collect();
    }
    let worker = made::worker(&args, &block, errors.is_empty());
    let errors = errors.to_tokens();
    quote!(#plain #errors #worker)
}
