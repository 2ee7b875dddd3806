//! The function that callers see, and the hidden one in which a method keeps its body.
use super::args::{Args, Mode};
use super::function::{Function, hidden, visible};
use super::lifetimes::{Borrow, name_elided};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::{Attribute, Generics, Lifetime, Meta, Receiver, ReceiverKind, ReturnType, Token, Type};

/// Everything before the braces: the user's signature with `Task` around its result and, with
/// `scoped`, the scope in front of its parameters.
pub(crate) fn outer(args: &Args, function: &Function, parameters: &[TokenStream]) -> TokenStream {
    let Function { visibility, signature, .. } = function;
    let (fn_token, name) = (&signature.fn_token, &signature.ident);
    let span = visible(name.span());
    let runtime = args.runtime(span);
    // An error by then, and kept so that callers may go on writing `unsafe { … }`.
    let safety = &signature.safety;
    let attributes =
        function.attributes.iter().filter_map(|attribute| outer_attribute(function, attribute));
    let receiver = function.receiver.as_ref().map(|receiver| {
        let self_token = hidden_self(receiver);
        let receiver = Receiver { mutability: None, self_token, ..receiver.clone() };
        quote!(#receiver,)
    });
    let mut generics = signature.generics.clone();
    let output = function.output_or_unit();
    let end = end(function);
    let (scope, task) = match &function.scope {
        Some(lifetime) => {
            bind_scope(&mut generics, function, lifetime, end);
            let scope = scope_name(span);
            (
                quote_spanned!(span=> #scope: &#lifetime #runtime::Scope<#lifetime, '_>,),
                quote_spanned!(span=> #runtime::ScopedTask<#lifetime, #output),
            )
        }
        None => (TokenStream::new(), quote_spanned!(span=> #runtime::Task<#output)),
    };
    let close = Token![>](end);
    let where_clause = &generics.where_clause;
    quote_spanned! {span=>
        #(#attributes)*
        #visibility #safety #fn_token #name #generics (#receiver #scope #(#parameters),*)
        -> #task #close
        #where_clause
    }
}

/// Where the signature ends, at a token of the user's.
fn end(function: &Function) -> Span {
    let signature = &function.signature;
    match &signature.output {
        ReturnType::Default => signature.paren_token.span.close(),
        ReturnType::Type(arrow, _) => arrow.spans[1],
    }
}

/// The parameters as the body of the outer function needs them: a name each.
pub(crate) fn named_parameters(function: &Function) -> Vec<TokenStream> {
    let named = function.parameters.iter().map(|parameter| {
        let (name, colon, ty) = (&parameter.name, &parameter.written.colon_token, &parameter.ty);
        quote!(#name #colon #ty)
    });
    named.collect()
}

/// The method that has the body of a concurrent method: its patterns, its lints, its lifetimes.
/// A closure could not do: `self` is no pattern.
pub(crate) fn sibling(function: &Function) -> TokenStream {
    let mut signature = function.signature.clone();
    signature.ident = sibling_name(function);
    let span = visible(function.signature.ident.span());
    // A function that begins with a token of ours is nobody's to lint: what there is to say about
    // the signature is said of the one that callers see. The body's lints look at the body.
    signature.fn_token.span = visible(signature.fn_token.span);
    if let Some(asyncness) = &mut signature.asyncness {
        asyncness.span = visible(asyncness.span);
    }
    let attributes = function.attributes.iter().filter_map(sibling_attribute);
    let body = function.body_or_empty();
    quote_spanned! {span=>
        #(#attributes)*
        #[doc(hidden)]
        #signature #body
    }
}

/// The name of that method.
pub(crate) fn sibling_name(function: &Function) -> Ident {
    let name = function.name();
    let name = name.trim_start_matches('_');
    format_ident!("__trine_{name}", span = hidden(function.signature.ident.span()))
}

/// What the outer function calls the scope.
pub(crate) fn scope_name(span: Span) -> Ident {
    Ident::new("scope", hidden(span))
}

/// Gives the lifetimes that the user left out the name of the scope, so that the function, its
/// closure and its task speak of the same ones.
pub(crate) fn name_lifetimes(function: &mut Function) {
    let mut name = "'scope".to_owned();
    let generics = &function.signature.generics;
    while mentions_lifetime(generics.to_token_stream(), &name)
        || function.borrows().iter().any(|borrow| {
            borrow.lifetime.as_ref().is_some_and(|lifetime| lifetime.to_string() == name)
        })
    {
        name.push_str("_of_task");
    }
    let scope = Lifetime::new(&name, visible(function.signature.ident.span()));
    for parameter in &mut function.parameters {
        name_elided(&mut parameter.ty, &scope);
    }
    if let Some(output) = &mut function.output {
        name_elided(output, &scope);
    }
    match function.receiver.as_mut().map(|receiver| &mut receiver.kind) {
        Some(ReceiverKind::Reference(_, lifetime, _)) => {
            let elided = lifetime.as_ref().is_none_or(|lifetime| lifetime.ident == "_");
            if elided {
                *lifetime = Some(scope.clone());
            }
        }
        Some(ReceiverKind::Typed(_, ty)) => name_elided(ty, &scope),
        _ => {}
    }
    function.scope = Some(scope);
}

/// Declares the lifetime of the scope, and that everything borrowed lives as long.
fn bind_scope(generics: &mut Generics, function: &Function, scope: &Lifetime, end: Span) {
    let mut longer: Vec<Lifetime> = Vec::new();
    for lifetime in function.borrows().iter().filter_map(Borrow::named) {
        if lifetime.ident != scope.ident && !longer.contains(lifetime) {
            longer.push(lifetime.clone());
        }
    }
    generics.params.insert(0, syn::parse_quote!(#scope));
    if !longer.is_empty() {
        let predicates = &mut generics.make_where_clause().predicates;
        for lifetime in longer {
            predicates.push(syn::parse_quote!(#lifetime: #scope));
        }
        predicates.push_punct(Token![,](end));
    }
}

fn mentions_lifetime(tokens: TokenStream, name: &str) -> bool {
    // The name without its quote: what a lifetime is made of in a token stream.
    let name = name.trim_start_matches('\'');
    tokens.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Ident(ident) => ident == name,
        proc_macro2::TokenTree::Group(group) => mentions_lifetime(group.stream(), name),
        _ => false,
    })
}

/// The attribute as the outer function bears it.
fn outer_attribute(function: &Function, attribute: &Attribute) -> Option<TokenStream> {
    // `Task` is `#[must_use]` itself; only a message of one's own adds to that.
    if attribute.path().is_ident("must_use") && matches!(attribute.meta, Meta::Path(_)) {
        return None;
    }
    if function.receiver.is_some() && attribute.path().is_ident("expect") {
        let [seen, body] = split_expect(attribute)?;
        let body = body.map(allowed);
        return Some(quote!(#seen #body));
    }
    Some(attribute.to_token_stream())
}

/// The attribute as the method with the body bears it: what decides about lints in there, and
/// whether there is a method at all.
fn sibling_attribute(attribute: &Attribute) -> Option<TokenStream> {
    if attribute.path().is_ident("expect") {
        let [seen, body] = split_expect(attribute)?;
        let seen = seen.map(allowed);
        return Some(quote!(#seen #body));
    }
    (attribute.path().is_ident("cfg") || is_lint(attribute)).then(|| attribute.to_token_stream())
}

/// What is expected of one of the two functions is allowed in the other.
fn allowed(mut expect: Attribute) -> Attribute {
    if let Meta::List(list) = &mut expect.meta {
        list.path = syn::parse_quote!(allow);
    }
    expect
}

/// Lints that look at a function from outside.
const SIGNATURE_LINTS: [&str; 12] = [
    "dead_code",
    "missing_docs",
    "elided_lifetimes_in_paths",
    "single_use_lifetimes",
    "unused_lifetimes",
    "clippy::extra_unused_lifetimes",
    "clippy::new_ret_no_self",
    "clippy::should_implement_trait",
    "clippy::too_many_arguments",
    "clippy::type_complexity",
    "clippy::wrong_self_convention",
    "clippy::needless_arbitrary_self_type",
];

/// `#[expect(…)]` has to stand where the lint fires, and only there: at the function that callers
/// see, or at the body.
fn split_expect(attribute: &Attribute) -> Option<[Option<Attribute>; 2]> {
    let parser = Punctuated::<Meta, Token![,]>::parse_terminated;
    let metas = attribute.parse_args_with(parser).ok()?;
    let (reason, lints): (Vec<Meta>, Vec<Meta>) =
        metas.into_iter().partition(|meta| meta.path().is_ident("reason"));
    let (seen, body): (Vec<Meta>, Vec<Meta>) = lints.into_iter().partition(|lint| {
        let name: Vec<String> =
            lint.path().segments.iter().map(|segment| segment.ident.to_string()).collect();
        SIGNATURE_LINTS.contains(&&*name.join("::"))
    });
    let expect = |lints: Vec<Meta>| {
        (!lints.is_empty()).then(|| {
            let lints = lints.iter().chain(&reason);
            syn::parse_quote!(#[expect(#(#lints),*)])
        })
    };
    Some([expect(seen), expect(body)])
}

/// `allow`, `warn`, `deny`, `forbid`.
fn is_lint(attribute: &Attribute) -> bool {
    ["allow", "warn", "deny", "forbid"].iter().any(|level| attribute.path().is_ident(level))
}

/// `self` in the outer function, where the user's code never stands.
pub(crate) fn hidden_self(receiver: &Receiver) -> Token![self] {
    Token![self](hidden(receiver.self_token.span))
}

/// The type of `self` in the closure.
pub(crate) fn receiver_type(args: &Args, receiver: &Receiver) -> Type {
    let span = visible(receiver.self_token.span);
    let this = Ident::new("Self", span);
    match &receiver.kind {
        ReceiverKind::Typed(_, ty) => (**ty).clone(),
        ReceiverKind::Reference(and, lifetime, mutability) => {
            let lifetime = lifetime.as_ref().filter(|_| args.mode != Mode::Process);
            syn::parse_quote!(#and #lifetime #mutability #this)
        }
        _ => syn::parse_quote!(#this),
    }
}
