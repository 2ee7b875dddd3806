//! Methods whose body has captured `self`, in the modes that do so: in an impl of a type or of a
//! trait, or in the trait itself. `process` has its own in `process/`.

use std::sync::{Arc, Mutex};

/// What was dropped, and when the body ended.
type Log = Arc<Mutex<Vec<&'static str>>>;

/// Notes when it is dropped.
#[derive(Clone)]
struct Noted(&'static str, Log);

impl Drop for Noted {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(self.0);
    }
}

macro_rules! methods {
    ($module:ident, $mode:ident) => {
        mod $module {
            use std::sync::Arc;

            use trine::{Scope, ScopedTask, Task, concurrent};

            use super::{Log, Noted};

            #[derive(Clone)]
            struct Text<T>(String, T);

            trait Measure<T>: Sized + Send + 'static {
                fn by_value(self, factor: usize) -> Task<usize>;
                fn changed(self, more: &'static str) -> Task<String>;
                fn shared(self: Arc<Self>, _: u8) -> Task<usize>;
                fn boxed(self: Box<Self>) -> Task<T>;
                fn convert<U: From<T> + Send + 'static>(self) -> Task<U>;
                fn apply(
                    self,
                    change: impl Fn(usize) -> usize + Send + 'static,
                    start: usize,
                ) -> Task<usize>;
                fn tried(self) -> Task<Result<usize, usize>>;
                fn peek<'scope>(
                    &'scope self,
                    scope: &'scope Scope<'scope, '_>,
                ) -> ScopedTask<'scope, &'scope str>;
                fn extend<'scope>(
                    &'scope mut self,
                    scope: &'scope Scope<'scope, '_>,
                    pair: (&'scope str, u8),
                ) -> ScopedTask<'scope, &'scope str>;

                fn factor(&self) -> usize;

                #[concurrent($mode)]
                async fn provided(mut self, mut number: usize) -> (usize, Self) {
                    number *= self.factor();
                    let moved = &mut self;
                    let _ = moved;
                    (number, self)
                }
            }

            impl<T: Clone + Send + Sync + 'static> Measure<T> for Text<T> {
                #[concurrent($mode)]
                async fn by_value(self, factor: usize) -> usize {
                    macro_rules! length {
                        () => {
                            self.0.len()
                        };
                    }
                    length!() * factor
                }

                #[concurrent($mode)]
                async fn changed(mut self, more: &'static str) -> String {
                    self.0.push_str(more);
                    self.0
                }

                #[concurrent($mode)]
                async fn shared(self: Arc<Self>, _: u8) -> usize {
                    self.0.len()
                }

                #[concurrent($mode)]
                async fn boxed(self: Box<Self>) -> T {
                    self.1
                }

                #[concurrent($mode)]
                async fn convert<U: From<T> + Send + 'static>(self) -> U {
                    self.1.into()
                }

                #[concurrent($mode)]
                async fn apply(
                    self,
                    change: impl Fn(usize) -> usize + Send + 'static,
                    ref mut start: usize,
                ) -> usize {
                    *start += self.0.len();
                    change(*start)
                }

                #[concurrent($mode, retries = 2)]
                async fn tried(mut self) -> Result<usize, usize> {
                    self.0.push('!');
                    Err(self.0.len())
                }

                #[concurrent($mode, scoped)]
                async fn peek(&self) -> &str {
                    &self.0
                }

                #[concurrent($mode, scoped)]
                async fn extend(&mut self, (more, _): (&str, u8)) -> &str {
                    self.0.push_str(more);
                    &self.0
                }

                fn factor(&self) -> usize {
                    self.0.len()
                }
            }

            #[test]
            fn a_method_of_a_trait_runs_as_a_task() {
                let text = || Text("four".to_owned(), 3_u8);
                assert_eq!(text().by_value(2).join().unwrap(), 8);
                assert_eq!(text().changed("teen").join().unwrap(), "fourteen".to_owned());
                assert_eq!(Arc::new(text()).shared(1).join().unwrap(), 4);
                assert_eq!(Box::new(text()).boxed().join().unwrap(), 3);
                assert_eq!(text().convert::<u64>().join().unwrap(), 3);
                assert_eq!(text().apply(|number| number * 2, 1).join().unwrap(), 10);
                let (number, same) = text().provided(5).join().unwrap();
                assert_eq!((number, &*same.0), (20, "four"));
            }

            #[test]
            fn each_try_of_a_method_has_a_self_of_its_own() {
                assert_eq!(Text("four".to_owned(), 3_u8).tried().join().unwrap(), Err(5));
            }

            #[test]
            fn a_scoped_method_of_a_trait_borrows_self() {
                let mut text = Text("four".to_owned(), 3_u8);
                trine::scope(|scope| {
                    assert_eq!(text.peek(scope).join().unwrap(), "four");
                });
                trine::scope(|scope| {
                    assert_eq!(text.extend(scope, ("teen", 1)).join().unwrap(), "fourteen");
                });
                assert_eq!(text.0, "fourteen");
            }

            struct Pair {
                first: Noted,
                _second: Noted,
            }

            impl Pair {
                #[concurrent($mode)]
                async fn task(self, last: Noted, _: Noted) {
                    self.first.1.lock().unwrap().push("body");
                    drop(last);
                }

                async fn call(self, last: Noted, _: Noted) {
                    self.first.1.lock().unwrap().push("body");
                    drop(last);
                }
            }

            #[test]
            fn all_of_self_lives_as_long_as_in_a_call() {
                let logged = |run: &dyn Fn(Pair, Noted, Noted)| {
                    let log = Log::default();
                    let noted = |name| Noted(name, Arc::clone(&log));
                    let pair = Pair { first: noted("first"), _second: noted("second") };
                    run(pair, noted("last"), noted("ignored"));
                    let log = log.lock().unwrap();
                    log.clone()
                };
                let called = logged(&|pair, last, ignored| {
                    trine::block_on(pair.call(last, ignored));
                });
                let ran = logged(&|pair, last, ignored| {
                    pair.task(last, ignored).join().unwrap();
                });
                assert_eq!(ran, called);
                assert_eq!(called.len(), 5);
            }
        }
    };
}

