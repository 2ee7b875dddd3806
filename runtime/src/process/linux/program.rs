//! What a worker runs, and whose it is.

use std::io;
use std::os::fd::AsFd;

/// The program that a worker runs: this one, even if its file was replaced.
pub(crate) fn path() -> io::Result<&'static std::path::Path> {
    Ok(std::path::Path::new("/proc/self/exe"))
}

/// Whether another program may be at that path by the time that a worker starts.
pub(crate) const MAY_CHANGE: bool = false;

/// Checks that a worker's socket comes from the process with that number.
pub(crate) fn check_peer(socket: impl AsFd, parent: u32) -> io::Result<()> {
    let peer = rustix::net::sockopt::socket_peercred(socket)?;
    if peer.pid.as_raw_nonzero().get().cast_unsigned() == parent {
        return Ok(());
    }
    Err(io::Error::other("its socket does not come from its parent"))
}
