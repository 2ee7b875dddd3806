//! The mistakes in one use of the attribute. They are collected and reported together, each at its
//! own token, so that nobody needs two builds to see two mistakes.
use proc_macro2::{Span, TokenStream};
use quote::quote;
use std::fmt::Display;

/// All mistakes so far. If there are none, the function is expanded as written.
#[derive(Default)]
pub(crate) struct Errors {
    ours: Option<syn::Error>,
    /// The compiler has already reported something, which must not be repeated.
    reported: bool,
}

impl Errors {
    /// Adds a mistake: where it is, what is wrong, and what would be right.
    pub(crate) fn push(&mut self, span: Span, message: impl Display) {
        self.add(syn::Error::new(span, message));
    }

    /// Adds a mistake that syn found.
    pub(crate) fn add(&mut self, error: syn::Error) {
        match &mut self.ours {
            Some(all) => all.combine(error),
            None => self.ours = Some(error),
        }
    }

    /// Something is wrong that the compiler has already reported.
    pub(crate) fn set_reported(&mut self) {
        self.reported = true;
    }

    /// How many mistakes there are so far.
    pub(crate) fn count(&self) -> usize {
        self.ours.iter().flatten().count()
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.ours.is_none() && !self.reported
    }

    /// One `compile_error!` for each mistake, as items.
    pub(crate) fn to_tokens(&self) -> TokenStream {
        self.ours.as_ref().map(syn::Error::to_compile_error).unwrap_or_default()
    }

    /// The same, but with the last one inside a type: an array whose length cannot be computed,
    /// which rustc accepts as any expected type.
    pub(crate) fn with_type(self, element: &TokenStream) -> (TokenStream, Option<TokenStream>) {
        let mut all: Vec<syn::Error> = self.ours.into_iter().flatten().collect();
        let last = all.pop().map(|error| error.to_compile_error());
        let items = all.iter().map(syn::Error::to_compile_error).collect();
        (items, last.map(|error| quote!([#element; #error])))
    }
}

/// The name that was probably meant, of rows with a name and what else people call it.
pub(crate) fn meant<'a>(
    typed: &str,
    rows: impl Iterator<Item = (&'a str, &'a [&'a str])>,
) -> Option<&'a str> {
    let lower = typed.to_lowercase();
    let rows: Vec<_> = rows.collect();
    let alias = rows.iter().find(|(_, also_called)| also_called.contains(&&*lower));
    let names: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
    alias.map(|(name, _)| *name).or_else(|| similar(typed, &names))
}

/// The name that `typed` was probably meant to be: the closest one, at most two edits away.
pub(crate) fn similar<'a>(typed: &str, names: &[&'a str]) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let distances = names.iter().map(|name| (distance(&typed, &name.to_lowercase()), *name));
    let (edits, name) = distances.min()?;
    let near = edits <= 2 && edits < name.len();
    (near || (typed.len() >= 3 && name.starts_with(&typed))).then_some(name)
}

/// The Levenshtein distance between `from` and `to`.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (removed, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = removed + 1;
        for (column, b) in to.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::similar;

    const NAMES: &[&str] = &["timeout", "retries", "limit", "fresh"];

    #[test]
    fn a_typing_error_finds_its_name_and_nonsense_finds_none() {
        assert_eq!(similar("timeuot", NAMES), Some("timeout"));
        assert_eq!(similar("Retry", NAMES), None);
        assert_eq!(similar("retrys", NAMES), Some("retries"));
        assert_eq!(similar("lim", NAMES), Some("limit"));
        assert_eq!(similar("colour", NAMES), None);
        assert_eq!(similar("", NAMES), None);
    }
}
