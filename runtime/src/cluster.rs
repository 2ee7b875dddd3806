//! `process` calls on other machines: the part that is called from code.
//!
//! How it is set up, and what holds, is in [`guide::many_machines`](crate::guide::many_machines).

use std::io;
use std::num::NonZeroUsize;

pub use async_nats::ConnectOptions;

/// Serves the calls of other programs of this build, with that many worker processes, until SIGTERM
/// or SIGINT; then it takes no more, and returns when what runs has ended.
///
/// The broker and the key come from [`Config`](crate::Config) or the environment. What the
/// variable `TRINE_SERVE` does before `main`, this does where a program has to set up something
/// first. Bodies run in worker processes, which know nothing of that.
///
/// # Errors
/// When no broker or key is set, or this program cannot have workers or the signals.
///
/// ```no_run
/// use std::num::NonZeroUsize;
///
/// trine::Config::new()
///     .cluster("tls://broker:4222")
///     .cluster_key(std::fs::read("/etc/app/key")?)
///     .cluster_options(trine::cluster::ConnectOptions::new().require_tls(true))
///     .apply()
///     .map_err(std::io::Error::other)?;
/// trine::cluster::serve(NonZeroUsize::new(4).unwrap())?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn serve(processes: NonZeroUsize) -> io::Result<()> {
    crate::process::serve(processes)
}
