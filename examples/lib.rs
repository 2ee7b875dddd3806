//! Programs that show trine, one lesson each; the programs are the `[[example]]` entries.
