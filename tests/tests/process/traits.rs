//! Methods, of traits too: a worker calls the method itself, whose body runs where it is called for
//! that, and nowhere else.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use trine::{Task, concurrent, scope, sequential};

trait Measure {
    type Output;

    #[concurrent(process)]
    fn by_reference(&self, factor: usize, text: &str) -> Self::Output;

    #[concurrent(process)]
    fn by_value(self, more: usize) -> Result<usize, String>;

    #[concurrent(process)]
    async fn polled(
        &self,
        #[cfg(any(unix, windows))] number: usize,
        #[cfg(not(any(unix, windows)))] other: u8,
    ) -> usize;

    #[concurrent(process, scoped)]
    fn in_a_scope(&self, text: &str) -> usize;

    #[concurrent(process)]
    fn yielding(self, most: usize) -> impl Iterator<Item = usize>;

    #[concurrent(process)]
    fn failing(self) -> !;

    #[concurrent(process)]
    fn converted<U: From<u8> + Serialize + DeserializeOwned + Send + 'static>(&self) -> U;
}

#[derive(Serialize, Deserialize)]
struct Text<T>(String, T);

impl<T: Serialize + DeserializeOwned + Clone + Send + 'static> Measure for Text<T> {
    type Output = (usize, String, T);

    #[concurrent(process, limit = 2)]
    fn by_reference(&self, mut factor: usize, text: &str) -> Self::Output {
        factor *= self.0.len();
        (factor, text.to_owned(), self.1.clone())
    }

    #[concurrent(process, retries = 1)]
    fn by_value(mut self, more: usize) -> Result<usize, String> {
        self.0.push('!');
        if more == 0 { Err(self.0) } else { Ok(self.0.len() + more) }
    }

    #[concurrent(process)]
    async fn polled(
        &self,
        #[cfg(any(unix, windows))] number: usize,
        #[cfg(not(any(unix, windows)))] other: u8,
    ) -> usize {
        std::future::ready(self.0.len() + number).await
    }

    #[concurrent(process, scoped)]
    fn in_a_scope(&self, text: &str) -> usize {
        self.0.len() + text.len()
    }

    #[concurrent(process)]
    fn yielding(self, most: usize) -> impl Iterator<Item = usize> {
        self.0.len()..most
    }

    #[concurrent(process)]
    fn failing(self) -> ! {
        panic!("{}", self.0)
    }

    #[concurrent(process)]
    fn converted<U: From<u8> + Serialize + DeserializeOwned + Send + 'static>(&self) -> U {
        U::from(7)
    }
}

fn text() -> Text<u8> {
    Text("four".to_owned(), 5)
}

#[test]
fn a_method_of_a_trait_runs_in_a_worker() {
    let task: Task<(usize, String, u8)> = text().by_reference(2, "lent");
    assert_eq!(task.join().unwrap(), (8, "lent".to_owned(), 5));
    assert_eq!(text().by_value(2).join().unwrap(), Ok(7));
    assert_eq!(text().by_value(0).join().unwrap(), Err("four!".to_owned()));
    assert_eq!(text().polled(3).join().unwrap(), 7);
    let (here, six) = (text(), String::from("six"));
    assert_eq!(scope(|s| here.in_a_scope(s, &six).join()).unwrap(), 7);
    assert_eq!(text().yielding(7).gather().join().unwrap(), [4, 5, 6]);
    assert!(text().failing().join().unwrap_err().is_panic());
    assert_eq!(text().converted::<u64>().join().unwrap(), 7);
}

trait Count {
    #[concurrent(process)]
    fn count(&self, more: u8) -> u8;
}

#[derive(Serialize, Deserialize)]
struct One;

#[derive(Serialize, Deserialize)]
struct Two;

impl Count for One {
    #[concurrent(process)]
    fn count(&self, more: u8) -> u8 {
        // A body that calls its own function starts another call.
        if more == 0 { 1 } else { self.count(more - 1).join().unwrap() + 1 }
    }
}

impl Count for Two {
    #[concurrent(process)]
    fn count(&self, more: u8) -> u8 {
        2 + more
    }
}

#[test]
fn a_trait_object_runs_the_body_of_its_own_type() {
    let all: [Box<dyn Count>; 2] = [Box::new(One), Box::new(Two)];
    let counts = all.map(|one| one.count(3).join().unwrap());
    assert_eq!(counts, [4, 5]);
}

trait Provided: Serialize + DeserializeOwned + 'static {
    fn name(&self) -> String;

    #[concurrent(process)]
    fn named(&self, mut after: String) -> String {
        after.insert_str(0, &self.name());
        after
    }
}

impl Provided for One {
    fn name(&self) -> String {
        "one".to_owned()
    }
}

