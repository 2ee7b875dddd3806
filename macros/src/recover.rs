//! The replacement for a function with a mistake: the signature that callers expect around the
//! unchanged body, so that there are no further errors or warnings, nothing becomes unused, and an
//! editor still resolves every name. It is never run.
//!
//! ```text
//! // Input, with a mistake in the attribute:
//! fn step(mut self, count: u8) -> u8 { BODY }
//! // Output:
//! fn step(mut self, count: u8) -> [(); ::core::compile_error!("…")] {
//!     let _ = move || -> u8 { BODY };
//!     ::core::panic!()
//! }
//! ```
//!
//! The receiver and the parameters are the user's, since the body refers to them. Where our result
//! type could be wrong, the mistake itself takes its place as a type that rustc accepts as any
//! other.
use super::args::Args;
use super::attributes;
use super::error::Errors;
use super::function::Function;
use super::outer;
use super::span::visible;
use super::types::{borrows, has_impl, is_unsized};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{ReceiverKind, Type, Visibility};

/// The mistakes, and the function with a body that type-checks in any case.
pub(crate) fn recover(args: &Args, function: &Function, errors: Errors) -> TokenStream {
    let span = visible(function.signature.ident.span());
    let parameters: Vec<TokenStream> = function
        .parameters
        .iter()
        .map(|parameter| {
            let mut written = parameter.written.clone();
            let ty = &parameter.ty;
            *written.ty = match is_unsized(ty) || function.may_lack_size(ty) {
                // Its use in the body is mostly that of a reference.
                true => syn::parse_quote_spanned!(span=> &(#ty)),
                false => ty.clone(),
            };
            if function.body.is_none() {
                *written.pat = syn::parse_quote!(_);
            }
            written.into_token_stream()
        })
        .collect();
    let (errors, unknown) = match is_unknown(function) {
        true => errors.with_type(&mentions_lifetime(function)),
        false => (errors.to_tokens(), None),
    };
    let attributes = attributes::of_recovered(function);
    let outer = outer::around(args, function, function.receiver.as_ref(), &parameters, unknown);
    let outer = quote!(#(#attributes)* #outer);
    let Some(body) = &function.body else {
        let end = match function.is_declaration()
            || may_be_foreign(function)
            || may_take_unsized(function)
        {
            true => quote!(;),
            false => quote_spanned!(span=> { ::core::panic!() }),
        };
        return quote!(#errors #outer #end);
    };
    let has_type = |output: &&Type| !has_impl(output) && !is_unsized(output);
    let output = function.declared().filter(has_type);
    let is_future = function.is_future(args.mode);
    let body = if function.signature.asyncness.is_some() || is_future {
        let edge = output.map(|output| {
            let option = quote_spanned!(span=> ::core::option::Option);
            let value = function.local("__output", span);
            quote_spanned! {span=>
                if let #option::Some(#value) = #option::None::<#output> {
                    return #value;
                }
            }
        });
        // The parentheses, as in `body`.
        quote_spanned!(span=> async move { #edge (#body) })
    } else {
        let output = output.map(|output| quote_spanned!(span=> -> #output));
        quote_spanned!(span=> move || #output #body)
    };
    quote_spanned! {span=>
        #errors
        #outer {
            let _ = #body;
            ::core::panic!()
        }
    }
}

/// Whether the result type might be wrong: if it cannot be named, or if something else decides what
/// the function returns, such as a trait that it may belong to, or the signature of `main`.
fn is_unknown(function: &Function) -> bool {
    function.body.is_none()
        || function.is_main()
        || may_be_of_trait(function)
        || function.is_made_by_async_trait()
        || function.output.as_ref().is_some_and(has_no_name)
}

/// A type that mentions the lifetime of `async_trait`. It may be in the result alone, and without
/// it there the lifetime would be one of another kind than in the trait.
fn mentions_lifetime(function: &Function) -> TokenStream {
    match function.is_made_by_async_trait() {
        true => quote!(&'async_trait ()),
        false => quote!(()),
    }
}

/// Whether it may be in an `extern` block, where a body would be one mistake more. Elsewhere it is
/// the lack of one.
fn may_be_foreign(function: &Function) -> bool {
    let signature = &function.signature;
    let is_plain = signature.generics.params.is_empty() && signature.asyncness.is_none();
    is_plain && function.receiver.is_none() && function.yields.is_none()
}

/// Whether it may be declared in a trait, where a body cannot have `self` by value.
fn may_take_unsized(function: &Function) -> bool {
    let receiver = function.receiver.as_ref().map(|receiver| &receiver.kind);
    may_be_of_trait(function) && matches!(receiver, Some(ReceiverKind::Value))
}

fn may_be_of_trait(function: &Function) -> bool {
    function.receiver.is_some() && matches!(function.visibility, Visibility::Inherited)
}

/// Whether the type cannot be written where callers see it, because it or its lifetime is unnamed,
/// or because it has no size.
fn has_no_name(ty: &Type) -> bool {
    has_impl(ty)
        || is_unsized(ty)
        || borrows(ty).iter().any(|borrow| borrow.named().is_none() && !borrow.is_static())
}
