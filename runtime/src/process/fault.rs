//! An error on its way to another process, where it is one of the same function.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// [`ErrorKind`] as it travels.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Fault {
    Panicked { message: String, location: Option<String>, backtrace: Option<String> },
    Crashed { signal: Option<i32>, code: Option<i32> },
    StackOverflow,
    TimedOut { after: Duration },
    Cancelled,
    Busy,
    MemoryLimit,
    Codec { message: String },
    Worker { message: String },
    WorkerLost,
    Stopped,
}

impl Fault {
    pub(crate) fn of(error: &Error) -> Self {
        match error.kind().clone() {
            ErrorKind::Panicked { message, location } => Self::Panicked {
                message,
                location,
                backtrace: error.backtrace().map(str::to_owned),
            },
            ErrorKind::Crashed { signal, code } => Self::Crashed { signal, code },
            ErrorKind::StackOverflow => Self::StackOverflow,
            ErrorKind::TimedOut { after } => Self::TimedOut { after },
            ErrorKind::Cancelled => Self::Cancelled,
            ErrorKind::Busy => Self::Busy,
            ErrorKind::MemoryLimit => Self::MemoryLimit,
            ErrorKind::Codec { message } => Self::Codec { message },
            ErrorKind::Worker { message } => Self::Worker { message },
            ErrorKind::WorkerLost => Self::WorkerLost,
            ErrorKind::Stopped => Self::Stopped,
        }
    }

    pub(crate) fn into_error(self, function: &'static str) -> Error {
        let kind = match self {
            Self::Panicked { message, location, backtrace } => {
                return Error::panicked(function, Box::new(message), location)
                    .with_backtrace(backtrace);
            }
            Self::Crashed { signal, code } => ErrorKind::Crashed { signal, code },
            Self::StackOverflow => ErrorKind::StackOverflow,
            Self::TimedOut { after } => ErrorKind::TimedOut { after },
            Self::Cancelled => ErrorKind::Cancelled,
            Self::Busy => ErrorKind::Busy,
            Self::MemoryLimit => ErrorKind::MemoryLimit,
            Self::Codec { message } => ErrorKind::Codec { message },
            Self::Worker { message } => ErrorKind::Worker { message },
            Self::WorkerLost => ErrorKind::WorkerLost,
            Self::Stopped => ErrorKind::Stopped,
        };
        Error::new(function, kind)
    }
}
