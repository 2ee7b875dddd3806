//! The combinators.

mod depth;
mod prompt;

/// Whichever test comes first sets this; for the others it is set.
fn configure() {
    let _ = trine::Config::new().threads(2).processes(8).apply();
}
