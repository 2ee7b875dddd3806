//! How a worker hears of its parent's death: from a thread, since no kernel here kills it.

pub(crate) use crate::process::posix::lifeline::watch as hold;
