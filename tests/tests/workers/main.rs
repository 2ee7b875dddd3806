//! Workers with state: the attribute on an `impl`, in every mode that has it.
//!
//! `counters` is the same worker once per mode, and a row of `each_mode!` runs a check with each.

mod ahead;
mod constructors;
mod copies;
mod counters;
mod crowds;
// It stops workers by a signal.
#[cfg(target_os = "linux")]
mod displaced;
mod endings;
mod hostile;
mod limits;
mod order;
mod priority;
mod processes;
mod renewal;
mod settings;
mod shapes;
mod shared_line;
// It stops itself by a signal.
#[cfg(target_os = "linux")]
mod standstill;
mod supervision;
mod warm_up;
mod yielding;
// Its limits are those of Linux.
#[cfg(target_os = "linux")]
mod worn;
