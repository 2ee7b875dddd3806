//! The async engine, on tokio.

mod runtimes;
