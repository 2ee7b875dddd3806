//! Parses the item under the attribute: attributes, visibility, signature, parameters, and the body
//! as one opaque token tree.
use super::function::{Function, Parameter};
use super::span::{hidden, visible};
use super::types::ungrouped;
use super::yields;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::format_ident;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, FnArg, Pat, PatType, ReturnType, Signature, Token, Type, Visibility};

/// Parses an item. A signature that cannot be parsed is the only mistake after which nothing
/// can be expanded; it is returned as the error.
pub(crate) fn function(item: TokenStream) -> syn::Result<Function> {
    let (head, body) = split_body(item);
    let (attributes, visibility, signature) = parse_head.parse2(head)?;
    let mut receiver = None;
    let mut parameters = Vec::new();
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(written) => receiver = Some(written.clone()),
            FnArg::Typed(written) => parameters.push(parameter(written, &parameters)),
        }
    }
    let (inner, body) = match body.map(split_inner_attributes) {
        Some((inner, body)) => (inner, Some(body)),
        None => (Vec::new(), None),
    };
    let attributes = attributes.into_iter().chain(inner).collect();
    let (yields, output) = match yields::read(&signature.output) {
        Some((yields, item)) => (Some(yields), Some(item)),
        None => (None, output(&signature.output)),
    };
    let scope = None;
    Ok(Function {
        attributes,
        visibility,
        signature,
        receiver,
        parameters,
        output,
        yields,
        scope,
        body,
    })
}

/// Names in the outer function belong to the expansion, so two names that differ only in the
/// macro they come from would collide: the second is numbered instead.
fn parameter(written: &PatType, earlier: &[Parameter]) -> Parameter {
    let ty = (*written.ty).clone();
    let plain = plain_name(&written.pat);
    let is_plain = plain.is_some();
    let unique = |name: &Ident| earlier.iter().all(|parameter| parameter.name != *name);
    let span = hidden(syn::spanned::Spanned::span(&written.pat));
    let name = match plain.filter(unique) {
        Some(name) => of_our_edition(&name, hidden(name.span())),
        None => format_ident!("argument{}", earlier.len(), span = span),
    };
    Parameter { written: written.clone(), ty, name, is_plain }
}

/// The name at a span of ours. There it has this crate's edition, in which `gen` is a keyword.
fn of_our_edition(name: &Ident, span: Span) -> Ident {
    if name == "gen" {
        return Ident::new_raw("gen", span);
    }
    let mut name = name.clone();
    name.set_span(span);
    name
}

/// The declared result. `!` is not a type on stable Rust, so it becomes a type without values.
fn output(written: &ReturnType) -> Option<Type> {
    let ReturnType::Type(_, output) = written else {
        return None;
    };
    Some(match ungrouped(output) {
        Type::Never(never) => {
            let span = visible(never.bang_token.span);
            syn::parse_quote_spanned!(span=> ::core::convert::Infallible)
        }
        _ => (**output).clone(),
    })
}

/// The identifier that is the whole pattern, `mut` aside.
fn plain_name(pattern: &Pat) -> Option<Ident> {
    match pattern {
        Pat::Ident(plain) if plain.by_ref.is_none() && plain.subpat.is_none() => {
            Some(plain.ident.clone())
        }
        _ => None,
    }
}

/// Cuts off the body, so that nothing below ever walks through it. Looks through groups without
/// delimiters, which `macro_rules!` leaves around an `$item` or a `$body:block`.
fn split_body(item: TokenStream) -> (TokenStream, Option<Group>) {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    if let [TokenTree::Group(group)] = tokens.as_slice()
        && group.delimiter() == Delimiter::None
    {
        return split_body(group.stream());
    }
    let body = tokens.last().and_then(as_braces);
    if body.is_some() {
        tokens.pop();
    }
    (tokens.into_iter().collect(), body)
}

fn as_braces(token: &TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = token else {
        return None;
    };
    match group.delimiter() {
        Delimiter::Brace => Some(group.clone()),
        Delimiter::None => {
            let mut inside = group.stream().into_iter();
            let first = inside.next()?;
            inside.next().is_none().then(|| as_braces(&first)).flatten()
        }
        _ => None,
    }
}

/// Takes `#![…]` from the start of the body: it means the same as an attribute of the function, and
/// is not allowed in the block that the body becomes.
fn split_inner_attributes(body: Group) -> (Vec<Attribute>, Group) {
    let stream = body.stream();
    let mut start = stream.clone().into_iter();
    let mut next_is = |expected| match start.next() {
        Some(TokenTree::Punct(punct)) => punct.as_char() == expected,
        _ => false,
    };
    if !(next_is('#') && next_is('!')) {
        return (Vec::new(), body);
    }
    let split = |input: ParseStream<'_>| {
        let mut attributes = Attribute::parse_inner(input)?;
        for attribute in &mut attributes {
            attribute.style = syn::AttrStyle::Outer;
        }
        Ok((attributes, input.parse::<TokenStream>()?))
    };
    match split.parse2(stream) {
        Ok((attributes, rest)) => {
            let mut shorter = Group::new(Delimiter::Brace, rest);
            shorter.set_span(body.span());
            (attributes, shorter)
        }
        Err(_) => (Vec::new(), body),
    }
}

fn parse_head(input: ParseStream<'_>) -> syn::Result<(Vec<Attribute>, Visibility, Signature)> {
    let attributes = input.call(Attribute::parse_outer)?;
    let visibility = input.parse()?;
    if let Some(what) = wrong_item(input) {
        return Err(syn::Error::new(
            input.span(),
            format!("`concurrent` is for functions, and this is {what}: {}", remedy(what)),
        ));
    }
    let signature = input.parse()?;
    input.parse::<Option<Token![;]>>()?;
    if !input.is_empty() {
        return Err(input.error("expected the body of the function: `{ … }`"));
    }
    Ok((attributes, visibility, signature))
}

fn remedy(what: &str) -> &'static str {
    match what.contains("foreign") {
        true => "mark a function of yours, and call what is foreign in it",
        false => "put it on each function that is to run as a task",
    }
}

/// What is there instead of a function.
fn wrong_item(input: ParseStream<'_>) -> Option<&'static str> {
    let ahead = input.fork();
    let word = ahead.call(Ident::parse_any).ok().map(|word| word.to_string());
    if ahead.peek(Token![!]) {
        return Some("a macro");
    }
    let wrong = |(keyword, _): &&(&str, &str)| word.as_deref() == Some(keyword);
    if let Some((_, what)) = WRONG_ITEMS.iter().find(wrong) {
        return Some(what);
    }
    let rest: Vec<String> = input
        .fork()
        .parse::<TokenStream>()
        .into_iter()
        .flatten()
        .map(|token| token.to_string())
        .collect();
    let has = |word: &str| rest.iter().any(|token| token == word);
    match has("fn") {
        true => None,
        false if has("extern") => Some("a block of foreign functions"),
        false if has("const") => Some("a constant"),
        false => None,
    }
}

const WRONG_ITEMS: [(&str, &str); 10] = [
    ("struct", "a struct"),
    ("enum", "an enum"),
    ("union", "a union"),
    ("trait", "a trait"),
    ("impl", "an impl block"),
    ("mod", "a module"),
    ("type", "a type"),
    ("static", "a static"),
    ("use", "an import"),
    ("safe", "a foreign function, whose body is elsewhere"),
];
