//! One attribute, three ways to run a function concurrently.
