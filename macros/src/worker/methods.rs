//! The functions of a worker: each starts what the plain one of the same name does, where the value
//! lives.
use super::super::args::Args;
use super::super::function::{Function, Parameter};
use super::super::span::{hidden, visible};
use super::super::tuple::tuple;
use super::super::types::{has_impl, is_unsized, ungrouped};
use super::super::yields::{self, Yields};
use super::super::{arguments, attributes, outer, parts};
use super::block::{Block, Part};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Receiver, Token, Type};

/// A constructor: it returns the worker, and not a task.
pub(super) fn constructor(block: &Block, part: &Part, is_right: bool) -> TokenStream {
    let Part { function, args, .. } = part;
    let signature = &function.signature;
    let (visibility, fn_token, name) =
        (&function.visibility, &signature.fn_token, &signature.ident);
    let span = hidden(name.span());
    let attributes = attributes::of_worker(args, function, "The value lives in a worker");
    let parameters = parameters(function);
    let (generics, clause) = (&signature.generics, &signature.generics.where_clause);
    let called = Called { block, part, span };
    let place = arguments::doubtful(args, function).map_or(span, hidden);
    let (start, this) = (called.entry("worker", place), &block.this);
    let body = is_right.then(|| {
        let (kept, arguments) = (called.function(), called.arguments());
        let (pattern, types, call) = (called.pattern(), called.types(), called.plain(&[]));
        let call = match args.mode.awaits {
            true => quote_spanned!(called.result()=> async move { #call.await }),
            false => quote_spanned!(called.result()=> { #call }),
        };
        let body = quote_spanned!(called.result()=> |#pattern: #types| #call);
        // The compiler points at these two if the arguments or the result are wrong.
        let sent = Token![_](arguments::unknown(function).map_or(span, hidden));
        let made = Token![_](called.result());
        let generics = quote_spanned!(span=> ::<#this, #sent, _, #made>);
        quote_spanned!(span=> Self(#start #generics (#kept, #arguments, #body)))
    });
    let block = called.braces(body);
    quote! {
        #(#attributes)*
        #visibility #fn_token #name #generics (#(#parameters),*) -> Self #clause #block
    }
}

/// A method, which returns a task.
pub(super) fn method(block: &Block, part: &Part, is_right: bool) -> TokenStream {
    let Part { function, args, .. } = part;
    if !is_right && function.output.as_ref().is_some_and(has_impl) {
        // What it returns has no name, which has been reported.
        return TokenStream::new();
    }
    let span = hidden(function.signature.ident.span());
    let this = Token![self](span);
    let receiver: Receiver = syn::parse_quote_spanned!(span=> &#this);
    let attributes =
        attributes::of_worker(args, function, "Each call runs as a task of the worker");
    let unknown = function.output.as_ref().filter(|output| is_unsized(output)).map(|output| {
        // In a box, which most of what callers do with it can be done with.
        let runtime = args.runtime(span);
        quote_spanned!(span=> #runtime::Task<::std::boxed::Box<#output>>)
    });
    let signature = outer::around(args, function, Some(&receiver), &parameters(function), unknown);
    let called = Called { block, part, span };
    let body = is_right.then(|| {
        let name = match (function.yields.is_some(), part.is_mutable, args.has("retries")) {
            (true, false, _) => "call_stream",
            (true, true, _) => "call_stream_mut",
            (false, true, _) => "call_mut",
            (false, false, false) => "call",
            (false, false, true) => "call_retrying",
        };
        let place = called.place();
        let entry = called.entry(name, place);
        let again = args.has("retries").then(|| parts::again(args, function, span));
        let (statics, arguments) = (called.function(), called.arguments());
        let closure = called.closure();
        let arguments = quote_spanned!(span=> &#this.0, #statics, #arguments, #closure #again);
        quote_spanned!(place=> #entry(#arguments))
    });
    let block = called.braces(body);
    quote!(#(#attributes)* #signature #block)
}

fn parameters(function: &Function) -> Vec<TokenStream> {
    let named = function.parameters.iter().map(|parameter| {
        let (name, colon, ty) = (&parameter.name, &parameter.written.colon_token, &parameter.ty);
        match is_unsized(ty) || function.may_lack_size(ty) {
            true => quote!(#name #colon &(#ty)),
            false => quote!(#name #colon #ty),
        }
    });
    named.collect()
}

struct Called<'a> {
    block: &'a Block,
    part: &'a Part,
    span: Span,
}

impl Called<'_> {
    fn args(&self) -> &Args {
        &self.part.args
    }

    /// `::trine::threads::call`.
    fn entry(&self, name: &str, span: Span) -> TokenStream {
        let runtime = self.args().runtime(span);
        let (module, name) = (Ident::new(self.args().mode.module, span), Ident::new(name, span));
        quote_spanned!(span=> #runtime::#module::#name)
    }

    fn function(&self) -> TokenStream {
        parts::kept(self.args(), &self.part.function)
    }

    fn arguments(&self) -> TokenStream {
        let is_kept = self.part.function.receiver.is_none();
        arguments::plain(self.args(), &self.part.function, is_kept || self.args().has("retries"))
    }

    fn pattern(&self) -> TokenStream {
        let names = self.part.function.parameters.iter();
        tuple(names.map(|parameter| parameter.name.to_token_stream()).collect(), self.span)
    }

    fn types(&self) -> TokenStream {
        let types = self.part.function.parameters.iter().map(|parameter| self.owned(&parameter.ty));
        tuple(types.collect(), self.span)
    }

    /// What the closure gets for a parameter of this type.
    fn owned(&self, ty: &Type) -> TokenStream {
        match ungrouped(ty) {
            Type::Reference(reference) if self.args().mode.encodes => {
                let (runtime, borrowed) = (self.args().runtime(self.span), &reference.elem);
                quote_spanned!(self.span=> #runtime::process::Owned<#borrowed>)
            }
            _ if has_impl(ty) => quote_spanned!(self.span=> _),
            _ => ty.to_token_stream(),
        }
    }

    /// `Model::predict(__this, input)`.
    fn plain(&self, receiver: &[TokenStream]) -> TokenStream {
        let (this, name) = (&self.block.this, &self.part.function.signature.ident);
        let generics = self.part.function.generics();
        let span = self.span;
        let generics = (!generics.is_empty()).then(|| quote_spanned!(span=> ::<#(#generics),*>));
        let has_opaque = |parameter: &Parameter| has_impl(&parameter.ty);
        let generics = generics.filter(|_| !self.part.function.parameters.iter().any(has_opaque));
        let values = self.part.function.parameters.iter().map(|parameter| {
            let name = &parameter.name;
            let is_lent = matches!(ungrouped(&parameter.ty), Type::Reference(_));
            match is_lent && self.args().mode.encodes {
                true => quote_spanned!(span=> &#name),
                false => quote!(#name),
            }
        });
        let values = receiver.iter().cloned().chain(values);
        let has_name = matches!(ungrouped(this), Type::Path(path)
            if path.path.segments.iter().all(|segment| segment.arguments.is_none()));
        let this = if has_name { quote!(#this) } else { quote_spanned!(span=> <#this>) };
        let call = quote_spanned!(span=> #this::#name #generics (#(#values),*));
        let is_driven = self.part.function.signature.asyncness.is_some();
        if is_driven && !self.args().mode.awaits {
            let runtime = self.args().runtime(span);
            return quote_spanned!(span=> #runtime::block_on(#call));
        }
        call
    }

    /// What runs where the value is.
    fn closure(&self) -> TokenStream {
        let (span, value) = (self.result(), &self.block.this);
        let this = self.part.function.local("__this", span);
        let (pattern, types) = (self.pattern(), self.types());
        let mutable = self.part.is_mutable.then(|| quote_spanned!(span=> mut));
        if let Some(yields) = &self.part.function.yields {
            return self.yielding(yields, &this, mutable.as_ref());
        }
        if self.args().mode.awaits {
            let call = self.plain(&[quote_spanned!(span=> &#mutable #this)]);
            let output = self.part.function.local("__output", span);
            return quote_spanned! {span=>
                |#mutable #this, #pattern: #types| async move {
                    let #output = #call.await;
                    (#this, #output)
                }
            };
        }
        let call = self.plain(&[quote!(#this)]);
        let output = self.part.function.output.as_ref().map(|output| quote!(-> #output));
        quote_spanned! {span=>
            |#this: &#mutable #value, #pattern: #types| #output { #call }
        }
    }

    /// Where the compiler is to report what is wrong with the call of a method as a whole: at an
    /// argument, at the result, or at the name.
    fn place(&self) -> Span {
        let function = &self.part.function;
        let found = arguments::doubtful(self.args(), function);
        found.or_else(|| arguments::unknown_result(function)).map_or(self.span, hidden)
    }

    /// Located at the declared result, where the compiler points if it cannot be that of a task: at
    /// the closure.
    fn result(&self) -> Span {
        let output = self.part.function.output.as_ref();
        output.map_or(self.span, |output| hidden(output.span()))
    }

    /// The same for a method that yields, which ends with its iterator.
    fn yielding(
        &self,
        yields: &Yields,
        this: &Ident,
        mutable: Option<&TokenStream>,
    ) -> TokenStream {
        let (span, value) = (self.span, &self.block.this);
        let (pattern, types) = (self.pattern(), self.types());
        let outlet = self.part.function.local("__outlet", span);
        if self.args().mode.awaits {
            let call = self.plain(&[quote_spanned!(span=> &#mutable #this)]);
            let is_all = self.part.function.local("__is_all", span);
            return quote_spanned! {span=>
                |#mutable #this, #pattern: #types, #outlet| async move {
                    let #is_all = #outlet.all(#call).await;
                    (#this, #is_all)
                }
            };
        }
        let call = self.plain(&[quote!(#this)]);
        let put = match yields::is_polled(yields) {
            true => quote_spanned!(span=> #outlet.all_polled(|| #call)),
            false => quote_spanned!(span=> #outlet.all(#call)),
        };
        quote_spanned!(span=> |#this: &#mutable #value, #pattern: #types, #outlet| { #put })
    }

    /// The body, or after a mistake one that suits every signature.
    fn braces(&self, body: Option<TokenStream>) -> Group {
        let span = visible(self.part.function.signature.ident.span());
        let body = body.unwrap_or_else(|| quote_spanned!(span=> ::core::panic!()));
        let mut braces = Group::new(Delimiter::Brace, body);
        braces.set_span(span);
        braces
    }
}
