//! The type around a worker.
use super::super::args::Args;
use super::super::attributes;
use super::super::span::visible;
use super::super::types::{ungrouped, words};
use super::block::Block;
use super::methods;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Attribute, GenericParam, Type, Visibility};

/// The type, its functions, and `Clone`, `Debug` and `Deref`. The functions do nothing unless all
/// is right.
pub(super) fn worker(args: &Args, block: &Block, is_right: bool) -> TokenStream {
    let Some(name) = name(args, block) else { return TokenStream::new() };
    let span = visible(name.span());
    let (this, runtime) = (&block.this, args.runtime(span));
    let constructors = block.constructors.iter();
    let constructors = constructors.map(|part| methods::constructor(block, part, is_right));
    let functions = block.methods.iter().map(|part| methods::method(block, part, is_right));
    let half_typed = &block.half_typed;
    let visibility = visibility(block);
    let conditions: Vec<&Attribute> =
        block.attributes.iter().filter(|attribute| is_inherited(attribute)).collect();
    let documented = block.attributes.iter().filter(|attribute| attribute.path().is_ident("doc"));
    let what = format!("A worker with a `{}`, which lives where its methods run", written(this));
    let line = attributes::line(args, &what);
    let Shape { declared, bounds, passed, value } = Shape::of(block);
    let clause = &block.generics.where_clause;
    quote_spanned! {span=>
        #(#conditions)*
        #(#documented)*
        #[doc = #line]
        #visibility struct #name #declared (#runtime::Worker<#value>) #clause;

        #(#conditions)*
        impl #bounds #name #passed #clause {
            #(#constructors)*
            #(#functions)*
            #(#half_typed)*
        }

        #(#conditions)*
        impl #bounds ::core::clone::Clone for #name #passed #clause {
            fn clone(&self) -> Self {
                Self(::core::clone::Clone::clone(&self.0))
            }
        }

        #(#conditions)*
        impl #bounds ::core::fmt::Debug for #name #passed #clause {
            fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Debug::fmt(&self.0, formatter)
            }
        }

        #(#conditions)*
        impl #bounds ::core::ops::Deref for #name #passed #clause {
            type Target = #runtime::Worker<#this>;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }
    }
}

/// A type as people write it.
fn written(ty: &Type) -> String {
    let written = ty.to_token_stream().to_string();
    written.replace(' ', "").replace(',', ", ")
}

/// The generics of the type.
struct Shape {
    declared: TokenStream,
    bounds: TokenStream,
    passed: TokenStream,
    value: TokenStream,
}

impl Shape {
    /// A type that is not generic has one parameter all the same, for which nobody writes anything:
    /// a `Deref` whose target is more private than the type would be an error, and nobody knows
    /// here how private the value's type is.
    fn of(block: &Block) -> Self {
        let this = &block.this;
        let parameters = &block.generics.params;
        if parameters.is_empty() {
            let mut name = "T".to_owned();
            while words(this.to_token_stream()).contains(&name) {
                name.push('T');
            }
            let value = Ident::new(&name, Span::call_site());
            return Self {
                declared: quote!(<#value = #this>),
                bounds: TokenStream::new(),
                passed: quote!(<#this>),
                value: value.into_token_stream(),
            };
        }
        let names = parameters.iter().map(|parameter| match parameter {
            GenericParam::Type(parameter) => parameter.ident.to_token_stream(),
            GenericParam::Const(parameter) => parameter.ident.to_token_stream(),
            GenericParam::Lifetime(parameter) => parameter.lifetime.to_token_stream(),
        });
        Self {
            declared: quote!(<#parameters>),
            bounds: quote!(<#parameters>),
            passed: quote!(<#(#names),*>),
            value: this.to_token_stream(),
        }
    }
}

/// `ModelWorker`, or what `name` says.
fn name(args: &Args, block: &Block) -> Option<Ident> {
    if let Some(given) = args.written("name").filter(|given| !given.is_empty()) {
        return syn::parse2(given.clone()).ok();
    }
    let Type::Path(path) = ungrouped(&block.this) else { return None };
    let last = &path.path.segments.last()?.ident;
    Some(format_ident!("{last}Worker", span = visible(last.span())))
}

/// As visible as what makes one.
fn visibility(block: &Block) -> Visibility {
    let all = || block.constructors.iter().map(|part| &part.function.visibility);
    let is_public = |visibility: &&Visibility| matches!(visibility, Visibility::Public(_));
    all().find(is_public).or_else(|| all().next()).cloned().unwrap_or(Visibility::Inherited)
}

/// Conditions and lints of the block are those of what is made of it.
fn is_inherited(attribute: &Attribute) -> bool {
    ["cfg", "allow", "warn", "deny", "forbid"].iter().any(|name| attribute.path().is_ident(name))
}
