//! The tuple that carries the arguments, and where the compiler points if one of them cannot cross.
//!
//! ```text
//! // Input:
//! fn resize(image: Image, size: u32)
//! // Output:
//! (::trine::cross::argument(image), size)
//!
//! // Input:
//! fn handle(self, request: String) -> usize
//! // Output:
//! (::trine::cross::method((request,)).body::<usize, _>(BODY),)
//! ```
use super::args::Args;
use super::body;
use super::function::{Function, Parameter};
use super::span::hidden;
use super::tuple::{MAX_TUPLE, tuple};
use super::types::{has_impl, has_short_opaque, is_known_to_cross, ungrouped, words};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;
use syn::{Receiver, Type, TypeParam};

/// The arguments of the outer function, in a tuple. Unless the type's name alone shows that an
/// argument can cross, it goes through a function whose bound checks that: the compiler then points
/// at the argument and says which part of it is wrong.
pub(crate) fn sent(args: &Args, function: &Function) -> TokenStream {
    let span = hidden(function.signature.ident.span());
    let count = function.parameters.len() + usize::from(function.receiver.is_some());
    let mut values = each(args, function, count, args.has("retries"));
    match &function.receiver {
        Some(receiver) if function.is_entered(args.mode) => {
            values.insert(0, receiver.self_token.into_token_stream());
            // The compiler points at the tuple instead of an element that is the user's token.
            return tuple(values, hidden(receiver.self_token.span));
        }
        Some(receiver) => {
            values = vec![method(args, function, receiver, &tuple(values, span))];
        }
        None => {}
    }
    tuple(values, span)
}

/// The same without a receiver. Those that are repeated can be copied.
pub(crate) fn plain(args: &Args, function: &Function, is_repeated: bool) -> TokenStream {
    let values = each(args, function, function.parameters.len(), is_repeated);
    tuple(values, hidden(function.signature.ident.span()))
}

/// The names alone, for the body of a method that a worker has called.
pub(crate) fn given(function: &Function) -> TokenStream {
    let names = function.parameters.iter().map(|parameter| parameter.name.to_token_stream());
    tuple(names.collect(), hidden(function.signature.ident.span()))
}

fn each(args: &Args, function: &Function, count: usize, is_repeated: bool) -> Vec<TokenStream> {
    let argument = |parameter: &Parameter| {
        let (ty, name) = (&parameter.ty, &parameter.name);
        if args.mode.encodes || count > MAX_TUPLE || is_plain(function, ty) {
            return name.to_token_stream();
        }
        let span = hidden(name.span());
        let runtime = args.runtime(span);
        let ask = Ident::new(if is_repeated { "repeatable" } else { "argument" }, span);
        quote_spanned!(span=> #runtime::cross::#ask(#name))
    };
    function.parameters.iter().map(argument).collect()
}

/// The body of a method, which captures `self`, and the other arguments.
fn method(
    args: &Args,
    function: &Function,
    receiver: &Receiver,
    arguments: &TokenStream,
) -> TokenStream {
    let span = hidden(receiver.self_token.span);
    let runtime = args.runtime(span);
    let ask = if args.has("retries") { "repeatable_method" } else { "method" };
    let ask = Ident::new(ask, span);
    let body = body::capturing(args, function, span);
    // A type that is unknown is reported once only if it is a generic argument each time that it is
    // written, as it is in the result of the function that callers see.
    let has_name = !args.mode.awaits && function.yields.is_none();
    let output = has_name.then(|| {
        let output = function.output_or_unit();
        quote_spanned!(span=> ::<#output, _>)
    });
    quote_spanned!(span=> #runtime::cross::#ask(#arguments).body #output (#body))
}

/// Where the compiler is to report what is wrong with the call as a whole: at an argument, at the
/// result, at `self`, or at the function's name.
pub(crate) fn place(args: &Args, function: &Function) -> Span {
    let doubtful = doubtful(args, function);
    // What is wrong with a future is a matter of the body.
    let result = || unknown_result(function).filter(|_| !args.mode.awaits);
    // The compiler blames one of the things that speak of a result, if there is only one. An item
    // and a result that is looked at after each try are spoken of twice.
    let is_said_twice = function.yields.is_some() || args.has("retries");
    let receiver = function.receiver.as_ref().filter(|_| !args.mode.awaits);
    let of_self = || receiver.map(|receiver| receiver.self_token.span);
    let found = match is_said_twice {
        true => doubtful.or_else(result).or_else(of_self),
        false => doubtful.or_else(of_self).or_else(result),
    };
    found.unwrap_or_else(|| function.signature.ident.span())
}

/// The result, unless its type's name shows that it can cross.
pub(crate) fn unknown_result(function: &Function) -> Option<Span> {
    function.output.as_ref().filter(|output| !is_known_to_cross(output)).map(Spanned::span)
}

/// The first argument that may not live long enough, because it is generic or, where it crosses as
/// bytes, of a type that may borrow invisibly. The compiler reports such a lifetime for the whole
/// call and not for one argument.
pub(crate) fn doubtful(args: &Args, function: &Function) -> Option<Span> {
    let generics = function.generics();
    let is_sure = function.output.as_ref().is_none_or(is_known_to_cross);
    let short = short_lived(function);
    let names = |parameter: &Parameter, names: &dyn Fn(&str) -> bool| {
        words(parameter.ty.to_token_stream()).iter().any(|word| names(word))
    };
    let is_short = |parameter: &&Parameter| {
        has_short_opaque(&parameter.ty)
            || names(parameter, &|word| short.iter().any(|name| *name == word))
    };
    let is_generic = |parameter: &&Parameter| {
        names(parameter, &|word| generics.iter().any(|name| *name == word))
    };
    let parameters = || function.parameters.iter();
    let found = parameters().find(is_short).or_else(|| parameters().find(is_generic));
    let unknown = || unknown(function).filter(|_| args.mode.encodes && is_sure);
    found.map(|found| found.name.span()).or_else(unknown)
}

/// The first argument whose type's name does not show that it can cross.
pub(crate) fn unknown(function: &Function) -> Option<Span> {
    let mut parameters = function.parameters.iter();
    let found = parameters.find(|parameter| !is_known_to_cross(&parameter.ty));
    found.map(|found| found.name.span())
}

/// The type parameters whose own bounds do not say `'static`.
fn short_lived(function: &Function) -> Vec<&Ident> {
    let is_short = |parameter: &&TypeParam| {
        let bounds = words(parameter.bounds.to_token_stream());
        !bounds.iter().any(|word| word == "static")
    };
    let generics = function.signature.generics.type_params();
    generics.filter(is_short).map(|parameter| &parameter.ident).collect()
}

/// Whether an argument of this type needs no check of its own: types known to cross, types without
/// a name, and type parameters, which have no parts to point at.
fn is_plain(function: &Function, ty: &Type) -> bool {
    let Type::Path(path) = ungrouped(ty) else {
        return is_known_to_cross(ty) || has_impl(ty);
    };
    let is_parameter = function.generics().iter().any(|name| path.path.is_ident(*name));
    is_parameter || is_known_to_cross(ty) || has_impl(ty)
}
