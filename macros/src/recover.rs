//! The replacement for a function with a mistake: the signature that callers expect around the
//! unchanged body, so that there are no further errors, nothing becomes unused, and an editor still
//! resolves every name. It is never run.
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
use super::types::{borrows, has_impl};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{Type, Visibility};

/// The mistakes, and the function with a body that type-checks in any case.
pub(crate) fn recover(args: &Args, function: &Function, errors: Errors) -> TokenStream {
    let span = visible(function.signature.ident.span());
    let parameters: Vec<TokenStream> = function
        .parameters
        .iter()
        .map(|parameter| {
            let mut written = parameter.written.clone();
            *written.ty = parameter.ty.clone();
            if function.body.is_none() {
                *written.pat = syn::parse_quote!(_);
            }
            written.into_token_stream()
        })
        .collect();
    let (errors, unknown) =
        if is_unknown(function) { errors.with_type() } else { (errors.to_tokens(), None) };
    let attributes = attributes::of_recovered(function);
    let outer = outer::around(args, function, function.receiver.as_ref(), &parameters, unknown);
    let outer = quote!(#(#attributes)* #outer);
    let Some(body) = &function.body else {
        // Allowed in traits and `extern` blocks, where a body could be one mistake more.
        let of_type = function.receiver.is_some() && !may_be_of_trait(function);
        let end = match of_type {
            true => quote_spanned!(span=> { ::core::panic!() }),
            false => quote!(;),
        };
        return quote!(#errors #outer #end);
    };
    let output = function.declared().filter(|output| !has_impl(output));
    let is_future = function.is_future(args.mode);
    let body = if function.signature.asyncness.is_some() || is_future {
        let edge = output.map(|output| {
            let option = quote_spanned!(span=> ::core::option::Option);
            quote_spanned! {span=>
                if let #option::Some(output) = #option::None::<#output> {
                    return output;
                }
            }
        });
        quote_spanned!(span=> async move { #edge #body })
    } else {
        let output = output.map(|output| quote_spanned!(span=> -> #output));
        let body = if output.is_some() { body.to_token_stream() } else { quote!({ #body }) };
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
        || function.output.as_ref().is_some_and(has_no_name)
}

fn may_be_of_trait(function: &Function) -> bool {
    function.receiver.is_some() && matches!(function.visibility, Visibility::Inherited)
}

/// Whether the type cannot be written where callers see it, because it or its lifetime is unnamed.
fn has_no_name(ty: &Type) -> bool {
    has_impl(ty) || borrows(ty).iter().any(|borrow| borrow.named().is_none() && !borrow.is_static())
}
