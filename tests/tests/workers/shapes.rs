//! The shapes that an `impl` may have.

use std::fmt::Debug;
use std::io;
use std::net::IpAddr;

use trine::{Error, concurrent};

pub(crate) struct Store<T, const N: usize> {
    items: Vec<T>,
}

#[concurrent(threads, name = Shop)]
impl<T, const N: usize> Store<T, N>
where
    T: Clone + Debug + Send + 'static,
{
    const MAX_ITEMS: usize = N;

    pub(crate) fn with(first: T) -> io::Result<Self> {
        if Self::MAX_ITEMS == 0 {
            Err(io::Error::other("no room"))
        } else {
            Ok(Self::of(vec![first]))
        }
    }
    fn of(items: Vec<T>) -> Self {
        Self { items }
    }
    pub(crate) fn push<I: Into<T> + Send + 'static>(&mut self, item: I) -> Option<usize> {
        (self.items.len() < Self::MAX_ITEMS).then(|| {
            self.items.push(item.into());
            self.items.len()
        })
    }
    pub(crate) fn extend(&mut self, more: impl Iterator<Item = T> + Send + 'static) -> usize {
        self.items.extend(more);
        self.items.len()
    }
    /// What [`Self`] has.
    pub(crate) async fn all(&self) -> Vec<T> {
        std::future::ready(self.items.clone()).await
    }
    pub(crate) fn merge(&mut self, (other, _): (Self, u8), _: IpAddr) -> [usize; N] {
        self.items.extend(other.items);
        [self.items.len(); N]
    }
    #[cfg(any())]
    pub(crate) fn never(&self) -> Missing {}
    #[concurrent(retries = 2)]
    pub(crate) fn check(&self, limit: usize) -> Result<usize, String> {
        if self.items.len() > limit { Err("too many".into()) } else { Ok(limit) }
    }
}

#[test]
fn generic_types_methods_and_arguments() {
    let shop: Shop<u64, 2> = Shop::with(1);
    assert_eq!(shop.push(2_u32).join().unwrap(), Some(2));
    assert_eq!(shop.push(3_u32).join().unwrap(), None);
    assert_eq!(shop.extend([7, 8].into_iter()).join().unwrap(), 4);
    assert_eq!(shop.all().join().unwrap(), [1, 2, 7, 8]);
    let other = Store::of(vec![9]);
    assert_eq!(shop.merge((other, 0), [127, 0, 0, 1].into()).join().unwrap(), [5, 5]);
    assert_eq!(shop.check(9).join().unwrap(), Ok(9));
    let error = shop.check(2).join();
    assert_eq!(error.unwrap(), Err("too many".into()));
    let none: Shop<u64, 0> = Shop::with(1);
    assert!(none.all().join().unwrap_err().to_string().contains("no room"));
}

#[test]
fn the_type_stays_plain_and_a_private_one_in_a_function_is_enough() -> Result<(), Error> {
    struct Plain(u8);

    #[concurrent(threads)]
    impl Plain {
        pub(crate) fn new(byte: u8) -> Self {
            Self(byte)
        }
        pub(crate) fn byte(&self) -> u8 {
            self.0
        }
    }

    assert_eq!(Plain::new(1).byte(), 1);
    let worker = PlainWorker::new(2);
    assert_eq!(worker.clone().byte().join()?, 2);
    fn is_shared<T: Clone + Send + Sync>(_: &T) {}
    is_shared(&worker);
    Ok(())
}
