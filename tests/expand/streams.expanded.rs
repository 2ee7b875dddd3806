//! Functions that yield: the items leave one by one, and `impl Trait` stays where the body runs.
use futures::Stream;
use trine::concurrent;
pub fn numbers(most: u64) -> ::trine::Stream<u64> {
    ::trine::threads::stream(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("numbers")
                .ahead(16);
            &FUNCTION
        },
        (most,),
        |(most,): (u64,)| { 0..most },
    )
}
pub fn relayed(most: u64) -> ::trine::Stream<Result<u64, trine::Error>> {
    ::trine::asynchronous::stream_polled(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("relayed")
                .yields::<dyn Stream<Item = ()>>();
            &FUNCTION
        },
        (most,),
        |(most,): (u64,)| { numbers(most) },
    )
}
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Book {
    lines: Vec<String>,
}
impl Book {
    pub fn search(self, word: String) -> ::trine::Stream<String> {
        let __method = ::trine::process::method({
            static FUNCTION: ::trine::Function = ::trine::Function::new("search")
                .timeout(::core::time::Duration::from_secs(5));
            &FUNCTION
        });
        if let ::core::option::Option::Some(__begun) = __method.begun() {
            return __begun
                .yields(
                    (word,),
                    move |(word,): (String,)| {
                        let _ = &self;
                        {
                            ({
                                self.lines
                                    .into_iter()
                                    .filter(move |line| line.contains(&word))
                            })
                        }
                    },
                );
        }
        __method
            .stream((self, word), |(__this, word): (_, String)| { __this.search(word) })
    }
    pub fn words(self, argument0: (usize, usize)) -> ::trine::Stream<String> {
        ::trine::threads::stream(
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("words");
                &FUNCTION
            },
            (
                ::trine::cross::method((argument0,))
                    .body(move |__arguments: ((usize, usize),)| {
                        let _ = &self;
                        let argument0 = __arguments.0;
                        let (least, _) = argument0;
                        {
                            ({
                                self.lines
                                    .into_iter()
                                    .filter(move |line| line.len() >= least)
                            })
                        }
                    }),
            ),
            |(__method,): (_,)| { __method.run() },
        )
    }
}
