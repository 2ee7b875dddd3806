//! What the tokens of a type tell: where it borrows, which lifetimes it elides, what it mentions.
//!
//! Only what the value itself may borrow counts, not the inputs and outputs of `fn(&str)` and
//! `dyn Fn(&str)`, nor lifetimes bound by `for<'a>`.
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::quote;
use syn::spanned::Spanned;
use syn::{
    GenericArgument, Lifetime, Path, PathArguments, Type, TypeImplTrait, TypeParamBound,
    TypeReference,
};

/// The type inside the invisible groups of `macro_rules!` and inside parentheses.
pub(crate) fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        _ => ty,
    }
}

/// One place where a type borrows.
pub(crate) struct Borrow {
    pub(crate) span: Span,
    /// The lifetime; `None` for a `&` without one.
    pub(crate) lifetime: Option<Lifetime>,
    /// `&T`, and not a type with a lifetime.
    pub(crate) is_reference: bool,
    /// The position of `mut` in `&mut T`.
    pub(crate) mutable: Option<Span>,
}

impl Borrow {
    /// `&'static T`, which is valid as long as the program, but only inside it.
    pub(crate) fn is_static_reference(&self) -> bool {
        self.is_reference && self.is_static()
    }

    /// `'static`: nothing that could end.
    pub(crate) fn is_static(&self) -> bool {
        self.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static")
    }

    /// The lifetime, if it has a name of its own.
    pub(crate) fn named(&self) -> Option<&Lifetime> {
        let named = |lifetime: &&Lifetime| lifetime.ident != "static" && lifetime.ident != "_";
        self.lifetime.as_ref().filter(named)
    }
}

/// All places where `ty` borrows, from left to right.
pub(crate) fn borrows(ty: &Type) -> Vec<Borrow> {
    let mut found = Vec::new();
    walk(&mut ty.clone(), &mut |place| {
        found.push(match place {
            Place::Impl(_) => return,
            Place::Reference(reference) => Borrow {
                is_reference: true,
                span: reference.and_token.span(),
                lifetime: reference.lifetime.clone(),
                mutable: reference.mutability.as_ref().map(Spanned::span),
            },
            Place::Lifetime(lifetime) => Borrow {
                span: lifetime.span(),
                lifetime: Some(lifetime.clone()),
                is_reference: false,
                mutable: None,
            },
        });
    });
    found
}

/// Whether `impl Trait` is part of the type, which then cannot be written elsewhere.
pub(crate) fn has_impl(ty: &Type) -> bool {
    opaque_span(ty).is_some()
}

/// The position of `impl` in the type.
pub(crate) fn opaque_span(ty: &Type) -> Option<Span> {
    let mut found = None;
    walk(&mut ty.clone(), &mut |place| {
        if let Place::Impl(opaque) = place {
            found = Some(opaque.impl_token.span);
        }
    });
    found
}

/// Whether the type has an `impl Trait` that is not bounded by a lifetime.
pub(crate) fn has_short_opaque(ty: &Type) -> bool {
    let mut found = false;
    walk(&mut ty.clone(), &mut |place| {
        if let Place::Impl(opaque) = place {
            found |= !opaque.bounds.iter().any(is_lifetime);
        }
    });
    found
}

fn is_lifetime(bound: &TypeParamBound) -> bool {
    matches!(bound, TypeParamBound::Lifetime(_))
}

/// Standard library types that are `Send` if their parameters are.
#[rustfmt::skip]
const KNOWN: &[&str] = &[
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64",
    "i128", "isize", "f32", "f64", "String", "PathBuf", "Path", "Duration", "Instant", "Vec",
    "Option", "Box", "Arc", "Result",
];

/// Whether the type's name alone shows that it is `Send`.
pub(crate) fn is_known_to_cross(ty: &Type) -> bool {
    match ty {
        Type::Group(group) => is_known_to_cross(&group.elem),
        Type::Paren(paren) => is_known_to_cross(&paren.elem),
        Type::Reference(reference) => {
            reference.mutability.is_none() && is_known_to_cross(&reference.elem)
        }
        Type::Slice(slice) => is_known_to_cross(&slice.elem),
        Type::Array(array) => is_known_to_cross(&array.elem),
        Type::Tuple(tuple) => tuple.elems.iter().all(is_known_to_cross),
        Type::Path(path) if path.qself.is_none() => path.path.segments.last().is_some_and(|last| {
            let is_known = KNOWN.iter().any(|known| last.ident == known);
            is_known && path.path.segments.len() == 1 && are_known(&last.arguments)
        }),
        _ => false,
    }
}

fn are_known(arguments: &PathArguments) -> bool {
    match arguments {
        PathArguments::None => true,
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .all(|argument| matches!(argument, GenericArgument::Type(ty) if is_known_to_cross(ty))),
        _ => false,
    }
}

