//! What crosses between processes: values as bytes, and the files that go with them.

pub(crate) mod files;
pub(crate) mod kept;
pub(crate) mod lent;
pub(crate) mod message;
pub(crate) mod output;
pub(crate) mod shared;
pub(crate) mod wire;
