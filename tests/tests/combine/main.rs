//! The combinators.

mod depth;
mod prompt;

/// The first test to call this sets it; for the others it is already set.
fn configure() {
    let _ = trine::Config::new().threads(2).processes(8).apply();
}
