//! What was given between the parentheses of `#[concurrent(…)]`: a mode, and options.
use super::mode::Mode;
use super::options::{Kind, Row};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::Path;

/// The parsed attribute.
pub(crate) struct Args {
    /// The mode; if it is missing or unknown, the one that was probably meant.
    pub(crate) mode: &'static Mode,
    /// Whether the mode was given and known. Otherwise nothing is checked against it.
    pub(crate) has_mode: bool,
    /// The options, as they were given.
    pub(crate) options: Vec<Given>,
    /// `crate = …`: the path of the runtime crate, when it is not `::trine`.
    pub(crate) runtime: Option<Path>,
}

/// An option that was given.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) row: &'static Row,
    pub(crate) span: Span,
    /// What was written after `=`.
    pub(crate) written: TokenStream,
    /// The method call on `Function::new(…)` that stores it, if it has one.
    pub(crate) builder: TokenStream,
}

impl Args {
    /// The same with these options.
    pub(crate) fn with(&self, options: Vec<Given>) -> Self {
        Args { options, runtime: self.runtime.clone(), ..*self }
    }

    /// Whether the option of this name was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.given(name).is_some()
    }

    /// Where the option of this name was given.
    pub(crate) fn given(&self, name: &str) -> Option<Span> {
        self.options.iter().find(|given| given.row.name == name).map(|given| given.span)
    }

    /// What was written after the `=` of this option, if it was given.
    pub(crate) fn written(&self, name: &str) -> Option<&TokenStream> {
        self.options.iter().find(|given| given.row.name == name).map(|given| &given.written)
    }

    /// `scoped`: arguments may borrow.
    pub(crate) fn is_scoped(&self) -> bool {
        self.options.iter().any(|given| given.row.kind == Kind::Scoped)
    }

    /// The calls on `Function::new(…)`: one const builder method for each option.
    pub(crate) fn builders(&self) -> TokenStream {
        self.options.iter().map(|given| given.builder.clone()).collect()
    }

    /// The path of the runtime crate, for generated code at `span`.
    pub(crate) fn runtime(&self, span: Span) -> TokenStream {
        match &self.runtime {
            Some(path) => path.to_token_stream(),
            None => quote_spanned!(span=> ::trine),
        }
    }
}
