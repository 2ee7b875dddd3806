//! The location of generated tokens, and the scope in which their names resolve.
//!
//! Every token is located at the user's code, so that the compiler points there and never at the
//! attribute as a whole. They differ in whether user code can see their names.
use proc_macro2::Span;

/// A local name at `span` that user code cannot see, and that shadows nothing of the user's.
pub(crate) fn hidden(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// A generated token: located at the user's code, resolved where the attribute stands.
pub(crate) fn visible(span: Span) -> Span {
    Span::call_site().located_at(span)
}
