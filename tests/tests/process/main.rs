//! The process engine. Tests that have to be programs of their own, because they are killed or
//! limited, are beside this one without a harness: `outcomes.rs`, `parents.rs`, and the folder
//! `surroundings/`.

mod attributes;
mod calls;
mod corrupt;
mod decoders;
mod initializers;
mod joiners;
mod lent;
mod library;
mod pools;
mod queue;
mod renewal;
mod traits;
mod values;
