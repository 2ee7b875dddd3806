//! The process engine. Tests that have to be programs of their own, because they are killed or
//! limited, are beside this one without a harness: `outcomes.rs`, `parents.rs`, and the folder
//! `surroundings/`.

mod attributes;
mod calls;
// These two ask the system what is mapped, which it says on Linux and Windows.
#[cfg(any(target_os = "linux", windows))]
mod corrupt;
mod decoders;
mod initializers;
mod joiners;
#[cfg(any(target_os = "linux", windows))]
mod lent;
// It loads a library as POSIX says, which it builds with cargo.
#[cfg(unix)]
mod library;
mod pools;
mod queue;
// By the limits that POSIX has.
#[cfg(unix)]
mod refused;
mod renewal;
mod traits;
mod values;
