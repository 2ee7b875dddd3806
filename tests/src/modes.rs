//! The same functions in each mode.

use trine::Task;

/// The functions of one mode.
#[derive(Debug)]
pub struct Mode {
    /// Its name in the attribute.
    pub name: &'static str,
    /// Returns its argument plus one.
    pub value: fn(u32) -> Task<u32>,
    /// Returns `Err`.
    pub fails: fn(u32) -> Task<Result<u32, String>>,
    /// Panics with a message that contains the number.
    pub panics: fn(u32) -> Task<u32>,
    /// Aborts, in a mode where that does not end the test as well.
    pub crashes: Option<fn(u32) -> Task<u32>>,
    /// Comes to the gate, and returns 7 when it may go on.
    pub gated: fn(u16) -> Task<u32>,
    /// The same, with a limit of one.
    pub limited: fn(u16) -> Task<u32>,
    /// The same, with a queue of two.
    pub queued: fn(u16) -> Task<u32>,
    /// Comes to the gate, and returns 8 once it sees that it is cancelled.
    pub polite: fn(u16) -> Task<u32>,
    /// The same, with a deadline of 50 ms.
    pub hangs: fn(u16) -> Task<u32>,
    /// Does what the gate says: panic, return an error, or return a value; three attempts.
    pub retried: fn(u16) -> Task<Result<u32, String>>,
}

/// Every mode that was built.
pub const MODES: &[Mode] = &[threads::MODE, process::MODE, asynchronous::MODE];

macro_rules! blocking_mode {
    ($module:ident, $mode:ident, $crashes:expr) => {
        mod $module {
            use std::io::Read;
            use std::net::TcpStream;
            use trine::concurrent;

            pub(super) const MODE: super::Mode = super::Mode {
                name: stringify!($mode),
                value,
                fails,
                panics,
                crashes: $crashes,
                gated,
                limited,
                queued,
                polite,
                hangs,
                retried,
            };

            #[concurrent($mode)]
            fn value(number: u32) -> u32 {
                number + 1
            }

            #[concurrent($mode)]
            fn fails(number: u32) -> Result<u32, String> {
                Err(format!("no {number}"))
            }

            #[concurrent($mode)]
            fn panics(number: u32) -> u32 {
                panic!("on purpose: {number}")
            }

            #[concurrent($mode)]
            #[allow(dead_code)]
            fn crashes(number: u32) -> u32 {
                if number > 0 {
                    std::process::abort();
                }
                number
            }

            fn wait_at(port: u16) -> u32 {
                let mut gate = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let _ = gate.read(&mut [0]);
                7
            }

            fn stay_at(port: u16) -> u32 {
                let _gate = TcpStream::connect(("127.0.0.1", port)).unwrap();
                while !trine::cancelled() {
                    std::thread::yield_now();
                }
                8
            }

            #[concurrent($mode)]
            fn gated(port: u16) -> u32 {
                wait_at(port)
            }

            #[concurrent($mode, limit = 1)]
            fn limited(port: u16) -> u32 {
                wait_at(port)
            }

            #[concurrent($mode, limit = 1, queue = 2)]
            fn queued(port: u16) -> u32 {
                wait_at(port)
            }

            #[concurrent($mode)]
            fn polite(port: u16) -> u32 {
                stay_at(port)
            }

            #[concurrent($mode, timeout = 50ms)]
            fn hangs(port: u16) -> u32 {
                stay_at(port)
            }

            #[concurrent($mode, retries = 2, backoff = 1ms)]
            fn retried(port: u16) -> Result<u32, String> {
                let mut word = String::new();
                let mut gate = TcpStream::connect(("127.0.0.1", port)).unwrap();
                gate.read_to_string(&mut word).unwrap();
                match &*word {
                    "panic" => panic!("as told"),
                    "error" => Err("as told".to_owned()),
                    _ => Ok(9),
                }
            }
        }
    };
}

blocking_mode!(threads, threads, None);
blocking_mode!(process, process, Some(crashes));

mod asynchronous {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;
    use trine::concurrent;

    pub(super) const MODE: super::Mode = super::Mode {
        name: "async",
        value,
        fails,
        panics,
        crashes: None,
        gated,
        limited,
        queued,
        polite,
        hangs,
        retried,
    };

    #[concurrent(async)]
    async fn value(number: u32) -> u32 {
        tokio::task::yield_now().await;
        number + 1
    }

    #[concurrent(async)]
    async fn fails(number: u32) -> Result<u32, String> {
        Err(format!("no {number}"))
    }

    #[concurrent(async)]
    async fn panics(number: u32) -> u32 {
        tokio::task::yield_now().await;
        panic!("on purpose: {number}")
    }

    async fn wait_at(port: u16) -> u32 {
        let mut gate = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let _ = gate.read(&mut [0]).await;
        7
    }

    async fn stay_at(port: u16) -> u32 {
        let _gate = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        std::future::pending().await
    }

    #[concurrent(async)]
    async fn gated(port: u16) -> u32 {
        wait_at(port).await
    }

    #[concurrent(async, limit = 1)]
    async fn limited(port: u16) -> u32 {
        wait_at(port).await
    }

    #[concurrent(async, limit = 1, queue = 2)]
    async fn queued(port: u16) -> u32 {
        wait_at(port).await
    }

    #[concurrent(async)]
    async fn polite(port: u16) -> u32 {
        stay_at(port).await
    }

    #[concurrent(async, timeout = 50ms)]
    async fn hangs(port: u16) -> u32 {
        stay_at(port).await
    }

    #[concurrent(async, retries = 2, backoff = 1ms)]
    async fn retried(port: u16) -> Result<u32, String> {
        let mut word = String::new();
        let mut gate = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        gate.read_to_string(&mut word).await.unwrap();
        match &*word {
            "panic" => panic!("as told"),
            "error" => Err("as told".to_owned()),
            _ => Ok(9),
        }
    }
}
