//! The sources in `expand/` and what they expand to are both programs: the golden files show what
//! is compiled, not something like it.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "shown, not called")]
#![allow(unused_imports, reason = "the expansion no longer needs the attribute")]
#![allow(clippy::all, reason = "clippy looks at the sources; expansions are not written by hand")]

mod sources {
    #[path = "../../expand/asynchronous.rs"]
    mod asynchronous;
    #[path = "../../expand/methods.rs"]
    mod methods;
    #[path = "../../expand/process.rs"]
    mod process;
    #[path = "../../expand/scoped.rs"]
    mod scoped;
    #[path = "../../expand/threads.rs"]
    mod threads;
}

#[rustfmt::skip]
mod expansions {
    #[path = "../../expand/asynchronous.expanded.rs"]
    mod asynchronous;
    #[path = "../../expand/methods.expanded.rs"]
    mod methods;
    #[path = "../../expand/process.expanded.rs"]
    mod process;
    #[path = "../../expand/scoped.expanded.rs"]
    mod scoped;
    #[path = "../../expand/threads.expanded.rs"]
    mod threads;
}
