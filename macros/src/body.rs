//! The closure around the body, and the tuple of arguments that it receives.
//!
//! If every parameter is a plain name, the closure's own pattern binds them. If one is a pattern
//! (`_`, `(x, _)`), has an attribute or is a reference that a worker process owns, the values come
//! in by name, and the body goes where the parameters can be written as the user wrote them: into
//! an inner closure, or, if it is a future or has captured `self`, after one `let` each. Both drop
//! everything as a call would.
//!
//! The body of a method captures `self`, and so it travels as an argument, with the others in it.
//!
//! ```text
//! // Input:
//! fn resize(mut image: Image, size: u32) -> Image { BODY }
//! fn area((width, _): (u32, u32)) -> u32 { BODY }
//! async fn fetch(url: String) -> io::Result<String> { BODY }
//! fn handle(self, mut request: String) -> usize { BODY }
//! // Output:
//! |(mut image, size): (Image, u32)| -> Image { BODY }
//! |(argument0,): ((u32, u32),)| -> u32 { (|(width, _): (u32, u32)| -> u32 { BODY })(argument0) }
//! |(url,): (String,)| async move { let (url,) = (url,); …; { BODY } }
//! |(__method,): (_,)| { __method.run() }
//! // and in what it gets:
//! move |(mut request,): (String,)| { let _ = &self; { BODY } }
//! // Output of the last one in `process`, where that is in the method:
//! |(__this, request): (_, String)| { __this.handle(request) }
//! ```
use super::args::Args;
use super::function::{Function, Parameter};
use super::scope;
use super::span::hidden;
use super::tuple::{place, tuple};
use super::types::{has_impl, is_known_to_cross, ungrouped, words};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Pat, Token, Type};

