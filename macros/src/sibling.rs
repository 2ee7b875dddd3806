//! The hidden method that holds the body of a concurrent method of the mode `process`. A closure
//! around the body would have to capture `self`, and cannot be sent to a worker; nor can it take
//! `self`, which is not a pattern.
//!
//! ```text
//! // Input:
//! pub fn handle(&self, mut request: String) -> usize { BODY }
//! // Output, beside the method that callers see:
//! #[doc(hidden)]
//! fn __trine_handle(&self, mut request: String) -> usize { BODY }
//! ```
//!
//! In an impl of a trait there is room for it only if the trait declares it too, which the
//! attribute does on a declaration.
use super::args::Args;
use super::attributes;
use super::function::Function;
use super::span::{hidden, visible};
use super::types::{is_known_to_cross, ungrouped};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned;
use syn::{ReturnType, Type, Visibility};

/// The method that has the body, with the user's patterns, lints and lifetimes.
pub(crate) fn method(args: &Args, function: &Function) -> TokenStream {
    let mut signature = function.signature.clone();
    signature.ident = name(function);
    let span = visible(function.signature.ident.span());
    // rustc does not lint the signature of a function that begins with a generated token; the
    // signature that callers see is linted instead. The body is linted as usual.
    signature.fn_token.span = visible(signature.fn_token.span);
    // Coverage counts the body of an `async fn` only where that token is the user's too. But it may
    // be in a public trait if it has no visibility, and there rustc objects to an `async fn`.
    if let Some(asyncness) = &mut signature.asyncness
        && matches!(function.visibility, Visibility::Inherited)
    {
        asyncness.span = visible(asyncness.span);
    }
    if let ReturnType::Type(_, output) = &mut signature.output
        && !is_known_to_cross(output)
        && let Type::Path(path) = ungrouped(output)
        && path.path.get_ident().is_some()
    {
        // A type that is unknown is reported once only if it is a generic argument each time that
        // it is written, as it is in the result of the function that callers see.
        let place = visible(path.span());
        let runtime = args.runtime(place);
        **output = syn::parse_quote_spanned!(place=> #runtime::process::Itself<#path>);
    }
    let attributes = attributes::of_sibling(function);
    let body = function.body_or_end();
    quote_spanned! {span=>
        #(#attributes)*
        #[doc(hidden)]
        #signature #body
    }
}

/// Its name: `__trine_handle` beside `handle`, and `___trine_handle` beside `_handle`. The style
/// lints object to doubled underscores inside a name, but not at its start.
pub(crate) fn name(function: &Function) -> Ident {
    let name = function.name();
    let bare = name.trim_start_matches('_');
    let front = "_".repeat(name.len() - bare.len());
    format_ident!("{front}__trine_{bare}", span = hidden(function.signature.ident.span()))
}
