//! The bound of a destructor, which is shorter here.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};

use super::*;
use crate::Worker;

/// A value whose destructor says that it has begun, and does not end.
struct Stays(u16);

impl Drop for Stays {
    fn drop(&mut self) {
        let _gate = TcpStream::connect(("127.0.0.1", self.0)).unwrap();
        loop {
            std::thread::park();
        }
    }
}

#[test]
fn a_destructor_that_does_not_end_is_cut_off() {
    static NEW: Function = Function::new("new");
    static READ: Function = Function::new("read");
    let gate = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = gate.local_addr().unwrap().port();
    let start = || crate::process::worker(&NEW, (port,), |(port,): (u16,)| Stays(port));
    // At the end of the last handle, by `stop` and by `restart`.
    let ends: [fn(&Worker<Stays>); 3] = [|_| (), Worker::stop, Worker::restart];
    for end in ends {
        let worker = start();
        let read = crate::process::call(&worker, &READ, (), |stays: &Stays, ()| stays.0);
        assert_eq!(read.join().unwrap(), port);
        end(&worker);
        drop(worker);
        let (mut held, _) = gate.accept().unwrap();
        assert_eq!(held.read(&mut [0]).unwrap_or(0), 0, "its process has ended");
    }
}
