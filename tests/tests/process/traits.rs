//! Methods of traits: the trait marks what it declares, and an impl what it runs in a worker. One
//! that has its body in the trait is marked once.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use trine::{Task, concurrent, scope};

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
