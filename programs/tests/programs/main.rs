//! Runs every program on small data, and checks its output.

#[cfg(feature = "cluster")]
mod cluster;
mod common;
mod files;
mod network;
mod running;
#[cfg(feature = "templates")]
mod serve;
mod service;
