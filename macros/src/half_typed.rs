//! A function whose signature cannot be parsed, as an editor passes it while somebody is typing.
//!
//! The compiler parses each item before the macro does and has already reported what is wrong; it
//! reports that once, even though the broken tokens appear again in this expansion. As much of the
//! signature as possible is kept, so that callers still see a task and get no errors.
//!
//! ```text
//! // Input:
//! async fn fetch(url: , count: u8) -> u8 { BODY }
//! // Output:
//! fn fetch(url: , count: u8) -> ::trine::Task<u8> { const { ::core::panic!("…") } }
//! ```
use super::args::Args;
use super::span::visible;
use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};
use quote::quote_spanned;
use syn::Type;

/// The function, if it is recognizable by a name, parameters and a body.
pub(crate) fn function(args: &Args, item: TokenStream) -> Option<TokenStream> {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    tokens.pop().filter(|token| is_group(token, Delimiter::Brace))?;
    let start = tokens.iter().position(|token| is_word(token, "fn"))?;
    let name = tokens.get(start + 1)?.clone();
    let is_parameters = |token: &TokenTree| is_group(token, Delimiter::Parenthesis);
    let parameters = match outside_of_angles(&tokens, start, is_parameters) {
        Some(place) => place,
        // `fn name { … }`.
        None if tokens.len() == start + 2 => {
            tokens.push(Group::new(Delimiter::Parenthesis, TokenStream::new()).into());
            start + 2
        }
        None => return None,
    };
    let end = outside_of_angles(&tokens, parameters, |token| is_word(token, "where"));
    let (signature, clause) = tokens.split_at(end.unwrap_or(tokens.len()));
    let (signature, output) = signature.split_at(parameters + 1);
    let kept = signature.iter().enumerate().filter(|(index, token)| {
        *index > start || !["async", "const"].iter().any(|word| is_word(token, word))
    });
    let kept = kept.map(|(_, token)| token);
    let span = visible(name.span());
    let runtime = args.runtime(span);
    let output: TokenStream = output.iter().cloned().collect();
    let arrow = |input: syn::parse::ParseStream<'_>| {
        input.parse::<syn::Token![->]>()?;
        input.parse::<Type>()
    };
    let output = match syn::parse::Parser::parse2(arrow, output.clone()) {
        Ok(output) => quote_spanned!(span=> -> #runtime::Task<#output>),
        Err(_) if output.is_empty() => quote_spanned!(span=> -> #runtime::Task<()>),
        Err(_) => output,
    };
    // A constant in the body is evaluated last, when nothing else is wrong. So if the compiler
    // knows some syntax that this macro does not, the result is an error, not a function that does
    // nothing.
    Some(quote_spanned! {span=>
        #(#kept)* #output #(#clause)* {
            const { ::core::panic!("`concurrent` cannot read the signature of this function") }
        }
    })
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}

/// The position of the first such token after `start`, skipping generic arguments.
fn outside_of_angles(
    tokens: &[TokenTree],
    start: usize,
    wanted: impl Fn(&TokenTree) -> bool,
) -> Option<usize> {
    let mut depth = 0_u32;
    let mut before = ' ';
    for (index, token) in tokens.iter().enumerate().skip(start) {
        let mut joint = ' ';
        if let TokenTree::Punct(punct) = token {
            match punct.as_char() {
                '<' => depth += 1,
                '>' if before != '-' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if punct.spacing() == Spacing::Joint {
                joint = punct.as_char();
            }
        }
        before = joint;
        if depth == 0 && wanted(token) {
            return Some(index);
        }
    }
    None
}
