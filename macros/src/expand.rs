//! The expansion of a concurrent function: one static, one call, and the body verbatim.
//!
//! ```text
//! // Input:
//! #[concurrent(threads, limit = 4)]
//! pub fn thumbnail(path: PathBuf, size: u32) -> io::Result<Image> { BODY }
//! // Output:
//! pub fn thumbnail(path: PathBuf, size: u32) -> ::trine::Task<io::Result<Image>> {
//!     ::trine::threads::spawn(
//!         {
//!             static FUNCTION: ::trine::Function = ::trine::Function::new("thumbnail").limit(4);
//!             &FUNCTION
//!         },
//!         (path, size),
//!         |(path, size): (PathBuf, u32)| -> io::Result<Image> { BODY },
//!     )
//! }
//! ```
//!
//! The closure captures nothing, so it coerces to a plain `fn` pointer; unlike a `fn` item, it can
//! use the outer generics and `Self`. The tuple holds every argument, whether the body mentions it
//! or not, so they live as long as in a call. The other files each write one part: [`outer`] the
//! function that callers see, [`arguments`] the tuple, [`body`] the closure, [`entered`] a method
//! that a worker process calls, [`scope`] the lifetimes, [`recover`] the replacement after a
//! mistake.
use super::args::Args;
use super::check;
use super::error::Errors;
use super::function::Function;
use super::mode::Mode;
use super::span::{hidden, visible};
use super::{
    arguments, body, conditional, entered, half_typed, item, outer, parts, reader, recover, scope,
    worker, yields,
};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};

/// The whole macro: the expansion of `#[concurrent(ARGUMENTS)] ITEM`.
pub(crate) fn concurrent(
    arguments: TokenStream,
    item: TokenStream,
    enabled: fn(&Mode) -> bool,
) -> TokenStream {
    if is_no_place(&item) {
        // Attribute macros on statements and expressions are unstable; the compiler reports that
        // itself.
        return item;
    }
    if worker::is_impl(&item) {
        return worker::concurrent(arguments, item, enabled);
    }
    let mut errors = Errors::default();
    let args = reader::attribute(arguments.clone(), enabled, &mut errors);
    let mut function = match item::function(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            if let Some(function) = half_typed::function(&args, item.clone()) {
                return [errors.to_tokens(), function].into_iter().collect();
            }
            errors.add(error);
            return [errors.to_tokens(), item].into_iter().collect();
        }
    };
    if args.mode.encodes {
        let span = visible(function.signature.ident.span());
        function.name_never(&args.runtime(span));
    }
    check::check(&args, &function, &mut errors);
    if errors.is_empty()
        && let Some(variants) = conditional::split(&args, &arguments, &function)
    {
        return variants;
    }
    if args.is_scoped() {
        scope::name_lifetimes(&mut function);
    }
    if !errors.is_empty() {
        return recover::recover(&args, &function, errors);
    }
    if function.body.is_none() {
        let declared = outer::signature(&args, &function);
        return quote!(#declared;);
    }
    expand(&args, &function)
}

/// A statement or an expression: `let x = 1;`, `{ … }`, `|x| …`, `loop { … }`, `println!(…);`.
fn is_no_place(item: &TokenStream) -> bool {
    let mut tokens = item.clone().into_iter();
    let (first, second) = (tokens.next(), tokens.next());
    let opens = |token: &Option<TokenTree>| match token {
        Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Brace,
        Some(TokenTree::Punct(punct)) => punct.as_char() == '|',
        Some(TokenTree::Ident(word)) => word == "move",
        _ => false,
    };
    let Some(TokenTree::Ident(word)) = &first else {
        return opens(&first);
    };
    let word = word.to_string();
    match second {
        Some(TokenTree::Punct(punct)) if punct.as_char() == '!' => OF_BODIES.contains(&&*word),
        Some(TokenTree::Punct(punct)) if punct.as_char() == ':' => false,
        second => opens(&second) || !OF_ITEMS.contains(&&*word),
    }
}

/// What items begin with.
#[rustfmt::skip]
const OF_ITEMS: &[&str] = &[
    "pub", "crate", "default", "auto", "safe", "unsafe", "async", "const", "extern", "gen", "fn",
    "struct", "enum", "union", "trait", "impl", "mod", "type", "static", "use", "macro",
];

/// Macros of the standard library that are called in bodies alone.
#[rustfmt::skip]
const OF_BODIES: &[&str] = &[
    "print", "println", "eprint", "eprintln", "write", "writeln", "format", "vec", "dbg", "assert",
    "assert_eq", "assert_ne", "debug_assert", "panic", "todo", "unimplemented", "unreachable",
];

fn expand(args: &Args, function: &Function) -> TokenStream {
    let signature = outer::signature(args, function);
    let inside = match function.is_entered(args.mode) {
        true => entered::inside(args, function),
        false => call(args, function),
    };
    // The braces and the end of the signature are the user's tokens: rustc looks there to tell who
    // wrote a function, and lints such as `dead_code` and `missing_docs` skip generated code.
    let mut block = Group::new(Delimiter::Brace, inside);
    block.set_span(function.body_or_empty().span());
    quote!(#signature #block)
}

/// The call that starts the body.
fn call(args: &Args, function: &Function) -> TokenStream {
    let span = hidden(function.signature.ident.span());
    let scope = function.scope.as_ref().map(|_| {
        let scope = scope::name(function, span);
        quote!(#scope,)
    });
    let arguments = arguments::sent(args, function);
    let closure = body::closure(args, function);
    let again = args.has("retries").then(|| parts::again(args, function, span));
    let kept = parts::kept(args, function);
    let between = quote_spanned! {span=>
        #scope
        #kept,
        #arguments,
        #closure
        #again
    };
    let place = hidden(arguments::place(args, function));
    let entry = entry(args, function, place);
    quote_spanned!(place=> #entry(#between))
}

/// The entry of the engine.
fn entry(args: &Args, function: &Function, span: Span) -> TokenStream {
    let runtime = args.runtime(span);
    let module = Ident::new(args.mode.module, span);
    let entry = match (&function.yields, args.is_scoped(), args.has("retries")) {
        (Some(yields), ..) => yields::entry(yields),
        (None, false, false) => "spawn",
        (None, false, true) => "spawn_retrying",
        (None, true, false) => "spawn_scoped",
        (None, true, true) => "spawn_scoped_retrying",
    };
    let entry = Ident::new(entry, span);
    quote_spanned!(span=> #runtime::#module::#entry)
}
