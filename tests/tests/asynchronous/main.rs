//! The async engine, on tokio.

mod hosts;
mod others;
mod paused;
mod runtimes;
mod surroundings;
