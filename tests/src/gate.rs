//! A gate: a body reports there that it has started, and waits until it may end.
//!
//! It is a connection, so it also works from another process; nothing sleeps or measures time.

use std::net::{TcpListener, TcpStream};

/// Accepts each body that comes. Dropping the stream lets it continue.
#[derive(Debug)]
pub struct Gate(TcpListener);

impl Gate {
    /// A gate of its own.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it opens a port")]
    pub fn new() -> Self {
        Self(TcpListener::bind(("127.0.0.1", 0)).unwrap())
    }

    /// The address that bodies connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// Waits until a body has come. Dropping the stream lets it go on.
    #[must_use]
    pub fn entered(&self) -> TcpStream {
        trine::blocking(|| self.0.accept()).unwrap().0
    }

    /// A body that has already come, if there is one.
    #[must_use]
    pub fn entered_already(&self) -> Option<TcpStream> {
        self.0.set_nonblocking(true).unwrap();
        let accepted = self.0.accept();
        self.0.set_nonblocking(false).unwrap();
        accepted.ok().map(|(stream, _)| stream)
    }
}
