//! The `#[concurrent]` attribute. Users depend on `trine`, which re-exports it.
#![forbid(unsafe_code)]
