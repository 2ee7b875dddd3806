//! `#[cfg]` on a parameter. A tuple type cannot have attributes, so the function is written twice,
//! with the parameter and without it, and `cfg` on the function chooses. Both keep the attribute
//! and are expanded in turn, which handles further conditions.
//!
//! ```text
//! // Input:
//! #[concurrent(threads)]
//! fn open(path: PathBuf, #[cfg(unix)] mode: u32) -> Handle { BODY }
//! // Output:
//! #[cfg(unix)]
//! #[::trine::concurrent(threads)]
//! fn open(path: PathBuf, mode: u32) -> Handle { BODY }
//! #[cfg(not(unix))]
//! #[::trine::concurrent(threads)]
//! fn open(path: PathBuf) -> Handle { BODY }
//! ```
use super::args::Args;
use super::function::Function;
use super::span::visible;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, FnArg, Meta, Token};

/// Both variants, if a parameter is conditional.
pub(crate) fn split(
    args: &Args,
    arguments: &TokenStream,
    function: &Function,
) -> Option<TokenStream> {
    let runtime = args.runtime(visible(function.signature.ident.span()));
    let [with, without] = variants(function, &quote!(#[#runtime::concurrent(#arguments)]))?;
    Some(quote!(#with #without))
}

/// The function with the parameter and without it, each under its condition and this attribute.
pub(crate) fn variants(function: &Function, attribute: &TokenStream) -> Option<[TokenStream; 2]> {
    let inputs = &function.signature.inputs;
    let (parameter, position) = inputs.iter().enumerate().find_map(|(index, input)| {
        let position = attributes(input).iter().position(is_condition)?;
        Some((index, position))
    })?;
    let condition = attributes(&inputs[parameter])[position].clone();
    let (predicate, conditional) = read(&condition)?;

    let with = variant(function, attribute, &quote!(#predicate), |inputs| {
        let attributes = attributes_mut(&mut inputs[parameter]);
        attributes.splice(position..=position, conditional.iter().cloned());
    });
    let without = variant(function, attribute, &quote!(not(#predicate)), |inputs| {
        if condition.path().is_ident("cfg") {
            inputs.remove(parameter);
        } else {
            attributes_mut(&mut inputs[parameter]).remove(position);
        }
    });
    Some([with, without])
}

fn variant(
    function: &Function,
    attribute: &TokenStream,
    predicate: &TokenStream,
    change: impl FnOnce(&mut Vec<FnArg>),
) -> TokenStream {
    let Function { attributes, visibility, .. } = function;
    let mut signature = function.signature.clone();
    let mut inputs = signature.inputs.into_iter().collect();
    change(&mut inputs);
    signature.inputs = inputs.into_iter().collect();
    let body = function.body_or_end();
    quote! {
        #[cfg(#predicate)]
        #attribute
        #(#attributes)* #visibility #signature #body
    }
}

/// The predicate of `cfg` or `cfg_attr`, and the attributes that apply if it is true.
fn read(condition: &Attribute) -> Option<(TokenStream, Vec<Attribute>)> {
    let Meta::List(list) = &condition.meta else {
        return None;
    };
    if condition.path().is_ident("cfg") {
        return Some((list.tokens.clone(), Vec::new()));
    }
    let parser = |input: ParseStream<'_>| {
        let predicate: Meta = input.parse()?;
        let mut attributes = Vec::new();
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if !input.is_empty() {
                let meta: Meta = input.parse()?;
                attributes.push(syn::parse_quote!(#[#meta]));
            }
        }
        Ok((predicate.into_token_stream(), attributes))
    };
    parser.parse2(list.tokens.clone()).ok()
}

fn is_condition(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr")
}

fn attributes(input: &FnArg) -> &[Attribute] {
    match input {
        FnArg::Receiver(receiver) => &receiver.attrs,
        FnArg::Typed(parameter) => &parameter.attrs,
    }
}

fn attributes_mut(input: &mut FnArg) -> &mut Vec<Attribute> {
    match input {
        FnArg::Receiver(receiver) => &mut receiver.attrs,
        FnArg::Typed(parameter) => &mut parameter.attrs,
    }
}
