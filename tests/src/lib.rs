//! What the tests and benches of trine share.

pub mod checks;
pub mod outcomes;