methods!(threads, threads);
methods!(asynchronous, async);

mod plain {
    use std::sync::Arc;

    use trine::concurrent;

    use super::{Log, Noted};

    struct Pair {
        first: Noted,
        _second: Noted,
    }

    impl Pair {
        #[concurrent(threads)]
        fn task(self, last: Noted, _: Noted) {
            self.first.1.lock().unwrap().push("body");
            drop(last);
        }

        fn call(self, last: Noted, _: Noted) {
            self.first.1.lock().unwrap().push("body");
            drop(last);
        }

        #[concurrent(threads)]
        fn simple_task(self, last: Noted) {
            self.first.1.lock().unwrap().push("body");
            let _seen = &last;
        }

        fn simple_call(self, last: Noted) {
            self.first.1.lock().unwrap().push("body");
            let _seen = &last;
        }
    }

    fn logged(run: impl Fn(Pair, Noted, Noted)) -> Vec<&'static str> {
        let log = Log::default();
        let noted = |name| Noted(name, Arc::clone(&log));
        let pair = Pair { first: noted("first"), _second: noted("second") };
        run(pair, noted("last"), noted("ignored"));
        let log = log.lock().unwrap();
        log.clone()
    }

    #[test]
    fn all_of_self_lives_as_long_as_in_a_call() {
        let called = logged(|pair, last, ignored| pair.call(last, ignored));
        let ran = logged(|pair, last, ignored| pair.task(last, ignored).join().unwrap());
        assert_eq!(ran, called);
        let called = logged(|pair, last, _| pair.simple_call(last));
        let ran = logged(|pair, last, _| pair.simple_task(last).join().unwrap());
        assert_eq!(ran, called);
    }
}
