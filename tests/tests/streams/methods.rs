//! Methods that yield, whose iterator lives on what `self` had: in each mode.

use trine::concurrent;

macro_rules! mode {
    ($module:ident, $mode:ident, $trait:path, $from:path) => {
        mod $module {
            use trine::concurrent;

            #[derive(serde::Serialize, serde::Deserialize)]
            pub(super) struct Words(pub(super) Vec<String>);

            impl Words {
                #[concurrent($mode)]
                pub(super) fn longer(self, least: usize) -> impl $trait {
                    let words = self.0.into_iter().filter(move |word| word.len() >= least);
                    $from(words)
                }
            }
        }
    };
}

use futures::stream::iter;

mode!(threads, threads, Iterator<Item = String>, std::convert::identity);
mode!(threads_polled, threads, futures::Stream<Item = String>, super::iter);
mode!(process, process, Iterator<Item = String>, std::convert::identity);
mode!(asynchronous, async, futures::Stream<Item = String>, super::iter);

trait Source {
    fn numbers(self) -> trine::Stream<u64>;
}

impl Source for u64 {
    #[concurrent(threads)]
    fn numbers(self) -> impl Iterator<Item = u64> {
        0..self
    }
}

#[test]
fn a_method_may_yield_what_self_had() {
    let words = || vec!["a".to_owned(), "word".to_owned(), "longer".to_owned()];
    let longer = [
        threads::Words(words()).longer(4),
        threads_polled::Words(words()).longer(4),
        process::Words(words()).longer(4),
        asynchronous::Words(words()).longer(4),
    ];
    for stream in longer {
        assert_eq!(stream.gather().join().unwrap(), ["word", "longer"]);
    }
    assert_eq!(3.numbers().gather().join().unwrap(), [0, 1, 2]);
}
