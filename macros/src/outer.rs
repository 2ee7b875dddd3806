//! The function that callers see.
//!
//! ```text
//! // Input:
//! pub async fn thumbnail(mut path: PathBuf, size: u32) -> io::Result<Image>
//! // Output:
//! pub fn thumbnail(path: PathBuf, size: u32) -> ::trine::Task<io::Result<Image>>
//! ```
use super::args::Args;
use super::attributes;
use super::function::Function;
use super::scope;
use super::span::visible;
use super::yields;
use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Receiver, ReturnType, Token};

/// Everything before the braces: the user's signature with its result wrapped in `Task` and, with
/// `scoped`, the scope as the first parameter.
pub(crate) fn signature(args: &Args, function: &Function) -> TokenStream {
    let receiver = function.receiver.as_ref();
    let named = function.parameters.iter().map(|parameter| {
        let (name, colon, ty) = (&parameter.name, &parameter.written.colon_token, &parameter.ty);
        quote!(#name #colon #ty)
    });
    let attributes = attributes::of_outer(args, function);
    let signature = around(args, function, receiver, &named.collect::<Vec<_>>(), None);
    quote!(#(#attributes)* #signature)
}

/// The signature with this receiver and these parameters, without attributes. `unknown` replaces
/// the result if there is no telling what callers expect.
pub(crate) fn around(
    args: &Args,
    function: &Function,
    receiver: Option<&Receiver>,
    parameters: &[TokenStream],
    unknown: Option<TokenStream>,
) -> TokenStream {
    let written = &function.signature;
    let (visibility, fn_token, name) = (&function.visibility, &written.fn_token, &written.ident);
    let span = visible(name.span());
    let runtime = args.runtime(span);
    // This has been reported as an error; it is kept so that callers may still write
    // `unsafe { … }`.
    let safety = &written.safety;
    let receiver = receiver.map(|receiver| quote!(#receiver,));
    let mut generics = written.generics.clone();
    let end = end(function);
    let output = function.output_or_unit();
    let close = Token![>](end);
    // The result is where the user wrote it: a trait may expect another one.
    let result = match &written.output {
        ReturnType::Default => span,
        ReturnType::Type(_, output) => visible(syn::spanned::Spanned::span(output)),
    };
    let result_runtime = args.runtime(result);
    let (scope, task) = match &function.scope {
        Some(lifetime) => {
            scope::bind(&mut generics, function, lifetime, end);
            let scope = scope::name(function, span);
            (
                quote_spanned!(span=> #scope: &#lifetime #runtime::Scope<#lifetime, '_>,),
                quote_spanned!(result=> #result_runtime::ScopedTask<#lifetime, #output #close),
            )
        }
        None => {
            let handle = match &function.yields {
                Some(_) => yields::handle(&result_runtime, result),
                None => quote_spanned!(result=> #result_runtime::Task),
            };
            (TokenStream::new(), quote_spanned!(span=> #handle<#output #close))
        }
    };
    let task = unknown.unwrap_or(task);
    let where_clause = &generics.where_clause;
    // Empty angle brackets, which nobody sees: a type that is unknown is written here and at the
    // closure, and rustc says that once only if it proposes the same both times. Here it would
    // propose a type parameter, but not where the brackets are a macro's.
    let brackets = generics.params.is_empty().then(|| quote_spanned!(span=> <>));
    quote_spanned! {span=>
        #visibility #safety #fn_token #name #brackets #generics (#receiver #scope #(#parameters),*)
        -> #task
        #where_clause
    }
}

/// The end of the signature, at one of the user's tokens: where the compiler proposes a `where`.
fn end(function: &Function) -> Span {
    let signature = &function.signature;
    match &signature.output {
        ReturnType::Default => signature.paren_token.span.close(),
        ReturnType::Type(arrow, output) => last(output.to_token_stream()).unwrap_or(arrow.spans[1]),
    }
}

/// Where the last of the tokens ends.
fn last(tokens: TokenStream) -> Option<Span> {
    match tokens.into_iter().last()? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => last(group.stream()),
        TokenTree::Group(group) => Some(group.span_close()),
        token => Some(token.span()),
    }
}
