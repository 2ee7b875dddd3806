//! What a concurrent function becomes: one static, one call, the body verbatim.
//!
//! ```text
//! pub fn thumbnail(path: PathBuf, size: u32) -> ::trine::Task<io::Result<Image>> {
//!     static FUNCTION: ::trine::Function = ::trine::Function::new("thumbnail").limit(4);
//!     ::trine::threads::spawn(
//!         &FUNCTION,
//!         (path, size),
//!         |(path, size): (PathBuf, u32)| -> io::Result<Image> { BODY },
//!     )
//! }
//! ```
//!
//! The closure captures nothing, so it is a plain `fn` pointer; being no `fn` item, it still sees
//! generics and `Self`. The tuple holds every argument, mentioned in the body or not, so they live
//! as long as in a call. The files below each write one part of it:
//! [`body`] the closure, [`signature`] the function around it, [`recover`] what stands there when
//! something was wrong.
use super::args::{Args, Mode};
use super::check;
use super::error::Errors;
use super::function::{Function, hidden};
use super::{body, conditional, recover, signature};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};

/// The whole macro: what `#[concurrent(ARGUMENTS)] ITEM` becomes.
pub(crate) fn concurrent(
    arguments: TokenStream,
    item: TokenStream,
    enabled: fn(Mode) -> bool,
) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(arguments.clone(), enabled, &mut errors);
    let mut function = match Function::parse(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            errors.add(error);
            return [errors.to_tokens(), item].into_iter().collect();
        }
    };
    check::check(&args, &function, &mut errors);
    if errors.is_empty()
        && let Some(variants) = conditional::split(&args, &arguments, &function)
    {
        return variants;
    }
    if args.scoped.is_some() {
        signature::name_lifetimes(&mut function);
    }
    if !errors.is_empty() {
        let recovered = recover::recover(&args, &function);
        return [errors.to_tokens(), recovered].into_iter().collect();
    }
    expand(&args, &function)
}

fn expand(args: &Args, function: &Function) -> TokenStream {
    let span = hidden(function.signature.ident.span());
    let runtime = args.runtime(span);
    let static_name = static_name(function, span);
    let name = function.name();
    let builders = &args.builders;
    let spawn = spawn(args, span);
    let scope = args.scoped.map(|_| {
        let scope = signature::scope_name(span);
        quote!(#scope,)
    });
    let arguments = body::arguments(function);
    let closure = body::closure(args, function);
    let failed = args.retries.then(|| {
        let output = function.output_or_unit();
        quote_spanned!(span=> , |output: &#output| #runtime::is_err!(output))
    });
    let outer = signature::outer(args, function, &signature::named_parameters(function));
    let sibling = function.receiver.as_ref().map(|_| signature::sibling(function));
    let statements = quote_spanned! {span=>
        static #static_name: #runtime::Function = #runtime::Function::new(#name) #builders;
        #spawn(#scope &#static_name, #arguments, #closure #failed)
    };
    // The braces are the user's own, as is the end of the signature: rustc looks there to tell who
    // wrote a function, and lints such as `dead_code` and `missing_docs` speak only to users.
    let mut block = Group::new(Delimiter::Brace, statements);
    block.set_span(function.body_or_empty().span());
    quote!(#outer #block #sibling)
}

/// The entry of the engine: the one place where the mode is looked at.
fn spawn(args: &Args, span: Span) -> TokenStream {
    let runtime = args.runtime(span);
    let module = Ident::new(args.mode.module(), span);
    let entry = match (args.scoped.is_some(), args.retries) {
        (false, false) => "spawn",
        (false, true) => "spawn_retrying",
        (true, false) => "spawn_scoped",
        (true, true) => "spawn_scoped_retrying",
    };
    let entry = Ident::new(entry, span);
    quote_spanned!(span=> #runtime::#module::#entry)
}

/// `FUNCTION`, unless the user's code says that too: items have no hygiene on stable Rust, and
/// the body must not see ours where it means its own.
fn static_name(function: &Function, span: Span) -> Ident {
    let signature = &function.signature;
    let taken = |name: &str| {
        mentions(quote!(#signature), name)
            || function.body.as_ref().is_some_and(|body| mentions(body.stream(), name))
    };
    let mut name = "FUNCTION".to_owned();
    while taken(&name) {
        name.insert_str(0, "TRINE_");
    }
    format_ident!("{name}", span = span)
}

fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
