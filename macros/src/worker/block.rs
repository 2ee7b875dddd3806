//! The parts of an `impl` block: what it is of, and its functions, with bodies as opaque as ever.
use super::super::args::{Args, Given};
use super::super::error::Errors;
use super::super::function::Function;
use super::super::mode::Mode;
use super::super::reader;
use super::super::types::{self, words};
use super::super::{conditional, half_typed, item};
use proc_macro2::{Delimiter, Group, Ident, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Attribute, Generics, ReceiverKind, Result, Token, Type, Visibility};

/// An `impl` block.
pub(super) struct Block {
    pub(super) attributes: Vec<Attribute>,
    /// Where `impl` stands.
    pub(super) span: Span,
    pub(super) generics: Generics,
    /// Where the trait is named, if it is an `impl` of one.
    pub(super) of_trait: Option<Span>,
    pub(super) this: Type,
    /// The block as it was, without the options of its methods.
    pub(super) plain: TokenStream,
    pub(super) constructors: Vec<Part>,
    pub(super) methods: Vec<Part>,
    /// Methods that somebody is typing, for their callers.
    pub(super) half_typed: Vec<TokenStream>,
}

/// A visible function.
pub(super) struct Part {
    /// With `Self` written out.
    pub(super) function: Function,
    /// The options of the block, and its own in place of them.
    pub(super) args: Args,
    /// It takes `&mut self`.
    pub(super) is_mutable: bool,
    /// The options that are its own.
    pub(super) own: Vec<(&'static str, Span)>,
    /// It has all of its conditional parameters. There is one without each of them beside it, with
    /// no other mistakes.
    pub(super) is_first: bool,
}

pub(super) fn is_impl(item: &TokenStream) -> bool {
    let head = |input: ParseStream<'_>| {
        input.call(Attribute::parse_outer)?;
        // One of a trait may have a qualifier before it.
        let is_impl = input.peek(Token![impl]) || input.peek2(Token![impl]);
        input.parse::<TokenStream>()?;
        Ok(is_impl)
    };
    head.parse2(ungrouped(item.clone())).unwrap_or(false)
}

/// The tokens inside of the group that `macro_rules!` leaves around an `$item`.
fn ungrouped(item: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = item.clone().into_iter().collect();
    match tokens.as_slice() {
        [TokenTree::Group(group)] if group.delimiter() == Delimiter::None => {
            ungrouped(group.stream())
        }
        _ => item,
    }
}

