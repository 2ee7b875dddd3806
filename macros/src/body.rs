//! The closure around the body, and the tuple of arguments that it receives.
//!
//! If every parameter is a plain name, the closure's own pattern binds them. If one is a pattern
//! (`_`, `(x, _)`), has an attribute or is a reference that a worker process owns, the values come
//! in by name, and the body goes where the parameters can be written as the user wrote them: into
//! an inner closure, or, if it is `async`, after one `let` each. Both drop everything as a call
//! would.
//!
//! ```text
//! // Input:
//! fn resize(mut image: Image, size: u32) -> Image { BODY }
//! fn area((width, _): (u32, u32)) -> u32 { BODY }
//! async fn fetch(url: String) -> io::Result<String> { BODY }
//! fn handle(self, request: String) -> usize { BODY }
//! // Output:
//! |(mut image, size): (Image, u32)| -> Image { BODY }
//! |(argument0,): ((u32, u32),)| -> u32 { (|(width, _): (u32, u32)| -> u32 { BODY })(argument0) }
//! |arguments: (String,)| async move { let (url,) = arguments; …; { BODY } }
//! |(this, request): (Self, String)| -> usize { Self::__trine_handle(this, request) }
//! ```
use super::args::Args;
use super::arguments::{generic, place, tuple};
use super::function::{Function, Parameter};
use super::outer::receiver_type;
use super::sibling;
use super::span::hidden;
use super::types::{has_impl, ungrouped};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Type;

