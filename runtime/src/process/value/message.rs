//! The encoded arguments of a call, on their way from its caller to a worker.

#![allow(unsafe_code, reason = "bytes that were just written")]

use std::cell::Cell;
use std::sync::Arc;

use serde::Serialize;

use crate::process::segment::Segment;
use crate::process::value::files::{self, Files};
use crate::process::value::output::{Finished, Output};
use crate::process::value::wire::{self, Reader, WireError};

const SMALL: usize = 46;
/// How much of the scratch space a thread keeps.
const MAX_SCRATCH: usize = 64 << 10;

/// Encoded arguments, with their files. A clone shares them.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) bytes: Bytes,
    pub(crate) files: Files,
}

/// Where they lie.
#[derive(Clone)]
pub(crate) enum Bytes {
    /// Inline; most arguments fit.
    Small(u8, [u8; SMALL]),
    Heap(Arc<[u8]>),
    /// In shared memory, with this length.
    Segment(Arc<Lent>, usize),
}

/// A segment that is returned when this is dropped.
pub(crate) struct Lent(Option<Segment>);

impl Lent {
    pub(crate) fn segment(&self) -> &Segment {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(segment) = self.0.take() {
            segment.give_back();
        }
    }
}

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Message {
    /// Encodes a call's arguments.
    pub(crate) fn encode<A: Serialize>(arguments: &A) -> Result<Self, WireError> {
        Self::encoded_by(|output| wire::encode(arguments, output))
    }

    /// What somebody writes.
    pub(crate) fn encoded_by(
        encode: impl FnOnce(&mut Output) -> Result<(), WireError>,
    ) -> Result<Self, WireError> {
        let scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
        let mut output = Output::in_vector(scratch);
        let mut files = Vec::new();
        files::collect(&mut files, || encode(&mut output))?;
        let bytes = match output.finish() {
            Finished::Heap(vector) => {
                let bytes = Bytes::new(&vector);
                if vector.capacity() <= MAX_SCRATCH {
                    let _ = SCRATCH.try_with(|scratch| scratch.set(vector));
                }
                bytes
            }
            Finished::Segment(segment, length) => Bytes::in_segment(segment, length),
            Finished::Given(_) => unreachable!("the output started on the heap"),
        };
        Ok(Self { bytes, files: files.into() })
    }
}

impl Bytes {
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader::new(self.as_slice())
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            // SAFETY: the segment has that many bytes, which were written, and which nobody
            // writes while it is lent: workers map it read-only.
            Self::Segment(lent, length) => unsafe {
                std::slice::from_raw_parts(lent.segment().memory.start(), *length)
            },
            _ => self.private().unwrap_or_default(),
        }
    }

    /// Bytes that were written to a segment.
    pub(crate) fn in_segment(segment: Segment, length: usize) -> Self {
        Self::Segment(Arc::new(Lent(Some(segment))), length)
    }

    pub(crate) fn new(bytes: &[u8]) -> Self {
        if bytes.len() > SMALL {
            return Self::Heap(bytes.into());
        }
        let mut small = [0; SMALL];
        small[..bytes.len()].copy_from_slice(bytes);
        Self::Small(bytes.len() as u8, small)
    }

    /// Others will go on reading them: their memory is not used for anything else.
    pub(crate) fn leave(&self) {
        if let Self::Segment(lent, _) = self {
            lent.segment().leave();
        }
    }

    /// The bytes, unless they are in shared memory.
    pub(crate) fn private(&self) -> Option<&[u8]> {
        match self {
            Self::Small(length, bytes) => Some(&bytes[..usize::from(*length)]),
            Self::Heap(bytes) => Some(bytes),
            Self::Segment(..) => None,
        }
    }
}
