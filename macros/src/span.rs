//! Where generated tokens are located, and where their names are looked up.
//!
//! Every token is located at the user's code, so that the compiler points there and never at the
//! attribute alone. What differs is who sees its name.
use proc_macro2::Span;

/// A local name at `span` that the user's code cannot see, and that hides nothing from it.
pub(crate) fn hidden(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// A generated token: located at the user's code, resolved where the attribute stands.
pub(crate) fn visible(span: Span) -> Span {
    Span::call_site().located_at(span)
}
