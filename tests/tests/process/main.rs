//! The process engine. What needs to be a program of its own, to be killed or limited, is beside
//! this one in files without a harness: `outcomes.rs`, `parents.rs`, `refusals.rs`, and the folder
//! `surroundings/`.

mod attributes;
mod calls;
mod corrupt;
mod decoders;
mod joiners;
mod lent;
mod library;
mod pools;
mod queue;
mod renewal;
mod values;
