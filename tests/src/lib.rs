//! What the tests and benches of trine share.
