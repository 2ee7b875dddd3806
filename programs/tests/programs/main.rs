//! Runs every program on small data, and checks its output.

mod common;
mod files;
mod network;
mod service;