/// The owned type to use instead, if values of this type have no size of their own.
pub(crate) fn sized_instead(ty: &Type, encodes: bool) -> Option<String> {
    match ungrouped(ty) {
        Type::Slice(slice) => {
            let element = &slice.elem;
            Some(format!("`Vec<{}>`", quote!(#element)))
        }
        Type::TraitObject(_) if encodes => {
            Some("an enum of the types that it can be, since a worker has to know which".to_owned())
        }
        Type::TraitObject(_) => Some("`Box<dyn Trait + Send>`".to_owned()),
        Type::Path(path) if path.path.is_ident("str") => Some("`String`".to_owned()),
        Type::Path(path) => of_system(&path.path).map(|owned| format!("`{owned}`")),
        _ => None,
    }
}

/// The owned type of `OsStr`, `CStr` and, where it is spelled out, `std::path::Path`: `Path` alone
/// is the name of many types.
fn of_system(path: &Path) -> Option<&'static str> {
    let names: Vec<String> = path.segments.iter().map(|name| name.ident.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match names.as_slice() {
        ["std", "path", "Path"] => Some("PathBuf"),
        ["OsStr"] | ["std", "ffi", "OsStr"] => Some("OsString"),
        ["CStr"] | ["std" | "core", "ffi", "CStr"] => Some("CString"),
        _ => None,
    }
}

/// Whether values of this type have no size of their own, as far as its tokens tell.
pub(crate) fn is_unsized(ty: &Type) -> bool {
    sized_instead(ty, false).is_some()
}

/// All identifiers among the tokens, and lifetimes without their quotes.
pub(crate) fn words(tokens: TokenStream) -> Vec<String> {
    let words = tokens.into_iter().flat_map(|token| match token {
        TokenTree::Ident(ident) => vec![ident.to_string()],
        TokenTree::Group(group) => words(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => Vec::new(),
    });
    words.collect()
}

/// Gives every elided lifetime in `ty` the name `lifetime`.
pub(crate) fn name_elided(ty: &mut Type, lifetime: &Lifetime) {
    walk(ty, &mut |place| match place {
        Place::Reference(reference) => {
            let named = reference.lifetime.as_ref().is_some_and(|written| written.ident != "_");
            if !named {
                reference.lifetime = Some(at(lifetime, reference.and_token.span()));
            }
        }
        Place::Lifetime(written) if written.ident == "_" => {
            *written = at(lifetime, written.span());
        }
        Place::Lifetime(_) | Place::Impl(_) => {}
    });
}

/// Bounds each `impl Trait` in `ty` by `lifetime`, unless it has a lifetime bound already.
pub(crate) fn bound_opaque(ty: &mut Type, lifetime: &Lifetime) {
    walk(ty, &mut |place| match place {
        // `&impl Trait + 'scope` would be ambiguous.
        Place::Reference(reference) => {
            if let Type::ImplTrait(opaque) = &*reference.elem {
                *reference.elem = syn::parse_quote!((#opaque));
            }
        }
        Place::Impl(opaque) => {
            if !opaque.bounds.iter().any(is_lifetime) {
                let lifetime = at(lifetime, opaque.impl_token.span);
                opaque.bounds.push(TypeParamBound::Lifetime(lifetime));
            }
        }
        Place::Lifetime(_) => {}
    });
}

fn at(lifetime: &Lifetime, place: Span) -> Lifetime {
    let mut lifetime = lifetime.clone();
    lifetime.set_span(lifetime.span().located_at(place));
    lifetime
}

enum Place<'a> {
    Reference(&'a mut TypeReference),
    Lifetime(&'a mut Lifetime),
    Impl(&'a mut TypeImplTrait),
}

fn walk(ty: &mut Type, visit: &mut dyn FnMut(Place<'_>)) {
    match ty {
        Type::Reference(reference) => {
            visit(Place::Reference(reference));
            walk(&mut reference.elem, visit);
        }
        Type::Path(path) => {
            if let Some(qself) = &mut path.qself {
                walk(&mut qself.ty, visit);
            }
            walk_path(&mut path.path, visit);
        }
        Type::Tuple(tuple) => tuple.elems.iter_mut().for_each(|ty| walk(ty, visit)),
        Type::Array(array) => walk(&mut array.elem, visit),
        Type::Slice(slice) => walk(&mut slice.elem, visit),
        Type::Paren(paren) => walk(&mut paren.elem, visit),
        Type::Group(group) => walk(&mut group.elem, visit),
        Type::Ptr(pointer) => walk(&mut pointer.elem, visit),
        Type::TraitObject(object) => walk_bounds(object.bounds.iter_mut(), visit),
        Type::ImplTrait(opaque) => {
            walk_bounds(opaque.bounds.iter_mut(), visit);
            visit(Place::Impl(opaque));
        }
        _ => {}
    }
}

fn walk_path(path: &mut Path, visit: &mut dyn FnMut(Place<'_>)) {
    for segment in &mut path.segments {
        let PathArguments::AngleBracketed(arguments) = &mut segment.arguments else {
            continue;
        };
        for argument in &mut arguments.args {
            match argument {
                GenericArgument::Lifetime(lifetime) => visit(Place::Lifetime(lifetime)),
                GenericArgument::Type(ty) => walk(ty, visit),
                GenericArgument::AssocType(associated) => walk(&mut associated.ty, visit),
                _ => {}
            }
        }
    }
}

fn walk_bounds<'a>(
    bounds: impl Iterator<Item = &'a mut TypeParamBound>,
    visit: &mut dyn FnMut(Place<'_>),
) {
    for bound in bounds {
        match bound {
            TypeParamBound::Lifetime(lifetime) => visit(Place::Lifetime(lifetime)),
            TypeParamBound::Trait(bound) if bound.lifetimes.is_none() => {
                walk_path(&mut bound.path, visit);
            }
            _ => {}
        }
    }
}
