//! Every program, run on small data, with its output checked.

mod common;
mod files;
mod network;