/// `|ARGUMENTS| -> OUTPUT BODY`, for this kind of function in this mode.
pub(crate) fn closure(args: &Args, function: &Function) -> TokenStream {
    let body = Body::new(args, function);
    let inside = if function.receiver.is_some() {
        body.call_sibling()
    } else if function.signature.asyncness.is_some() {
        body.future()
    } else {
        body.plain()
    };
    let span = body.result_span();
    let pattern = &body.pattern;
    let types = body.types();
    let output = function.output.as_ref().filter(|_| !args.mode.awaits);
    match output {
        Some(output) => quote_spanned!(span=> |#pattern #types| -> #output #inside),
        None => quote_spanned!(span=> |#pattern #types| #inside),
    }
}

struct Body<'a> {
    args: &'a Args,
    function: &'a Function,
    span: Span,
    /// The part that binds the arguments in the closure.
    pattern: TokenStream,
}

impl<'a> Body<'a> {
    fn new(args: &'a Args, function: &'a Function) -> Self {
        let span = hidden(function.signature.ident.span());
        let mut body = Body { args, function, span, pattern: TokenStream::new() };
        let is_future = function.signature.asyncness.is_some() && function.receiver.is_none();
        body.pattern = if is_future && !function.parameters.is_empty() {
            body.all().into_token_stream()
        } else {
            body.names()
        };
        body
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
        let output = self.function.output.as_ref().map(|output| quote!(-> #output));
        quote_spanned!(self.span=> { (|#(#parameters),*| #output #braces)(#(#values),*) })
    }

    /// The body of an `async fn`. `async move` moves only what the body mentions, so the arguments
    /// are bound again inside. The body's value and that of each `return` are coerced to the
    /// declared type only if it is already known, so an unreachable `return` declares it first.
    ///
    /// The outer braces are the user's, because coverage only counts code in braces from the same
    /// source as the function. The inner ones have this crate's edition, 2024, whatever the user's
    /// is, so temporaries in the last expression of the body are dropped before the arguments. The
    /// parentheses keep rustc from reporting the body's braces as unnecessary.
    fn future(&self) -> TokenStream {
        let span = self.result_span();
        let body = self.function.body_or_empty();
        let bindings = match (self.function.parameters.is_empty(), self.is_simple()) {
            (true, _) if self.function.output.is_none() => {
                return self.driven(quote_spanned!(span=> async move #body));
            }
            (true, _) => TokenStream::new(),
            (false, true) => {
                let (patterns, all) = (self.patterns(), self.all());
                quote_spanned!(span=> let #patterns = #all;)
            }
            (false, false) => self.bindings(),
        };
        let output = self.function.output_or_unit();
        let option = quote_spanned!(span=> ::core::option::Option);
        let statements = quote_spanned! {span=>
            #bindings
            if let #option::Some(output) = #option::None::<#output> {
                return output;
            }
            { (#body) }
        };
        let mut block = Group::new(Delimiter::Brace, statements);
        block.set_span(body.span());
        self.driven(quote_spanned!(span=> async move #block))
    }

    /// A method's body is in the sibling; `Self` and the generics are still in sight here.
    fn call_sibling(&self) -> TokenStream {
        let span = self.span;
        let sibling = sibling::name(self.function);
        let generics: Vec<&Ident> =
            self.function.signature.generics.params.iter().filter_map(generic).collect();
        let generics = (!generics.is_empty()).then(|| quote_spanned!(span=> ::<#(#generics),*>));
        let mut values = self.values();
        if let Some(receiver) = &self.function.receiver {
            let this = self.this(receiver.self_token.span);
            let reference = self.is_sent_reference(&receiver_type(self.args, receiver));
            values.insert(0, if reference { quote_spanned!(span=> &#this) } else { quote!(#this) });
        }
        let call = quote_spanned!(span=> Self::#sibling #generics (#(#values),*));
        if self.function.signature.asyncness.is_none() {
            return quote_spanned!(span=> { #call });
        }
        if self.args.mode.awaits {
            // A block of its own is looked into last: an argument that is not `Send` is not
            // reported a second time as part of the future.
            return quote_spanned!(span=> async move { #call.await });
        }
        self.driven(call)
    }

    /// The future itself, or the call that runs it to completion.
    fn driven(&self, future: TokenStream) -> TokenStream {
        let runtime = self.args.runtime(self.span);
        if self.args.mode.awaits {
            return future;
        }
        quote_spanned!(self.span=> { #runtime::block_on(#future) })
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

    /// The pattern of the closure: the user's where the body is right below it, else the names.
    fn names(&self) -> TokenStream {
        if self.function.receiver.is_none() && self.is_simple() {
            return self.patterns();
        }
        let receiver = self.function.receiver.iter();
        let receiver =
            receiver.map(|receiver| self.this(receiver.self_token.span).into_token_stream());
        let names = self.function.parameters.iter().map(|p| p.name.to_token_stream());
        tuple(receiver.chain(names).collect(), self.span)
    }

    /// `: (PathBuf, u32)`.
    fn types(&self) -> TokenStream {
        let receiver = self.function.receiver.iter();
        let receiver = receiver.map(|receiver| self.owned(&receiver_type(self.args, receiver)));
        let types = self.function.parameters.iter().map(|parameter| self.owned(&parameter.ty));
        let types: Vec<TokenStream> = receiver.chain(types).collect();
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
            quote_spanned!(span=> let #name = #all #place; #(#attributes)* let #pattern = #name;)
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

    /// The arguments of the inner closure or the sibling.
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

    fn is_sent_reference(&self, ty: &Type) -> bool {
        is_sent_reference(self.args, ty)
    }

    /// The type as the closure receives it.
    fn owned(&self, ty: &Type) -> TokenStream {
        match ungrouped(ty) {
            Type::Reference(reference) if self.args.mode.encodes => {
                let (runtime, borrowed) = (self.args.runtime(self.span), &reference.elem);
                quote_spanned!(self.span=> #runtime::process::Owned<#borrowed>)
            }
            _ => inferred(ty),
        }
    }

    fn all(&self) -> Ident {
        Ident::new("arguments", hidden(self.span))
    }

    fn this(&self, span: Span) -> Ident {
        Ident::new("this", hidden(span))
    }
}

/// `&T` of a process function: the caller lends it, the worker owns it.
fn is_sent_reference(args: &Args, ty: &Type) -> bool {
    args.mode.encodes && matches!(ungrouped(ty), Type::Reference(_))
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
