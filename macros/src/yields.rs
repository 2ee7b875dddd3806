//! Functions that yield: `-> impl Iterator<Item = T>`, `-> impl Stream<Item = T>`.
//!
//! What callers get then is a stream of `T`. The `impl Trait` itself never leaves the place where
//! the body runs, so nobody has to name it.
//!
//! ```text
//! // Input:
//! fn lines(path: PathBuf) -> impl Stream<Item = String> { BODY }
//! // Output:
//! fn lines(path: PathBuf) -> ::trine::Stream<String>
//! // and in its static, where the import of the trait is used:
//! ::trine::Function::new("lines").yields::<dyn Stream<Item = ()>>()
//! ```
use super::args::Args;
use super::error::Errors;
use super::types::{ungrouped, words};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{
    FnArg, GenericArgument, Path, PathArguments, PathSegment, ReceiverKind, ReturnType, Signature,
    Type, TypeParamBound,
};

/// How a body hands out its items.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Iterator,
    Stream,
}

/// What a function yields.
pub(crate) struct Yields {
    kind: Kind,
    /// Where `impl` stands.
    span: Span,
    /// The trait as it is written, without its arguments.
    path: Path,
}

/// What the declared result yields, and the type of an item; `None` for any other result.
pub(crate) fn read(output: &ReturnType) -> Option<(Yields, Type)> {
    let ReturnType::Type(_, output) = output else {
        return None;
    };
    let Type::ImplTrait(opaque) = ungrouped(output) else {
        return None;
    };
    let found = opaque.bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => {
            let (kind, item) = item_of(bound.path.segments.last()?)?;
            Some((kind, item, &bound.path))
        }
        _ => None,
    });
    let (kind, item, path) = found?;
    let mut path = path.clone();
    if let Some(last) = path.segments.last_mut() {
        last.arguments = PathArguments::None;
    }
    Some((Yields { kind, span: opaque.impl_token.span, path }, item))
}

/// The item that is named in `Iterator<Item = T>` or `Stream<Item = T>`.
fn item_of(segment: &PathSegment) -> Option<(Kind, Type)> {
    let kind = match segment.ident.to_string().as_str() {
        "Iterator" | "DoubleEndedIterator" | "ExactSizeIterator" | "FusedIterator" => {
            Kind::Iterator
        }
        "Stream" => Kind::Stream,
        _ => return None,
    };
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(named) if named.ident == "Item" => {
            Some((kind, named.ty.clone()))
        }
        _ => None,
    })
}

/// Reports what a function that yields cannot have.
pub(crate) fn check(
    args: &Args,
    yields: Option<&Yields>,
    signature: &Signature,
    errors: &mut Errors,
) {
    let Some(yields) = yields else { return check_plain(args, errors) };
    check_common(args, signature, errors);
    if let Some(given) = args.given("scoped") {
        errors.push(
            given,
            "a function that yields cannot borrow, since its stream is read after the call: \
             remove `scoped`, and take owned arguments, or `Arc`s of them",
        );
    }
    if args.has_mode && args.mode.encodes && is_lent(signature) {
        errors.push(
            yields.span,
            "what a method yields may borrow its arguments, and the worker lends a `&` only until \
             the method returns: take it by value, `self` too, or add `+ use<>` if nothing is \
             borrowed",
        );
    }
    check_kind(args, yields, errors);
}

/// Reports what a method of a worker with state that yields cannot have. It may borrow its
/// arguments and the value: its iterator ends where both are.
pub(crate) fn check_of_worker(
    args: &Args,
    yields: Option<&Yields>,
    signature: &Signature,
    errors: &mut Errors,
) {
    let Some(yields) = yields else { return check_plain(args, errors) };
    check_common(args, signature, errors);
    check_kind(args, yields, errors);
}

/// Of one that does not.
fn check_plain(args: &Args, errors: &mut Errors) {
    if let Some(given) = args.given("ahead") {
        errors.push(
            given,
            "`ahead` is for functions that yield: return `impl Iterator<Item = T>`, or remove it",
        );
    }
}

/// What no function that yields can have.
fn check_common(args: &Args, signature: &Signature, errors: &mut Errors) {
    if let Some(given) = args.given("retries") {
        errors.push(
            given,
            "a function that yields cannot be tried again, since what was read of it cannot be \
             taken back: remove `retries`, and call it again where its stream is read",
        );
    }
    if let Some(asyncness) = &signature.asyncness {
        errors.push(
            asyncness.span,
            "a function that yields runs elsewhere from its first line on: write `fn`, and await \
             in the stream that it returns",
        );
    }
}

fn check_kind(args: &Args, yields: &Yields, errors: &mut Errors) {
    if args.has_mode && args.mode.awaits && yields.kind == Kind::Iterator {
        errors.push(
            yields.span,
            "the mode `async` polls what it runs: return `impl Stream<Item = T>`, or choose \
             `threads` for an iterator",
        );
    }
}

/// Whether a method yields what captures the lifetimes of its references: all of them, unless
/// `use<…>` says otherwise.
fn is_lent(signature: &Signature) -> bool {
    let is_reference = |input: &FnArg| match input {
        FnArg::Receiver(receiver) => matches!(receiver.kind, ReceiverKind::Reference(..)),
        FnArg::Typed(parameter) => matches!(ungrouped(&parameter.ty), Type::Reference(_)),
    };
    let is_method = matches!(signature.inputs.first(), Some(FnArg::Receiver(_)));
    let says = words(signature.output.to_token_stream()).iter().any(|word| word == "use");
    is_method && !says && signature.inputs.iter().any(is_reference)
}

/// Whether it is polled for its items.
pub(crate) fn is_polled(yields: &Yields) -> bool {
    yields.kind == Kind::Stream
}

/// The entry of the engine that takes such a body.
pub(crate) fn entry(yields: &Yields) -> &'static str {
    match yields.kind {
        Kind::Iterator => "stream",
        Kind::Stream => "stream_polled",
    }
}

/// Names the trait in the static, unless it needs no import: callers do not see it any more, and an
/// import that nothing uses is a warning.
pub(crate) fn named(yields: &Yields, span: Span) -> Option<TokenStream> {
    let path = &yields.path;
    (!path.is_ident("Iterator")).then(|| quote_spanned!(span=> .yields::<dyn #path<Item = ()>>()))
}

/// What callers get.
pub(crate) fn handle(runtime: &TokenStream, span: Span) -> TokenStream {
    let stream = Ident::new("Stream", span);
    quote_spanned!(span=> #runtime::#stream)
}
