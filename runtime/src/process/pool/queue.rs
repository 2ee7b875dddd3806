//! What waits for a worker: a call, or a request that was already with one.

use std::sync::Arc;

use super::request::Request;
use crate::function::Function;
use crate::options::Priority;
use crate::priority::{Lines, Waits};
use crate::process::job::AnyCall;

pub(super) enum Waiting {
    Call(Arc<dyn AnyCall>),
    /// It was already with a worker, or nearly.
    Request(Box<Request>),
}

impl Waiting {
    pub(super) fn call(&self) -> &Arc<dyn AnyCall> {
        match self {
            Self::Call(call) => call,
            Self::Request(request) => &request.call,
        }
    }

    pub(super) fn function(&self) -> &'static Function {
        self.call().function()
    }
}

impl Waits for Waiting {
    fn priority(&self) -> Priority {
        self.function().options().priority
    }

    fn is_wanted(&self) -> bool {
        match self {
            Self::Call(call) => !call.is_finished(),
            // Whoever comes to it sees.
            Self::Request(_) => true,
        }
    }
}

pub(super) type Queue = Lines<Waiting>;
