//! What the expansion of a function and that of a method of a worker have in common.
use super::args::Args;
use super::function::Function;
use super::span::hidden;
use super::types::words;
use super::yields;
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

/// The static with the name and the options of a function.
pub(crate) fn kept(args: &Args, function: &Function) -> TokenStream {
    let span = hidden(function.signature.ident.span());
    let (runtime, name, builders) = (args.runtime(span), function.name(), args.builders());
    // Located at the first option: a constant option is evaluated when the static is initialized,
    // and the compiler then underlines from here to the faulty option.
    let first = args.options.first().map_or(span, |given| hidden(given.span));
    let function_runtime = args.runtime(first);
    let yields = function.yields.as_ref().and_then(|yields| yields::named(yields, span));
    let new = quote_spanned!(first=> #function_runtime::Function::new(#name) #builders #yields);
    // Items have no hygiene on stable Rust. So it is in a block of its own, where the body does not
    // see it, and named otherwise if an option speaks of the user's `FUNCTION`.
    let mut name = "FUNCTION".to_owned();
    while args.options.iter().any(|given| words(given.written.clone()).contains(&name)) {
        name.push('_');
    }
    let name = Ident::new(&name, span);
    quote_spanned! {span=>
        {
            static #name: #runtime::Function = #new;
            &#name
        }
    }
}

/// Which outcomes are tried again.
pub(crate) fn again(args: &Args, function: &Function, span: Span) -> TokenStream {
    let runtime = args.runtime(span);
    if let Some(path) = args.written("retry_if").filter(|path| !path.is_empty()) {
        return quote_spanned!(span=> , #runtime::Retry::when(#path));
    }
    let (value, output) = (function.local("__output", span), function.output_or_unit());
    quote_spanned! {span=>
        , #runtime::Retry::failed(|#value: &#output| #runtime::Returned(#value).is_err())
    }
}
