//! A connection to the broker that can be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) struct Relay {
    pub(crate) port: u16,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let own = listener.local_addr().unwrap().port();
        let open = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&open);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let ends = [&near, &far].map(|end| end.try_clone().unwrap());
                list.lock().unwrap().extend(ends);
                let back = (far.try_clone().unwrap(), near.try_clone().unwrap());
                thread::spawn(move || pass(near, far));
                thread::spawn(move || pass(back.0, back.1));
            }
        });
        Self { port: own, open }
    }

    /// Cuts all connections, with whatever is on its way.
    pub(crate) fn cut(&self) -> usize {
        let cut = std::mem::take(&mut *self.open.lock().unwrap());
        cut.iter().for_each(|end| _ = end.shutdown(Shutdown::Both));
        cut.len() / 2
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(length) = from.read(&mut bytes)
        && length > 0
        && to.write_all(&bytes[..length]).is_ok()
    {}
    let _ = to.shutdown(Shutdown::Both);
}
