//! What a worker runs.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The program that a worker runs: the file that is where this one's was.
pub(crate) fn path() -> io::Result<&'static Path> {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    if let Some(path) = PATH.get() {
        return Ok(path);
    }
    let path = std::env::current_exe().map_err(|error| {
        io::Error::new(error.kind(), format!("the path of this program: {error}"))
    })?;
    Ok(PATH.get_or_init(|| path))
}

/// Whether another program may be at that path by the time that a worker starts.
pub(crate) const MAY_CHANGE: bool = true;

/// Systems do not agree on how a pair of sockets says who made it. The greeting does.
pub(crate) fn check_peer(_: impl AsFd, _: u32) -> io::Result<()> {
    Ok(())
}
