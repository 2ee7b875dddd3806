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
use super::span::{hidden, visible};
use proc_macro2::{Delimiter, Group, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Type;

/// The function, if it is recognizable by a name, parameters and a body.
pub(crate) fn function(args: &Args, item: TokenStream) -> Option<TokenStream> {
    let Parts { name, before, parameters, output, clause } = parts(item)?;
    let span = visible(name.span());
    let runtime = args.runtime(span);
    let output = match result(output.clone()) {
        Ok(output) => quote_spanned!(span=> -> #runtime::Task<#output>),
        Err(_) if output.is_empty() => quote_spanned!(span=> -> #runtime::Task<()>),
        Err(_) => output,
    };
    Some(with_body(span, &quote!(#(#before)* #parameters #output #(#clause)*)))
}

/// The same for a method of a worker, if its result can be read. The plain one is still there with
/// what the compiler has reported, so this one has parameters of any type.
pub(crate) fn method(args: &Args, item: TokenStream) -> Option<TokenStream> {
    let Parts { name, before, parameters, output, clause } = parts(item)?;
    let span = visible(name.span());
    let runtime = args.runtime(span);
    let output = match output.is_empty() {
        true => quote_spanned!(span=> ()),
        false => result(output).ok()?.into_token_stream(),
    };
    let tokens: Vec<TokenTree> = parameters.stream().into_iter().collect();
    let (mut count, mut start) = (0_usize, 0);
    while let Some(comma) = outside_of_angles(&tokens, start, |token| is_punct(token, ',')) {
        (count, start) = (count + 1, comma + 1);
    }
    let count = if start == tokens.len() { count.saturating_sub(1) } else { count };
    let names = (0..count).map(|index| format_ident!("argument{index}", span = hidden(span)));
    let signature = quote_spanned! {span=>
        #(#before)* (&self, #(#names: impl ::core::marker::Sized),*) -> #runtime::Task<#output>
        #(#clause)*
    };
    Some(with_body(span, &signature))
}

/// A signature, as far as it is recognizable.
struct Parts {
    name: TokenTree,
    /// What stands before the parameters, but for `async` and `const`.
    before: Vec<TokenTree>,
    parameters: Group,
    output: TokenStream,
    /// From `where` on.
    clause: Vec<TokenTree>,
}

fn parts(item: TokenStream) -> Option<Parts> {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    tokens.pop().filter(|token| is_group(token, Delimiter::Brace))?;
    let start = tokens.iter().position(|token| is_word(token, "fn"))?;
    let name = tokens.get(start + 1)?.clone();
    let is_parameters = |token: &TokenTree| is_group(token, Delimiter::Parenthesis);
    let at = match outside_of_angles(&tokens, start, is_parameters) {
        Some(at) => at,
        // `fn name { … }`.
        None if tokens.len() == start + 2 => {
            tokens.push(Group::new(Delimiter::Parenthesis, TokenStream::new()).into());
            start + 2
        }
        None => return None,
    };
    let end = outside_of_angles(&tokens, at, |token| is_word(token, "where"));
    let clause = tokens.split_off(end.unwrap_or(tokens.len()));
    let output = tokens.split_off(at + 1).into_iter().collect();
    let Some(TokenTree::Group(parameters)) = tokens.pop() else { return None };
    let kept = tokens.into_iter().enumerate().filter(|(index, token)| {
        *index > start || !["async", "const"].iter().any(|word| is_word(token, word))
    });
    let before = kept.map(|(_, token)| token).collect();
    Some(Parts { name, before, parameters, output, clause })
}

/// The type after the arrow.
fn result(output: TokenStream) -> syn::Result<Type> {
    let arrow = |input: syn::parse::ParseStream<'_>| {
        input.parse::<syn::Token![->]>()?;
        input.parse::<Type>()
    };
    syn::parse::Parser::parse2(arrow, output)
}

/// A constant in the body is evaluated last, when nothing else is wrong. So if the compiler knows
/// some syntax that this macro does not, the result is an error, not a function that does nothing.
fn with_body(span: Span, signature: &TokenStream) -> TokenStream {
    quote_spanned! {span=>
        #signature {
            const { ::core::panic!("`concurrent` cannot read the signature of this function") }
        }
    }
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_punct(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
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