impl Block {
    pub(super) fn parse(args: &Args, item: TokenStream, errors: &mut Errors) -> Result<Self> {
        let mut tokens: Vec<TokenTree> = ungrouped(item).into_iter().collect();
        let Some(TokenTree::Group(body)) = tokens.pop() else {
            return Err(syn::Error::new(Span::call_site(), "expected an `impl` block"));
        };
        let head: TokenStream = tokens.into_iter().collect();
        let mut block = Self::parse_head.parse2(head.clone())?;
        let mut kept = TokenStream::new();
        for item in items(body.stream()) {
            let (item, options) = cut_options(item);
            kept.extend(item.clone());
            if let Some(method) = block.half_typed_method(args, &item) {
                errors.set_reported();
                block.half_typed.push(method);
                continue;
            }
            for (index, item) in variants(item).into_iter().enumerate() {
                let is_first = index == 0;
                let mut again = Errors::default();
                let errors = if is_first { &mut *errors } else { &mut again };
                match block.part(args, item, options.as_ref(), errors) {
                    Some((part, true)) => block.methods.push(Part { is_first, ..part }),
                    Some((part, false)) => block.constructors.push(Part { is_first, ..part }),
                    None => {}
                }
            }
        }
        let mut inside = Group::new(Delimiter::Brace, kept);
        inside.set_span(body.span());
        block.plain = quote!(#head #inside);
        Ok(block)
    }

    fn parse_head(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        if !input.peek(Token![impl]) {
            input.call(Ident::parse_any)?;
        }
        let span = input.parse::<Token![impl]>()?.span;
        let mut generics = match input.peek(Token![<]) {
            true => input.parse()?,
            false => Generics::default(),
        };
        input.parse::<Option<Token![!]>>()?;
        let first: Type = input.parse()?;
        let (of_trait, this) = match input.parse::<Option<Token![for]>>()? {
            Some(_) => (Some(first.span()), input.parse()?),
            None => (None, first),
        };
        generics.where_clause = input.parse()?;
        Ok(Self {
            attributes,
            span,
            generics,
            of_trait,
            this,
            plain: TokenStream::new(),
            constructors: Vec::new(),
            methods: Vec::new(),
            half_typed: Vec::new(),
        })
    }

    /// What the worker has for a visible method whose signature cannot be parsed, which the
    /// compiler has reported.
    fn half_typed_method(&self, args: &Args, item: &TokenStream) -> Option<TokenStream> {
        let has = |name: &str| words(item.clone()).iter().any(|word| word == name);
        let is_wrong = has("pub") && has("self") && item::function(item.clone()).is_err();
        is_wrong.then(|| half_typed::method(args, with_self_named(item.clone(), &self.this)))?
    }

    /// A visible constructor or method, and whether it is a method.
    fn part(
        &self,
        args: &Args,
        item: TokenStream,
        options: Option<&Attribute>,
        errors: &mut Errors,
    ) -> Option<(Part, bool)> {
        let named = with_self_named(item, &self.this);
        // What is no function, or one that the compiler has already reported, stays as it is.
        let function = item::function(named).ok().filter(|function| function.body.is_some());
        let is_made = |function: &Function| is_value(function, &self.this);
        let usable = function.filter(|function| {
            let is_visible = !matches!(function.visibility, Visibility::Inherited);
            is_visible && (function.receiver.is_some() || is_made(function))
        });
        let Some(function) = usable else {
            if let Some(options) = options {
                errors.push(
                    options.path().span(),
                    "only a visible method is called through the worker and has options there: \
                     make it `pub` or `pub(crate)` with `&self`, or remove them",
                );
            }
            return None;
        };
        let own = options.map(|options| own_options(args, options, errors));
        let is_method = function.receiver.is_some();
        let is_mutable = function.receiver.as_ref().is_some_and(|receiver| {
            matches!(&receiver.kind, ReceiverKind::Reference(_, _, Some(_)))
        });
        let given = own.iter().flat_map(|own| &own.options);
        let given = given.map(|given| (given.row.name, given.span)).collect();
        let args = of_part(args, own, &Kind::of(&function, is_mutable));
        Some((Part { function, args, is_mutable, own: given, is_first: true }, is_method))
    }
}

/// The options of the block that are those of its methods, of its methods with `&self` that do
/// not yield, of those that yield, and of its constructors.
pub(super) const OF_METHODS: &[&str] = &["timeout", "limit", "queue", "priority"];
pub(super) const OF_LOOKS: &[&str] = &["retries", "backoff", "retry_if"];
pub(super) const OF_YIELDING: &[&str] = &["ahead"];
pub(super) const OF_CONSTRUCTORS: &[&str] =
    &["priority", "memory", "restarts", "per", "copies", "renew", "local", "on"];

/// What the options of the block are meant for.
struct Kind {
    is_method: bool,
    /// It can be tried again.
    is_repeatable: bool,
    yields: bool,
}

impl Kind {
    fn of(function: &Function, is_mutable: bool) -> Self {
        let (is_method, yields) = (function.receiver.is_some(), function.yields.is_some());
        Self { is_method, is_repeatable: !is_mutable && !yields, yields }
    }

    /// Whether an option of the block is for this.
    fn has(&self, name: &str) -> bool {
        match self.is_method {
            true => {
                OF_METHODS.contains(&name)
                    || self.is_repeatable && OF_LOOKS.contains(&name)
                    || self.yields && OF_YIELDING.contains(&name)
            }
            false => OF_CONSTRUCTORS.contains(&name),
        }
    }
}

/// The options of a constructor or a method: those of the block that are meant for it, and its own
/// in their place.
fn of_part(args: &Args, own: Option<Args>, kind: &Kind) -> Args {
    let own = own.map(|own| own.options).unwrap_or_default();
    let is_its = |given: &&Given| {
        let name = given.row.name;
        kind.has(name) && own.iter().all(|own| own.row.name != name)
    };
    let options = args.options.iter().filter(is_its).cloned().chain(own.iter().cloned());
    args.with(options.collect())
}

/// What stands between the parentheses of a method's own attribute.
fn own_options(args: &Args, attribute: &Attribute, errors: &mut Errors) -> Args {
    let tokens = match &attribute.meta {
        syn::Meta::List(list) => list.tokens.clone(),
        _ => TokenStream::new(),
    };
    let first = tokens.clone().into_iter().next();
    if let Some(TokenTree::Ident(word)) = &first
        && Mode::named(&word.to_string()).is_some()
    {
        errors.push(
            word.span(),
            format!(
                "all methods of a worker run where its value lives: the attribute on the `impl` \
                 says where; remove `{word}` and leave the options"
            ),
        );
        return args.with(Vec::new());
    }
    reader::options(args, tokens, errors)
}

/// Whether a function returns the value, or a `Result` with it.
fn is_value(function: &Function, this: &Type) -> bool {
    let written = |ty: &Type| words(ty.to_token_stream()) == words(this.to_token_stream());
    let Some(output) = function.output.as_ref().map(types::ungrouped) else { return false };
    if written(output) {
        return true;
    }
    let Type::Path(output) = output else { return false };
    let Some(last) = output.path.segments.last().filter(|last| last.ident == "Result") else {
        return false;
    };
    match &last.arguments {
        syn::PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
            Some(syn::GenericArgument::Type(first)) => written(first),
            _ => false,
        },
        _ => false,
    }
}