#[test]
fn a_method_with_its_body_in_the_trait_runs_in_a_worker() {
    assert_eq!(One.named("!".to_owned()).join().unwrap(), "one!");
}

/// Declared by hand, as in the other modes.
trait Declared {
    fn weigh(&self, factor: usize, text: &str) -> Task<usize>;
    fn each(self, most: usize) -> trine::Stream<usize>;
    fn borrowed<'scope>(
        &'scope self,
        scope: &'scope trine::Scope<'scope, '_>,
        text: &'scope str,
    ) -> trine::ScopedTask<'scope, usize>;
}

impl Declared for Text<u8> {
    #[concurrent(process)]
    fn weigh(&self, factor: usize, text: &str) -> usize {
        self.0.len() * factor + text.len()
    }

    #[concurrent(process)]
    fn each(self, most: usize) -> impl Iterator<Item = usize> {
        self.0.len()..most
    }

    #[concurrent(process, scoped, retries = 1)]
    fn borrowed(&self, text: &str) -> usize {
        self.0.len() + text.len()
    }
}

#[test]
fn a_trait_that_declares_tasks_needs_nothing_more() {
    assert_eq!(text().weigh(2, "one").join().unwrap(), 11);
    assert_eq!(text().each(6).gather().join().unwrap(), [4, 5]);
    let (here, one) = (text(), String::from("one"));
    assert_eq!(scope(|s| here.borrowed(s, &one).join()).unwrap(), 7);
    // Inline, where the call is begun on the thread that calls.
    sequential(|| {
        assert_eq!(text().weigh(2, "one").join().unwrap(), 11);
        assert_eq!(text().each(6).gather().join().unwrap(), [4, 5]);
        assert_eq!(scope(|s| here.borrowed(s, &one).join()).unwrap(), 7);
    });
}

#[derive(Serialize, Deserialize, Clone)]
struct Tree {
    depth: u32,
    fails: bool,
}

impl Tree {
    /// What each call says of the process that it runs in.
    #[concurrent(process)]
    fn processes(&self) -> Vec<u32> {
        let mut all = vec![std::process::id()];
        if self.depth > 0 {
            let below = Tree { depth: self.depth - 1, ..self.clone() };
            all.extend(below.processes().join().unwrap());
        }
        all
    }

    #[concurrent(process)]
    fn converted<T>(self, more: T) -> T
    where
        T: From<u8> + std::ops::Add<Output = T> + Serialize + DeserializeOwned + Send + 'static,
    {
        assert!(!self.fails, "it fails");
        more + T::from(1)
    }

    #[concurrent(process, ahead = 1)]
    fn failing_items(self, most: u32) -> impl Iterator<Item = u32> {
        (0..).inspect(move |number| assert!(*number < most, "enough"))
    }
}

#[test]
fn a_body_that_calls_its_own_method_starts_another_call() {
    for _ in 0..2 {
        let mut all = Tree { depth: 2, fails: false }.processes().join().unwrap();
        all.push(std::process::id());
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4, "each has a process of its own");
    }
    // Also inline, where all are in one thread.
    let all = sequential(|| Tree { depth: 2, fails: false }.processes().join().unwrap());
    assert_eq!(all, [std::process::id(); 3]);
}

#[test]
fn a_call_that_panics_leaves_nothing_to_the_next_one() {
    let tree = |fails| Tree { depth: 0, fails };
    let calls = || {
        for _ in 0..3 {
            assert!(tree(true).converted(1_u64).join().unwrap_err().is_panic());
            assert_eq!(tree(false).converted(1_u64).join().unwrap(), 2);
            assert_eq!(tree(false).converted(1_u32).join().unwrap(), 2);
            let mut items = tree(false).failing_items(2).into_iter();
            let both: Vec<u32> = items.by_ref().take(2).map(Result::unwrap).collect();
            assert_eq!(both, [0, 1]);
            assert!(items.next().unwrap().unwrap_err().is_panic());
        }
    };
    calls();
    sequential(calls);
}

trait Named {
    fn named(&self) -> Task<String>;
}

impl Tree {
    #[concurrent(process)]
    fn named(&self) -> String {
        "inherent".to_owned()
    }
}

impl Named for Tree {
    #[concurrent(process)]
    fn named(&self) -> String {
        "of the trait".to_owned()
    }
}

#[test]
fn a_method_that_another_one_hides_is_an_error_and_runs_no_other_body() {
    let tree = Tree { depth: 0, fails: false };
    assert_eq!(tree.named().join().unwrap(), "inherent");
    let hidden = || {
        for _ in 0..2 {
            let error = Named::named(&tree).join().unwrap_err();
            assert!(error.to_string().contains("hides it from the worker"), "{error}");
        }
    };
    hidden();
    sequential(hidden);
}
