//! A method of the mode `process`. A closure around its body would have to capture `self`, and
//! cannot be sent to a worker; nor can it take `self`, which is not a pattern. So the worker calls
//! the method itself, which runs its body if it is called for that, and otherwise starts a task.
//!
//! ```text
//! // Input:
//! pub fn handle(&self, mut request: String) -> usize { BODY }
//! // Output:
//! pub fn handle(&self, request: String) -> ::trine::Task<usize> {
//!     let __method = ::trine::process::method({ static FUNCTION: …; &FUNCTION });
//!     if let ::core::option::Option::Some(__begun) = __method.begun() {
//!         return __begun.run((request,), move |(mut request,): (String,)| -> usize {
//!             let _ = &self;
//!             { BODY }
//!         });
//!     }
//!     __method.spawn((self, request), |(__this, request): (_, String)| __this.handle(request))
//! }
//! ```
//!
//! Nothing is added to the `impl`, which may be one of a trait. Inside of it the trait is in scope.
use super::args::Args;
use super::function::Function;
use super::span::hidden;
use super::yields;
use super::{arguments, body, parts, scope};
use proc_macro2::{Ident, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned;

/// What stands between the braces.
pub(crate) fn inside(args: &Args, function: &Function) -> TokenStream {
    let span = hidden(function.signature.ident.span());
    let place = hidden(arguments::place(args, function));
    let (runtime, some) = (args.runtime(span), quote_spanned!(span=> ::core::option::Option::Some));
    let method = function.local("__method", span);
    let begun = function.local("__begun", span);
    let kept = parts::kept(args, function);
    let scope = function.scope.as_ref().map(|_| {
        let scope = scope::name(function, span);
        quote_spanned!(span=> #scope,)
    });
    // Where the compiler underlines the closures too, so that what is wrong with a result is said
    // once.
    let result = hidden(function.output.as_ref().map_or(span, Spanned::span));
    let run = match (&function.yields, args.is_scoped()) {
        (Some(yields), _) if yields::is_polled(yields) => "yields_polled",
        (Some(_), _) => "yields",
        (None, true) => "run_scoped",
        (None, false) => "run",
    };
    let run = Ident::new(run, result);
    let given = arguments::given(function);
    let body = body::capturing(args, function, span);
    let start = match (&function.yields, args.is_scoped(), args.has("retries")) {
        (Some(_), ..) => "stream",
        (None, false, false) => "spawn",
        (None, false, true) => "spawn_retrying",
        (None, true, false) => "spawn_scoped",
        (None, true, true) => "spawn_scoped_retrying",
    };
    let start = Ident::new(start, place);
    let sent = arguments::sent(args, function);
    let call = body::closure(args, function);
    let again = args.has("retries").then(|| parts::again(args, function, span));
    let run = quote_spanned!(result=> #begun.#run(#scope #given, #body));
    let start = quote_spanned!(place=> #method.#start(#scope #sent, #call #again));
    quote_spanned! {span=>
        let #method = #runtime::process::method(#kept);
        if let #some(#begun) = #method.begun() {
            return #run;
        }
        #start
    }
}
