//! The tuple that carries the arguments, and where the compiler points if one of them cannot cross.
//!
//! ```text
//! // Input:
//! fn resize(image: Image, size: u32)
//! // Output:
//! (::trine::cross::argument(image), size)
//! ```
use super::args::Args;
use super::function::{Function, Parameter};
use super::outer::{hidden_self, receiver_type};
use super::span::hidden;
use super::types::{has_impl, is_known_to_cross, ungrouped, words};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{GenericParam, Type};

/// serde and the runtime's traits are implemented for tuples up to this length; longer ones are
/// nested.
const LONGEST_TUPLE: usize = 16;

/// The arguments of the outer function, in a tuple. Unless the type's name alone shows that an
/// argument can cross, it goes through a function whose bound checks that: the compiler then points
/// at the argument and says which part of it is wrong.
pub(crate) fn sent(args: &Args, function: &Function) -> TokenStream {
    let span = hidden(function.signature.ident.span());
    let count = function.parameters.len() + usize::from(function.receiver.is_some());
    let argument = |ty: &Type, name: TokenStream, place: Span| {
        let asks = !args.mode.encodes && count <= LONGEST_TUPLE && !is_plain(function, ty);
        if !asks {
            return name;
        }
        let span = hidden(place);
        let runtime = args.runtime(span);
        let ask = if args.has("retries") { "repeatable" } else { "argument" };
        let ask = Ident::new(ask, span);
        quote_spanned!(span=> #runtime::cross::#ask(#name))
    };
    let receiver = function.receiver.iter().map(|this| {
        let (name, ty) = (hidden_self(this), receiver_type(args, this));
        argument(&ty, name.to_token_stream(), name.span)
    });
    let parameters = function.parameters.iter().map(|parameter| {
        argument(&parameter.ty, parameter.name.to_token_stream(), parameter.name.span())
    });
    tuple(receiver.chain(parameters).collect(), span)
}

/// The first argument that may not live long enough, because it is generic or, where it crosses as
/// bytes, of a type that may borrow invisibly; otherwise the function's name. The compiler reports
/// such a lifetime for the whole call and not for one argument.
pub(crate) fn doubtful_argument(args: &Args, function: &Function) -> Span {
    let generics: Vec<&Ident> =
        function.signature.generics.params.iter().filter_map(generic).collect();
    let is_sure = function.output.as_ref().is_none_or(is_known_to_cross);
    let is_doubtful = |parameter: &&Parameter| {
        let ty = &parameter.ty;
        words(ty.to_token_stream()).iter().any(|word| generics.iter().any(|name| *name == word))
            || args.mode.encodes && is_sure && !is_known_to_cross(ty)
    };
    // What is wrong with a future is a matter of the body.
    let receiver = function.receiver.as_ref().filter(|_| !args.mode.awaits);
    let of_self = || receiver.map(|receiver| receiver.self_token.span);
    let found = function.parameters.iter().find(is_doubtful).map(|found| found.name.span());
    found.or_else(of_self).unwrap_or_else(|| function.signature.ident.span())
}

/// Whether an argument of this type needs no check of its own: types known to cross, types without
/// a name, and type parameters, which have no parts to point at.
fn is_plain(function: &Function, ty: &Type) -> bool {
    let Type::Path(path) = ungrouped(ty) else {
        return is_known_to_cross(ty) || has_impl(ty);
    };
    let mut generics = function.signature.generics.params.iter().filter_map(generic);
    let is_parameter = generics.any(|name| path.path.is_ident(name));
    is_parameter || is_known_to_cross(ty) || has_impl(ty)
}

/// `(a, b,)`, nested if it is too long.
pub(crate) fn tuple(elements: Vec<TokenStream>, span: Span) -> TokenStream {
    match elements.as_slice() {
        [one] => quote_spanned!(span=> (#one,)),
        few if few.len() <= LONGEST_TUPLE => quote_spanned!(span=> (#(#few),*)),
        many => {
            let chunks = many.chunks(LONGEST_TUPLE).map(|chunk| tuple(chunk.to_vec(), span));
            tuple(chunks.collect(), span)
        }
    }
}

/// `.3`, or `.1 .0` if the tuple of `count` elements is nested.
pub(crate) fn place(index: usize, count: usize) -> TokenStream {
    let field = |index| {
        let index = syn::Index::from(index);
        quote!(. #index)
    };
    let chunks = count.div_ceil(LONGEST_TUPLE);
    if chunks <= 1 {
        return field(index);
    }
    let (outer, inner) = (place(index / LONGEST_TUPLE, chunks), field(index % LONGEST_TUPLE));
    quote!(#outer #inner)
}

/// How a generic parameter is passed on; lifetimes are inferred.
pub(crate) fn generic(parameter: &GenericParam) -> Option<&Ident> {
    match parameter {
        GenericParam::Type(parameter) => Some(&parameter.ident),
        GenericParam::Const(parameter) => Some(&parameter.ident),
        GenericParam::Lifetime(_) => None,
    }
}
