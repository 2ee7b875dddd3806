//! The combinators.

mod depth;
