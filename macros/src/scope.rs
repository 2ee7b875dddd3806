//! What `scoped` adds to a signature: the lifetime of the scope, and bounds so that all arguments
//! live that long.
//!
//! ```text
//! // Input:
//! fn count<T: Ord>(text: &str, word: T) -> usize
//! // Output:
//! fn count<'scope, T: Ord + 'scope>(
//!     scope: &'scope ::trine::Scope<'scope, '_>,
//!     text: &'scope str,
//!     word: T,
//! ) -> ::trine::ScopedTask<'scope, usize>
//! ```
use super::function::Function;
use super::span::visible;
use super::types::{Borrow, bound_opaque, has_impl, name_elided, words};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{GenericParam, Generics, Lifetime, ReceiverKind, Token};

/// The scope parameter of the outer function.
pub(crate) fn name(function: &Function, span: Span) -> Ident {
    function.local("scope", span)
}

/// Replaces elided lifetimes by the scope's, so that the function, its closure and its task agree
/// on them.
pub(crate) fn name_lifetimes(function: &mut Function) {
    let mut name = "'scope".to_owned();
    let taken = words(function.signature.generics.to_token_stream());
    while taken.iter().any(|taken| taken == name.trim_start_matches('\''))
        || function.borrows().iter().any(|borrow| {
            borrow.lifetime.as_ref().is_some_and(|lifetime| lifetime.to_string() == name)
        })
    {
        name.push_str("_of_task");
    }
    let scope = Lifetime::new(&name, visible(function.signature.ident.span()));
    for parameter in &mut function.parameters {
        name_elided(&mut parameter.ty, &scope);
        bound_opaque(&mut parameter.ty, &scope);
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

/// Declares the lifetime of the scope, and bounds everything in the call by it: named lifetimes,
/// and generics, which may borrow.
pub(crate) fn bind(generics: &mut Generics, function: &Function, scope: &Lifetime, end: Span) {
    let mut longer: Vec<TokenStream> = Vec::new();
    let mut seen: Vec<Lifetime> = Vec::new();
    for lifetime in function.borrows().iter().filter_map(Borrow::named) {
        if lifetime.ident != scope.ident && !seen.contains(lifetime) {
            seen.push(lifetime.clone());
        }
    }
    if by_value(function) {
        let this = Ident::new("Self", visible(end));
        longer.push(quote!(#this));
    } else if function.receiver.is_none() {
        longer.extend(of_impl(function, generics));
    }
    // Added to the existing bounds, since clippy warns about bounds in two places.
    for parameter in &mut generics.params {
        match parameter {
            GenericParam::Lifetime(parameter) if !parameter.bounds.is_empty() => {
                if let Some(place) = seen.iter().position(|seen| *seen == parameter.lifetime) {
                    seen.remove(place);
                    parameter.bounds.push(scope.clone());
                }
            }
            GenericParam::Type(parameter) if !parameter.bounds.is_empty() => {
                parameter.bounds.push(syn::parse_quote!(#scope));
            }
            GenericParam::Type(parameter) => longer.push(parameter.ident.to_token_stream()),
            _ => {}
        }
    }
    generics.params.insert(0, syn::parse_quote!(#scope));
    longer.extend(seen.iter().map(ToTokens::to_token_stream));
    if !longer.is_empty() {
        let predicates = &mut generics.make_where_clause().predicates;
        for longer in longer {
            predicates.push(syn::parse_quote!(#longer: #scope));
        }
        predicates.push_punct(Token![,](end));
    }
}

/// Whether a `Self` crosses, whose generics are not in this function's own list.
fn by_value(function: &Function) -> bool {
    let receiver = function.receiver.as_ref().map(|receiver| &receiver.kind);
    match receiver {
        Some(ReceiverKind::Reference(..)) => false,
        Some(_) => true,
        None => words(function.signature.to_token_stream()).iter().any(|word| word == "Self"),
    }
}

/// The types that speak of a type parameter that is not the function's own: one of the impl that an
/// associated function is in. Such a parameter is known by its name, which has no small letters.
fn of_impl(function: &Function, own: &Generics) -> Vec<TokenStream> {
    let own: Vec<String> = own.type_params().map(|own| own.ident.to_string()).collect();
    let is_of_impl = |name: &str| {
        let is_upper = name.starts_with(|first: char| first.is_ascii_uppercase())
            && !name.contains(|letter: char| letter.is_ascii_lowercase());
        is_upper && !own.iter().any(|own| own == name)
    };
    let types = function.parameters.iter().map(|parameter| &parameter.ty).chain(&function.output);
    let mut found: Vec<TokenStream> = Vec::new();
    for ty in types.filter(|ty| !has_impl(ty)) {
        let ty = ty.to_token_stream();
        let is_new = found.iter().all(|found| found.to_string() != ty.to_string());
        if is_new && words(ty.clone()).iter().any(|name| is_of_impl(name)) {
            found.push(ty);
        }
    }
    found
}
