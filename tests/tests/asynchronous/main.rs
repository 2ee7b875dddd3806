//! The async engine, on tokio.

mod paused;
mod runtimes;
mod surroundings;
