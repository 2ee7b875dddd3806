//! What stands in place of a function in which something was wrong: the signature that callers
//! were promised, around the body as it is, so that the mistakes already reported stay the only
//! ones, nothing becomes unused, and an editor still knows every name. It is never run.
use super::args::Args;
use super::function::{Function, visible};
use super::signature;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;

/// The function, with a body that type-checks whatever was wrong.
pub(crate) fn recover(args: &Args, function: &Function) -> TokenStream {
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
    let outer = signature::outer(args, function, &parameters);
    let span = visible(function.signature.ident.span());
    let (runtime, body) = (args.runtime(span), function.body_or_empty());
    if function.body.is_none() {
        // A method without a body is one of a trait, where it may stay without.
        let in_trait = function.receiver.is_some();
        let end = if in_trait { quote!(;) } else { quote_spanned!(span=> { ::core::panic!() }) };
        return quote!(#outer #end);
    }
    let task = if function.scope.is_some() {
        quote_spanned!(span=> #runtime::ScopedTask<'scope, T>)
    } else {
        quote_spanned!(span=> #runtime::Task<T>)
    };
    let output = match &function.output {
        Some(Type::ImplTrait(_)) | None => None,
        Some(output) => Some(quote_spanned!(span=> -> #output)),
    };
    let (bound, closure) = if function.signature.asyncness.is_some() {
        (
            quote_spanned!(span=> ::core::future::Future<Output = T>),
            quote_spanned!(span=> async move #body),
        )
    } else {
        (
            quote_spanned!(span=> ::core::ops::FnOnce() -> T),
            quote_spanned!(span=> move || #output #body),
        )
    };
    quote_spanned! {span=>
        #outer {
            fn __trine_never_run<'scope, T>(_: impl #bound + 'scope) -> #task { ::core::panic!() }
            __trine_never_run(#closure)
        }
    }
}