/// The items of a block, one by one.
fn items(body: TokenStream) -> Vec<TokenStream> {
    let (mut items, mut item) = (Vec::new(), Vec::new());
    let (mut is_function, mut depth, mut before) = (false, 0_u32, ' ');
    for token in body {
        let mut joint = ' ';
        let mut ends = false;
        match &token {
            TokenTree::Ident(word) if word == "fn" => is_function = true,
            TokenTree::Punct(punct) => {
                match punct.as_char() {
                    '<' => depth += 1,
                    '>' if before != '-' => depth = depth.saturating_sub(1),
                    ';' => ends = true,
                    _ => {}
                }
                if punct.spacing() == Spacing::Joint {
                    joint = punct.as_char();
                }
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let is_macro = matches!(item.last(), Some(TokenTree::Punct(punct))
                    if punct.as_char() == '!');
                ends = is_macro || is_function && depth == 0;
            }
            _ => {}
        }
        before = joint;
        item.push(token);
        if ends {
            items.push(std::mem::take(&mut item).into_iter().collect());
            (is_function, depth) = (false, 0);
        }
    }
    items.push(item.into_iter().collect());
    items
}

/// A function once for each way in which the conditions of its parameters may turn out: a tuple
/// cannot have attributes. The first has all of them.
fn variants(item: TokenStream) -> Vec<TokenStream> {
    let function = item::function(item.clone()).ok();
    let both = function.and_then(|function| conditional::variants(&function, &TokenStream::new()));
    match both {
        Some(both) => both.into_iter().flat_map(variants).collect(),
        None => vec![item],
    }
}

/// Takes `#[concurrent(…)]` from an item.
fn cut_options(item: TokenStream) -> (TokenStream, Option<Attribute>) {
    let split = |input: ParseStream<'_>| {
        let attributes = input.call(Attribute::parse_outer)?;
        Ok((attributes, input.parse::<TokenStream>()?))
    };
    let Ok((mut attributes, rest)) = split.parse2(item.clone()) else { return (item, None) };
    let is_ours = |attribute: &Attribute| {
        attribute.path().segments.last().is_some_and(|last| last.ident == "concurrent")
    };
    match attributes.iter().position(is_ours) {
        Some(index) => {
            let options = attributes.remove(index);
            (quote!(#(#attributes)* #rest), Some(options))
        }
        None => (item, None),
    }
}

/// A function's tokens with its type in place of `Self`, but for the body, which nobody looks into.
fn with_self_named(item: TokenStream, this: &Type) -> TokenStream {
    let tokens: Vec<TokenTree> = item.into_iter().collect();
    let count = tokens.len();
    let mut named = TokenStream::new();
    for (index, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(word) if word == "Self" => {
                let follows = |at: usize| {
                    matches!(tokens.get(at), Some(TokenTree::Punct(punct))
                    if punct.as_char() == ':')
                };
                let this = located(this.to_token_stream(), word);
                let is_path = follows(index + 1) && follows(index + 2);
                named.extend(if is_path { quote!(<#this>) } else { this });
            }
            TokenTree::Group(group) if index + 1 < count => {
                let mut inside =
                    Group::new(group.delimiter(), with_self_named_all(group.stream(), this));
                inside.set_span(group.span());
                named.extend([TokenTree::Group(inside)]);
            }
            _ => named.extend([token.clone()]),
        }
    }
    named
}

/// The same for all of the tokens.
fn with_self_named_all(tokens: TokenStream, this: &Type) -> TokenStream {
    let mut end: TokenStream = tokens;
    end.extend([TokenTree::Group(Group::new(Delimiter::None, TokenStream::new()))]);
    let mut named: Vec<TokenTree> = with_self_named(end, this).into_iter().collect();
    named.pop();
    named.into_iter().collect()
}

/// The type where the user wrote `Self`.
fn located(this: TokenStream, word: &Ident) -> TokenStream {
    let at = |mut token: TokenTree| {
        token.set_span(token.span().located_at(word.span()));
        token
    };
    this.into_iter().map(at).collect()
}
