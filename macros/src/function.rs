//! Parses the item under the attribute: attributes, visibility, signature, parameters, and the body
//! as one opaque token tree.
use super::mode::Mode;
use super::span::{hidden, visible};
use super::types::{Borrow, borrows, ungrouped};
use super::yields::{self, Yields};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{
    Attribute, FnArg, GenericParam, Lifetime, Pat, PatType, Receiver, ReceiverKind, ReturnType,
    Signature, Token, Type, TypeParamBound, Visibility, WherePredicate,
};

/// A parsed function.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) receiver: Option<Receiver>,
    pub(crate) parameters: Vec<Parameter>,
    /// The result type, with `!` replaced by a type without values; `None` for an implicit unit.
    /// Like the receiver and the parameter types, it is changed to what the outer function shows
    /// (`scoped` names the lifetimes), while `signature` stays as written.
    pub(crate) output: Option<Type>,
    /// How it hands out its items, if it yields; `output` is the type of one then.
    pub(crate) yields: Option<Yields>,
    /// The lifetime of the scope, if `scoped` was given.
    pub(crate) scope: Option<Lifetime>,
    /// The braces and their contents; `None` for `fn name();` and half-typed code.
    pub(crate) body: Option<Group>,
}

/// One parameter other than the receiver.
pub(crate) struct Parameter {
    /// As the user wrote it: `mut path: PathBuf`, `(x, _): (f64, f64)`, `#[cfg(unix)] fd: OwnedFd`.
    pub(crate) written: PatType,
    /// Its type as the outer function shows it.
    pub(crate) ty: Type,
    /// Its name in the outer function. A pattern gets a name that nothing can collide with.
    pub(crate) name: Ident,
    /// The pattern is just the name, or `mut` and the name.
    pub(crate) is_plain: bool,
}

