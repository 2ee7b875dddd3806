//! The async engine, on tokio.

mod others;
mod paused;
mod runtimes;
mod surroundings;
