//! Which attributes a function may have, and which of them the expansion keeps.
//!
//! Attribute macros change a function, so they have to see it as it was written: they go above
//! `#[concurrent]` and so run first. Attributes below it are for the compiler.
//!
//! ```text
//! // Input, with the mode `process`:
//! #[must_use] #[deprecated] #[expect(unused_mut)]
//! // Output:
//! #[deprecated] #[expect(unused_mut)]
//! #[cfg_attr(doc, doc = "Each call runs as a task: `process`.")]
//! ```
use super::args::Args;
use super::error::Errors;
use super::function::Function;
use super::options::Kind;
use super::span::visible;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Meta};

/// Reports attribute macros below `#[concurrent]`, which would see a function that merely starts a
/// task. Returns whether one of them runs the function, so that it may not be concurrent at all.
pub(crate) fn check(function: &Function, errors: &mut Errors) -> bool {
    let mut is_run = false;
    for attribute in function.attributes.iter().filter(|attribute| !is_for_compiler(attribute)) {
        let path = attribute.path();
        let written = path.to_token_stream().to_string().replace(' ', "");
        let last = path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        let message = if last == "concurrent" {
            "`concurrent` is given twice: a function runs in one mode".to_owned()
        } else if RUNNERS.contains(&&*last) {
            is_run = true;
            format!(
                "what `#[{written}]` runs cannot be concurrent, since it takes no `Task`: leave \
                 this function plain, and call a concurrent function in it"
            )
        } else {
            format!(
                "`#[{written}]` stands below `#[concurrent]`, where it would see the function \
                 that starts the task and not the body: write it above"
            )
        };
        errors.push(path.span(), message);
    }
    is_run
}

/// Attributes that let something other than the program's own code call the function.
const RUNNERS: &[&str] = &["test", "bench", "main", "rstest", "test_case", "quickcheck", "case"];

/// Built-in attributes that are allowed on a function.
const OF_COMPILER: &[&str] = &[
    "allow",
    "warn",
    "deny",
    "forbid",
    "expect",
    "cfg",
    "cfg_attr",
    "doc",
    "deprecated",
    "must_use",
    "inline",
    "cold",
    "track_caller",
    "target_feature",
    "coverage",
    "optimize",
    "no_mangle",
    "export_name",
    "link_section",
    "link_name",
    "unsafe",
    "instruction_set",
    "no_sanitize",
    "sanitize",
    "naked",
    "ignore",
    "should_panic",
    "stable",
    "unstable",
    "automatically_derived",
    "linkage",
    "used",
    // Not allowed on a function, which the compiler says.
    "repr",
    "non_exhaustive",
    "link",
    "path",
    "macro_use",
    "macro_export",
    "proc_macro",
    "proc_macro_derive",
    "proc_macro_attribute",
];

/// Tools whose attributes are not macros.
const TOOLS: &[&str] = &["rustfmt", "clippy", "diagnostic", "miri", "rust_analyzer", "rustdoc"];

fn is_for_compiler(attribute: &Attribute) -> bool {
    let mut segments = attribute.path().segments.iter().map(|segment| segment.ident.to_string());
    let (Some(first), second) = (segments.next(), segments.next()) else {
        return true;
    };
    match second {
        Some(_) => TOOLS.contains(&&*first),
        None => OF_COMPILER.contains(&&*first) || first.starts_with("rustc_"),
    }
}

/// The attributes of the outer function: the user's, and a line of documentation that says how
/// calls run. Only rustdoc sees that line, so `missing_docs` still reports an undocumented
/// function.
pub(crate) fn of_outer(args: &Args, function: &Function) -> Vec<TokenStream> {
    let attributes = function.attributes.iter();
    let users = attributes.filter_map(outer_attribute);
    let line = line(args, "Each call runs as a task");
    let span = visible(function.signature.ident.span());
    users.chain([quote_spanned!(span=> #[cfg_attr(doc, doc = #line)])]).collect()
}

/// Of the same function of a worker: its docs, and what is to be known of its signature.
pub(crate) fn of_worker(args: &Args, function: &Function, what: &str) -> Vec<TokenStream> {
    let is_its = |attribute: &&Attribute| {
        let has_message = !matches!(attribute.meta, Meta::Path(_));
        let of_signature = ["doc", "cfg", "deprecated"];
        is_lint(attribute)
            || of_signature.iter().any(|name| attribute.path().is_ident(name))
            || attribute.path().is_ident("must_use") && has_message
    };
    let users = function.attributes.iter().filter(is_its).map(ToTokens::to_token_stream);
    // Not for rustdoc alone: an undocumented function is reported where it was written.
    let (line, span) = (line(args, what), visible(function.signature.ident.span()));
    users.chain([quote_spanned!(span=> #[doc = #line])]).collect()
}

/// A line of documentation: the mode and the options.
pub(crate) fn line(args: &Args, what: &str) -> String {
    let options = args.options.iter().filter_map(|given| {
        let (name, written) = (given.row.name, &given.written.to_string().replace(" :: ", "::"));
        match given.row.kind {
            Kind::Crate => None,
            _ if written.is_empty() => Some(format!(", `{name}`")),
            _ => Some(format!(", `{name} = {written}`")),
        }
    });
    let options: String = options.collect();
    format!("\n{what}: `{}`{options}.", args.mode.name)
}

/// The attributes of the function that stands in after a mistake, without those that would complain
/// again and those that would run it.
pub(crate) fn of_recovered(function: &Function) -> Vec<TokenStream> {
    let (kept, refused): (Vec<&Attribute>, Vec<&Attribute>) =
        function.attributes.iter().partition(|attribute| is_for_compiler(attribute));
    let span = visible(function.signature.ident.span());
    let unused = (!refused.is_empty()).then(|| quote_spanned!(span=> #[allow(dead_code)]));
    kept.into_iter().map(ToTokens::to_token_stream).chain(unused).collect()
}

/// The attribute as it goes on the outer function.
fn outer_attribute(attribute: &Attribute) -> Option<TokenStream> {
    // `Task` is itself `#[must_use]`; only a custom message adds to that.
    if attribute.path().is_ident("must_use") && matches!(attribute.meta, Meta::Path(_)) {
        return None;
    }
    Some(attribute.to_token_stream())
}

/// `allow`, `warn`, `deny`, `forbid`.
fn is_lint(attribute: &Attribute) -> bool {
    ["allow", "warn", "deny", "forbid"].iter().any(|level| attribute.path().is_ident(level))
}