impl Function {
    /// Parses an item. A signature that cannot be parsed is the only mistake after which nothing
    /// can be expanded; it is returned as the error.
    pub(crate) fn parse(item: TokenStream) -> syn::Result<Self> {
        let (head, body) = split_body(item);
        let (attributes, visibility, signature) = parse_head.parse2(head)?;
        let mut receiver = None;
        let mut parameters = Vec::new();
        for input in &signature.inputs {
            match input {
                FnArg::Receiver(written) => receiver = Some(written.clone()),
                FnArg::Typed(written) => parameters.push(Parameter::new(written, &parameters)),
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

    /// The function's name, without the `r#` of a raw identifier.
    pub(crate) fn name(&self) -> String {
        self.signature.ident.unraw().to_string()
    }

    /// A local of the expansion, hidden from the body, which no parameter is named like. Constants
    /// and statics of the user are not hidden from the expansion, and a pattern cannot bind their
    /// names; so ours begin with two underscores.
    pub(crate) fn local(&self, name: &str, span: Span) -> Ident {
        let mut name = name.to_owned();
        while self.parameters.iter().any(|parameter| parameter.name == name) {
            name.push('_');
        }
        Ident::new(&name, hidden(span))
    }

    /// How its generics are passed on; lifetimes are inferred.
    pub(crate) fn generics(&self) -> Vec<&Ident> {
        let parameters = self.signature.generics.params.iter();
        let passed = parameters.filter_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(&parameter.ident),
            GenericParam::Const(parameter) => Some(&parameter.ident),
            GenericParam::Lifetime(_) => None,
        });
        passed.collect()
    }

    /// Whether the body is in a hidden method beside it: a closure that has captured `self` cannot
    /// be sent to a worker process.
    pub(crate) fn has_sibling(&self, mode: &Mode) -> bool {
        mode.encodes && self.receiver.is_some()
    }

    /// Whether this may be what a trait declares of a method with a sibling.
    pub(crate) fn is_declaration(&self, mode: &Mode) -> bool {
        self.body.is_none() && self.has_sibling(mode)
    }

    /// Whether this is the program's `main`, as far as a macro can tell.
    pub(crate) fn is_main(&self) -> bool {
        let Signature { ident, inputs, .. } = &self.signature;
        ident == "main" && inputs.is_empty() && matches!(self.visibility, Visibility::Inherited)
    }

    /// Whether `async_trait` made it of an `async fn`.
    pub(crate) fn is_made_by_async_trait(&self) -> bool {
        let mut lifetimes = self.signature.generics.lifetimes();
        lifetimes.any(|parameter| parameter.lifetime.ident == "async_trait")
    }

    /// The result, written out.
    pub(crate) fn output_or_unit(&self) -> TokenStream {
        match &self.output {
            Some(output) => output.to_token_stream(),
            None => {
                let mut unit = Group::new(Delimiter::Parenthesis, TokenStream::new());
                unit.set_span(visible(self.signature.ident.span()));
                unit.into_token_stream()
            }
        }
    }

    /// Whether what the body gives in this mode is a future.
    pub(crate) fn is_future(&self, mode: &Mode) -> bool {
        mode.awaits && self.yields.is_none()
    }

    /// The result as the body's closure may declare it: that of one that yields has no name.
    pub(crate) fn declared(&self) -> Option<&Type> {
        self.output.as_ref().filter(|_| self.yields.is_none())
    }

    /// Replaces `!` by the type that it has where results cross as bytes.
    pub(crate) fn name_never(&mut self, runtime: &TokenStream) {
        if let ReturnType::Type(_, output) = &self.signature.output
            && let Type::Never(never) = ungrouped(output)
        {
            let span = visible(never.bang_token.span);
            self.output = Some(syn::parse_quote_spanned!(span=> #runtime::process::Never));
        }
    }

    /// Whether values of this type may have no size, because it is `?Sized`.
    pub(crate) fn may_lack_size(&self, ty: &Type) -> bool {
        let relaxes = |bound: &TypeParamBound| bound.to_token_stream().to_string().starts_with('?');
        let name = match ungrouped(ty) {
            Type::ImplTrait(opaque) => return opaque.bounds.iter().any(relaxes),
            Type::Path(path) => path.path.get_ident(),
            _ => None,
        };
        let Some(name) = name else { return false };
        let generics = &self.signature.generics;
        let own = generics.type_params().filter(|own| own.ident == *name);
        let clauses = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
        let added = clauses.filter_map(|clause| match clause {
            WherePredicate::Type(clause) => match &clause.bounded_ty {
                Type::Path(path) if path.path.is_ident(name) => Some(&clause.bounds),
                _ => None,
            },
            _ => None,
        });
        own.map(|own| &own.bounds).chain(added).flatten().any(relaxes)
    }

    /// Everything that the arguments and the result borrow.
    pub(crate) fn borrows(&self) -> Vec<Borrow> {
        let receiver = self.receiver.iter().filter_map(|receiver| match &receiver.kind {
            ReceiverKind::Typed(_, ty) => Some(&**ty),
            _ => None,
        });
        let named = self.receiver.iter().filter_map(|receiver| match &receiver.kind {
            ReceiverKind::Reference(and, lifetime, _) => {
                let lifetime = lifetime.clone();
                Some(Borrow { span: and.span, lifetime, is_reference: true, mutable: None })
            }
            _ => None,
        });
        let types = self.parameters.iter().map(|parameter| &parameter.ty);
        let types = receiver.chain(types).chain(&self.output);
        named.chain(types.flat_map(borrows)).collect()
    }

    /// The body, or the semicolon of a declaration.
    pub(crate) fn body_or_end(&self) -> TokenStream {
        self.body.as_ref().map_or_else(|| quote!(;), ToTokens::to_token_stream)
    }

    /// The body, or, once its absence is reported, an empty one.
    pub(crate) fn body_or_empty(&self) -> Group {
        let empty = || Group::new(Delimiter::Brace, TokenStream::new());
        self.body.clone().unwrap_or_else(empty)
    }
}

impl Parameter {
    /// Names in the outer function belong to the expansion, so two names that differ only in the
    /// macro they come from would collide: the second is numbered instead.
    fn new(written: &PatType, earlier: &[Parameter]) -> Self {
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