/// `|ARGUMENTS| -> OUTPUT BODY`, for this kind of function in this mode.
pub(crate) fn closure(args: &Args, function: &Function) -> TokenStream {
    let body = Body::new(args, function);
    let span = body.result_span();
    match &function.receiver {
        None => body.around(&body.pattern(), &body.types(None), &body.inside()),
        Some(receiver) if function.is_entered(args.mode) => {
            // Nothing here names `Self`: a function on its own, which has none, would have one
            // mistake more.
            let first = Token![_](hidden(receiver.self_token.span));
            let types = body.types(Some(first.into_token_stream()));
            let (pattern, call) = (body.with_receiver(), body.call_method());
            // The method has the result's type. Here it would be one more place to report a type
            // that is unknown.
            quote_spanned!(span=> |#pattern #types| #call)
        }
        Some(_) => {
            let method = body.this();
            let (pattern, types) = (quote!((#method,)), quote_spanned!(body.span=> : (_,)));
            let inside = body.call_captured(&method);
            quote_spanned!(span=> |#pattern #types| #inside)
        }
    }
}

/// `move |ARGUMENTS| BODY`, where `self` is the one of the method that it stands in. All of `self`
/// goes along, mentioned in the body or not.
pub(crate) fn capturing(args: &Args, function: &Function, this: Span) -> TokenStream {
    let body = Body { is_sent: false, ..Body::new(args, function) };
    let mut inside = body.inside();
    if function.is_future(args.mode) {
        inside = quote_spanned!(this=> { #inside });
    }
    let (pattern, types) = (body.pattern(), body.types(None));
    let output = function.declared().filter(|_| function.is_entered(args.mode));
    let output = output.map(|output| {
        let output = once(args, output);
        quote_spanned!(this=> -> #output)
    });
    quote_spanned!(this=> move |#pattern #types| #output #inside)
}

struct Body<'a> {
    args: &'a Args,
    function: &'a Function,
    /// Its arguments come as bytes: what was lent is owned there.
    is_sent: bool,
    span: Span,
}

impl<'a> Body<'a> {
    fn new(args: &'a Args, function: &'a Function) -> Self {
        let (is_sent, span) = (args.mode.encodes, hidden(function.signature.ident.span()));
        Body { args, function, is_sent, span }
    }

    fn around(
        &self,
        pattern: &TokenStream,
        types: &TokenStream,
        inside: &TokenStream,
    ) -> TokenStream {
        let span = self.result_span();
        let output = self.function.declared().filter(|_| !self.args.mode.awaits);
        match output {
            Some(output) => quote_spanned!(span=> |#pattern #types| -> #output #inside),
            None => quote_spanned!(span=> |#pattern #types| #inside),
        }
    }

    /// What binds the arguments in the closure around the body.
    fn pattern(&self) -> TokenStream {
        let is_future = self.function.signature.asyncness.is_some();
        match (self.is_simple(), is_future, &self.function.receiver) {
            (true, false, _) => self.patterns(),
            (true, true, _) | (false, false, None) => tuple(self.names(), self.span),
            (false, ..) => self.all().into_token_stream(),
        }
    }

    /// The body, in what it needs around it.
    fn inside(&self) -> TokenStream {
        if self.function.signature.asyncness.is_some() {
            self.future()
        } else if self.function.receiver.is_some() {
            let bindings = if self.is_simple() { TokenStream::new() } else { self.bindings() };
            self.block(&bindings).into_token_stream()
        } else {
            self.plain()
        }
    }

    /// Located at the declared result, which is where the compiler should point if the result of
    /// the closure cannot be returned. The compiler points at an expression, the closure, so the
    /// closure has to begin here and, for a future, to end here.
    fn result_span(&self) -> Span {
        match &self.function.output {
            Some(output) => hidden(syn::spanned::Spanned::span(output)),
            None => self.span,
        }
    }

    /// The body of a plain `fn`: the user's braces, or an inner closure with the user's parameters.
    fn plain(&self) -> TokenStream {
        let braces = self.function.body_or_empty();
        if self.is_simple() {
            return braces.into_token_stream();
        }
        let parameters = self.function.parameters.iter().map(|parameter| self.inner(parameter));
        let values = self.values();
        let output = self.function.declared().map(|output| quote!(-> #output));
        let inside = quote_spanned!(self.span=> (|#(#parameters),*| #output #braces)(#(#values),*));
        quote_spanned!(self.result_span()=> { #inside })
    }

    /// The body of an `async fn`. `async move` moves only what the body mentions, so the arguments
    /// are bound again inside. The body's value and that of each `return` are coerced to the
    /// declared type only if it is already known, so an unreachable `return` declares it first.
    fn future(&self) -> TokenStream {
        let span = self.result_span();
        let body = self.function.body_or_empty();
        let bindings = match (self.function.parameters.is_empty(), self.is_simple()) {
            (true, _) if self.function.output.is_none() && self.function.receiver.is_none() => {
                return self.driven(quote_spanned!(span=> async move #body));
            }
            (true, _) => TokenStream::new(),
            (false, true) => {
                // Under the same names, so that an editor does not offer ours.
                let (patterns, names) = (self.patterns(), tuple(self.names(), self.span));
                quote_spanned!(span=> let #patterns = #names;)
            }
            (false, false) => self.bindings(),
        };
        let output = self.function.output_or_unit();
        let (option, value) =
            (quote_spanned!(span=> ::core::option::Option), self.function.local("__output", span));
        let block = self.block(&quote_spanned! {span=>
            #bindings
            if let #option::Some(#value) = #option::None::<#output> {
                return #value;
            }
        });
        self.driven(quote_spanned!(span=> async move #block))
    }

    /// The body after these statements.
    ///
    /// The outer braces are the user's, because coverage only counts code in braces from the same
    /// source as the function. The inner ones have this crate's edition, 2024, whatever the user's
    /// is, so temporaries in the last expression of the body are dropped before the arguments. The
    /// parentheses keep rustc from reporting the body's braces as unnecessary.
    fn block(&self, statements: &TokenStream) -> Group {
        let span = self.result_span();
        let body = self.function.body_or_empty();
        // A closure captures only the fields that it mentions, and a call drops all of `self`.
        let whole = self.function.receiver.as_ref().map(|receiver| {
            let this = &receiver.self_token;
            quote_spanned!(span=> let _ = &#this;)
        });
        let all = quote_spanned!(span=> #whole #statements { (#body) });
        let mut block = Group::new(Delimiter::Brace, all);
        block.set_span(body.span());
        block
    }

    /// The body has captured `self`, and comes with the arguments.
    fn call_captured(&self, method: &Ident) -> TokenStream {
        let span = self.result_span();
        let run = quote_spanned!(span=> #method.run());
        // A block of its own is looked into last: a `self` that is not `Send` is not reported a
        // second time as part of the future.
        match self.function.is_future(self.args.mode) {
            true => quote_spanned!(span=> async move { #run.await }),
            false => quote_spanned!(span=> { #run }),
        }
    }

    /// The method is called where it is known, with the generics that are in sight there.
    fn call_method(&self) -> TokenStream {
        let (span, name) = (self.span, &self.function.signature.ident);
        let generics = self.function.generics();
        let generics = (!generics.is_empty()).then(|| quote_spanned!(span=> ::<#(#generics),*>));
        let (this, values) = (self.this(), self.values());
        if self.function.scope.is_none() {
            let call = quote_spanned!(span=> #this.#name #generics (#(#values),*));
            return quote_spanned!(self.result_span()=> { #call });
        }
        let (runtime, scope) = (self.args.runtime(span), scope::name(self.function, span));
        let call = quote_spanned!(span=> #this.#name #generics (#scope, #(#values),*).join());
        quote_spanned!(self.result_span()=> { #runtime::scope(|#scope| #call) })
    }

    /// The future itself, or the call that runs it to completion.
    fn driven(&self, future: TokenStream) -> TokenStream {
        let runtime = self.args.runtime(self.span);
        if self.args.mode.awaits {
            return future;
        }
        let inside = quote_spanned!(self.span=> #runtime::block_on(#future));
        quote_spanned!(self.result_span()=> { #inside })
    }

    /// Whether the parameters can stand in the closure's pattern as they are.
    fn is_simple(&self) -> bool {
        self.function.parameters.iter().all(|parameter| {
            parameter.is_plain
                && parameter.written.attrs.is_empty()
                && !self.is_sent_reference(&parameter.ty)
        })
    }

    /// `(url, mut size)`, the user's patterns.
    fn patterns(&self) -> TokenStream {
        let patterns = self.function.parameters.iter().map(|p| p.written.pat.to_token_stream());
        tuple(patterns.collect(), self.span)
    }

    /// `url, size`, the names in the outer function.
    fn names(&self) -> Vec<TokenStream> {
        self.function.parameters.iter().map(|p| p.name.to_token_stream()).collect()
    }

    /// The names after the one for the receiver.
    fn with_receiver(&self) -> TokenStream {
        let mut names = self.names();
        names.insert(0, self.this().into_token_stream());
        tuple(names, self.span)
    }

    /// `: (PathBuf, u32)`.
    fn types(&self, first: Option<TokenStream>) -> TokenStream {
        let types = self.function.parameters.iter().map(|parameter| self.owned(&parameter.ty));
        let types: Vec<TokenStream> = first.into_iter().chain(types).collect();
        if types.is_empty() {
            return TokenStream::new();
        }
        let types = tuple(types, self.span);
        quote_spanned!(self.span=> : #types)
    }

    /// One `let` per parameter, so that they and what their patterns leave unbound are dropped as
    /// in a call: the remainder after its bindings, and before the parameter to the left.
    fn bindings(&self) -> TokenStream {
        let span = self.span;
        let all = self.all();
        let count = self.function.parameters.len();
        let bindings = self.function.parameters.iter().enumerate().map(|(index, parameter)| {
            let Parameter { written, name, ty, .. } = parameter;
            let (attributes, pattern) = (&written.attrs, &written.pat);
            let place = place(index, count);
            if self.is_sent_reference(ty) {
                let ty = unnamed_reference(ty);
                let value = Ident::new(&format!("argument{index}"), hidden(span));
                return quote_spanned! {span=>
                    let #value = #all #place;
                    #(#attributes)* let #pattern: #ty = &#value;
                };
            }
            if name.to_string().starts_with('_') {
                // A binding that clippy does not report as having no effect; it may be dropped
                // last.
                return quote_spanned!(span=> #(#attributes)* let (#pattern,) = (#all #place,););
            }
            if parameter.is_plain {
                return quote_spanned!(span=> #(#attributes)* let #pattern = #all #place;);
            }
            let mutable = borrows_mutably(pattern).then(|| quote_spanned!(span=> mut));
            quote_spanned! {span=>
                let #mutable #name = #all #place;
                #(#attributes)* let #pattern = #name;
            }
        });
        bindings.collect()
    }

    /// The parameter of the inner closure.
    fn inner(&self, parameter: &Parameter) -> TokenStream {
        let (attributes, pattern) = (&parameter.written.attrs, &parameter.written.pat);
        let ty = if self.is_sent_reference(&parameter.ty) {
            unnamed_reference(&parameter.ty)
        } else {
            inferred(&parameter.ty)
        };
        quote_spanned!(self.span=> #(#attributes)* #pattern: #ty)
    }

    /// The arguments of the inner closure or the method.
    fn values(&self) -> Vec<TokenStream> {
        let values = self.function.parameters.iter().map(|parameter| {
            let name = &parameter.name;
            if self.is_sent_reference(&parameter.ty) {
                quote_spanned!(self.span=> &#name)
            } else {
                quote!(#name)
            }
        });
        values.collect()
    }

    /// `&T` of a process function: the caller lends it, the worker owns it.
    fn is_sent_reference(&self, ty: &Type) -> bool {
        self.is_sent && matches!(ungrouped(ty), Type::Reference(_))
    }

    /// The type as the closure receives it.
    fn owned(&self, ty: &Type) -> TokenStream {
        match ungrouped(ty) {
            Type::Reference(reference) if self.is_sent => {
                let (runtime, borrowed) = (self.args.runtime(self.span), &reference.elem);
                quote_spanned!(self.span=> #runtime::process::Owned<#borrowed>)
            }
            _ => inferred(ty),
        }
    }

    fn all(&self) -> Ident {
        self.function.local("__arguments", self.span)
    }

    /// What comes in for the receiver: itself, or the method that has captured it.
    fn this(&self) -> Ident {
        let is_entered = self.function.is_entered(self.args.mode);
        let name = if is_entered { "__this" } else { "__method" };
        let place = self.function.receiver.as_ref().map(|receiver| receiver.self_token.span);
        self.function.local(name, place.unwrap_or(self.span))
    }
}

/// Whether a pattern has a `ref mut`.
fn borrows_mutably(pattern: &Pat) -> bool {
    let words = words(pattern.to_token_stream());
    words.windows(2).any(|pair| pair == ["ref", "mut"])
}

/// The result of a method, which the compiler reports once if it does not know it, as it is a
/// generic argument each time that it is written: here, and in what the method returns.
fn once(args: &Args, output: &Type) -> TokenStream {
    match ungrouped(output) {
        Type::Path(path) if path.path.get_ident().is_some() && !is_known_to_cross(output) => {
            let runtime = args.runtime(hidden(path.span()));
            quote_spanned!(path.span()=> #runtime::process::Itself<#path>)
        }
        _ => output.to_token_stream(),
    }
}

/// The type, or `_` for what has no name: `impl Trait`.
fn inferred(ty: &Type) -> TokenStream {
    if has_impl(ty) { quote!(_) } else { ty.to_token_stream() }
}

/// `&T` for `&'a T`: in the worker it borrows from a value that the worker owns.
fn unnamed_reference(ty: &Type) -> TokenStream {
    match ungrouped(ty) {
        Type::Reference(reference) => {
            let (and, borrowed) = (&reference.and_token, &reference.elem);
            quote!(#and #borrowed)
        }
        _ => ty.to_token_stream(),
    }
}
