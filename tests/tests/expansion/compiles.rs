//! The sources in `expand/` and their expansions are both compiled: the golden files show what the
//! compiler sees, not something similar.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "shown, not called")]
#![allow(unused_braces, unused_imports, unused_parens, reason = "as the expansion leaves them")]
#![allow(clippy::all, reason = "clippy looks at the sources; expansions are not written by hand")]

#[path = "../../expand"]
mod sources {
    mod asynchronous;
    mod methods;
    mod process;
    mod scoped;
    mod streams;
    mod threads;
}

#[path = "../../expand"]
#[rustfmt::skip]
mod expansions {
    #[path = "asynchronous.expanded.rs"]
    mod asynchronous;
    #[path = "methods.expanded.rs"]
    mod methods;
    #[path = "process.expanded.rs"]
    mod process;
    #[path = "scoped.expanded.rs"]
    mod scoped;
    #[path = "streams.expanded.rs"]
    mod streams;
    #[path = "threads.expanded.rs"]
    mod threads;
}
