//! Tuples of any length: those of more than sixteen elements are nested.
//!
//! ```text
//! // Input, with a limit of two for once:
//! [a, b, c, d, e]
//! // Output:
//! (((a, b), (c, d)), ((e,),))
//! ```
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

/// serde and the runtime's traits are implemented for tuples up to this length; longer ones are
/// nested.
pub(crate) const MAX_TUPLE: usize = 16;

/// `(a, b,)`, nested if it is too long.
pub(crate) fn tuple(elements: Vec<TokenStream>, span: Span) -> TokenStream {
    match elements.as_slice() {
        [one] => quote_spanned!(span=> (#one,)),
        few if few.len() <= MAX_TUPLE => quote_spanned!(span=> (#(#few),*)),
        many => {
            let chunks = many.chunks(MAX_TUPLE).map(|chunk| tuple(chunk.to_vec(), span));
            tuple(chunks.collect(), span)
        }
    }
}

/// `.3`, or `.1 .0` if the tuple of `count` elements is nested.
pub(crate) fn place(index: usize, count: usize) -> TokenStream {
    let field = |index| {
        let index = syn::Index::from(index);
        quote!(. #index)
    };
    let chunks = count.div_ceil(MAX_TUPLE);
    if chunks <= 1 {
        return field(index);
    }
    let (outer, inner) = (place(index / MAX_TUPLE, chunks), field(index % MAX_TUPLE));
    quote!(#outer #inner)
}
