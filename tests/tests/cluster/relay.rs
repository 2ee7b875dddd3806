//! A connection to the broker that can be cut, or in which nothing moves for a while.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

pub(crate) struct Relay {
    pub(crate) port: u16,
    open: Arc<Mutex<Vec<TcpStream>>>,
    /// Whether nothing goes out, and whether nothing comes in.
    stuck: [Arc<AtomicBool>; 2],
    /// Whether new connections are closed at once.
    refuses: Arc<AtomicBool>,
}

impl Relay {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let own = listener.local_addr().unwrap().port();
        let open = Arc::new(Mutex::new(Vec::new()));
        let stuck: [Arc<AtomicBool>; 2] = Default::default();
        let (list, [out, back]) = (Arc::clone(&open), stuck.clone());
        let refuses = Arc::new(AtomicBool::new(false));
        let refused = Arc::clone(&refuses);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if refused.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let ends = [&near, &far].map(|end| end.try_clone().unwrap());
                list.lock().unwrap().extend(ends);
                let ways = [
                    (near.try_clone().unwrap(), far.try_clone().unwrap(), Arc::clone(&out)),
                    (far, near, Arc::clone(&back)),
                ];
                for (from, to, stuck) in ways {
                    thread::spawn(move || pass(from, to, &stuck));
                }
            }
        });
        Self { port: own, open, stuck, refuses }
    }

    pub(crate) fn address(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Cuts all connections, along with everything on its way.
    pub(crate) fn cut(&self) -> usize {
        let cut = std::mem::take(&mut *self.open.lock().unwrap());
        cut.iter().for_each(|end| _ = end.shutdown(Shutdown::Both));
        cut.len() / 2
    }

    /// Cuts all connections, and makes no more.
    pub(crate) fn break_off(&self) -> usize {
        self.refuses.store(true, Ordering::SeqCst);
        self.cut()
    }

    /// Stops what goes out, what comes in, or both, while the connections stay open; or lets
    /// everything move again.
    pub(crate) fn stick(&self, out: bool, back: bool) {
        self.stuck[0].store(out, Ordering::SeqCst);
        self.stuck[1].store(back, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, stuck: &AtomicBool) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(length) = from.read(&mut bytes)
        && length > 0
    {
        while stuck.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
