//! Concurrent functions of every kind under the strictest conditions: all lints that a crate can
//! turn on are on, the prelude is off, and `trine` has another name. One source, three editions.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, future_incompatible, rust_2018_idioms, nonstandard_style)]
#![deny(keyword_idents, let_underscore, refining_impl_trait)]
#![deny(
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    macro_use_extern_crate,
    meta_variable_misuse,
    missing_abi,
    missing_copy_implementations,
    missing_debug_implementations,
    non_ascii_idents,
    redundant_lifetimes,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unit_bindings,
    unnameable_types,
    unreachable_pub,
    unused_import_braces,
    unused_lifetimes,
    unused_macro_rules,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]
#![deny(clippy::allow_attributes, clippy::missing_docs_in_private_items)]
#![deny(clippy::same_name_method, clippy::shadow_unrelated, clippy::unwrap_used)]
#![no_implicit_prelude]

pub mod named_alike;
pub mod shapes;

use ::concurrency::concurrent;
use ::std::boxed::Box;
use ::std::clone::Clone;
use ::std::convert::{From, Into};
use ::std::iter::Iterator;
use ::std::marker::{Send, Sync};
use ::std::option::Option::{self, Some};
use ::std::result::Result::{self, Err, Ok};
use ::std::string::String;
use ::std::sync::Arc;
use ::std::vec::Vec;

/// Names of the expansion and of the prelude that mean something else here.
#[expect(dead_code, unreachable_pub, reason = "here to be mistaken for another")]
mod trine {
    /// Not the runtime's.
    pub struct Function;
}

/// A static with the name that the expansion uses.
pub static FUNCTION: u32 = 7;

/// The plain shape.
#[concurrent(threads, crate = ::concurrency)]
pub fn plain(text: String, mut count: usize) -> usize {
    count += text.len();
    count
}

/// No parameters, no result.
#[concurrent(threads, crate = ::concurrency)]
pub fn nothing() {}

/// The body means the user's `FUNCTION`, not the expansion's.
#[concurrent(threads, crate = ::concurrency)]
pub fn own_static(scope: u32, arguments: u32, argument0: u32, this: u32, output: u32) -> u32 {
    scope + arguments + argument0 + this + output + FUNCTION
}

/// Parameters with underscored names, patterns and attributes.
#[concurrent(threads, crate = ::concurrency, limit = 1_000, timeout = 10min)]
pub fn patterns(
    (left, _): (u32, String),
    _: Vec<u8>,
    _guard: String,
    #[expect(unused_variables, reason = "it is")] unused: u32,
    #[cfg(unix)] unix: u32,
    #[cfg(not(unix))] other: u32,
    [first, ..]: [u32; 3],
) -> u32 {
    #[cfg(unix)]
    let system = unix;
    #[cfg(not(unix))]
    let system = other;
    left + first + system
}

/// The same, async.
#[concurrent(async, crate = ::concurrency)]
pub async fn patterns_async(
    (left, _): (u32, String),
    _: Vec<u8>,
    _guard: String,
    mut count: u32,
) -> u32 {
    count += left;
    ::std::future::ready(count).await
}

/// A result whose type `return` and `?` have to know.
#[concurrent(async, crate = ::concurrency, retries = 2, backoff = 1ms)]
pub async fn early(text: String) -> Result<Box<dyn ::std::fmt::Debug + Send>, String> {
    if text.is_empty() {
        return Ok(Box::new(0_u8));
    }
    let length = ::std::future::ready(Err(text)).await?;
    let _: u8 = length;
    Ok(Box::new(length))
}

/// No result.
#[concurrent(async, crate = ::concurrency)]
pub async fn tick(count: u32) {
    let _count = ::std::future::ready(count).await;
}

/// Generic, with bounds wherever they can stand.
#[concurrent(threads, crate = ::concurrency)]
pub fn generic<T, const N: usize>(values: [T; N], more: impl Into<T> + Send + 'static) -> Vec<T>
where
    T: Clone + Send + 'static,
{
    let mut all = Vec::from(values);
    all.push(more.into());
    all
}

/// Borrowed for the scope, with named and unnamed lifetimes.
#[concurrent(threads, scoped, crate = ::concurrency)]
pub fn longest<'a>(texts: &'a [String], fallback: &'a str, least: &usize) -> &'a str {
    for text in texts {
        if text.len() > *least {
            return text;
        }
    }
    fallback
}

/// The same, async.
#[concurrent(async, scoped, crate = ::concurrency)]
pub async fn first(text: &str, _: &str) -> Option<char> {
    ::std::future::ready(text).await.chars().next()
}

/// Never ends.
#[concurrent(threads, crate = ::concurrency)]
pub fn forever() -> ! {
    loop {
        ::std::thread::park();
    }
}

/// An async function on a thread.
#[concurrent(threads, crate = ::concurrency)]
pub async fn driven(value: u32) -> u32 {
    ::std::future::ready(value).await
}

/// More parameters than tuples have traits for.
#[concurrent(threads, crate = ::concurrency)]
#[expect(clippy::too_many_arguments, reason = "that is the case")]
pub fn many(
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    e: u8,
    f: u8,
    g: u8,
    h: u8,
    i: u8,
    j: u8,
    k: u8,
    l: u8,
    m: u8,
    n: u8,
    o: u8,
    p: u8,
    q: u8,
    mut r: u8,
) -> u8 {
    r += a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p + q;
    r
}

/// Methods.
#[derive(Debug, Clone)]
pub struct Server<T> {
    /// What it answers.
    answer: T,
}

impl<T: Clone + Send + Sync + 'static> Server<T> {
    /// An associated function.
    #[concurrent(threads, crate = ::concurrency)]
    #[must_use]
    pub fn new(answer: T) -> Self {
        Self { answer }
    }

    /// By value.
    #[concurrent(threads, crate = ::concurrency)]
    pub fn into_answer(mut self, other: Option<T>) -> T {
        if let Some(other) = other {
            self.answer = other;
        }
        self.answer
    }

    /// Shared.
    #[concurrent(threads, crate = ::concurrency)]
    #[must_use = "it was computed"]
    pub fn shared(self: Arc<Self>, _: u32) -> T {
        self.answer.clone()
    }

    /// Boxed and async.
    #[concurrent(async, crate = ::concurrency)]
    pub async fn boxed(self: Box<Self>, mut count: u32) -> (T, u32) {
        count += ::std::future::ready(1).await;
        (self.answer, count)
    }

    /// Borrowed.
    #[concurrent(threads, scoped, crate = ::concurrency)]
    pub fn peek(&self, prefix: &str) -> (&T, usize) {
        (&self.answer, prefix.len())
    }

    /// Borrowed to be changed.
    #[concurrent(threads, scoped, crate = ::concurrency)]
    pub fn replace(&mut self, answer: T) {
        self.answer = answer;
    }

    /// One lint about the signature, and one about the body.
    #[concurrent(threads, crate = ::concurrency)]
    #[expect(clippy::too_many_arguments, clippy::let_and_return, reason = "to see them")]
    pub fn last(self, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, other: T) -> T {
        let same = other;
        same
    }

    /// Private and unused: exactly one warning, which is expected.
    #[concurrent(threads, crate = ::concurrency)]
    #[expect(dead_code, reason = "private and not called")]
    fn unused(self) {
        let Self { answer: _ } = self;
    }
}

/// Inner attributes, and a name that is a keyword.
#[concurrent(threads, crate = ::concurrency)]
pub fn r#match(r#type: u32) -> u32 {
    #![expect(clippy::let_and_return, reason = "to see it expected")]
    let same = r#type;
    same
}

/// Makes functions, with names from the caller and of its own.
macro_rules! functions {
    ($(
        $(#[$attribute:meta])*
        $visibility:vis $name:ident($own:ident: $type:ty) -> $output:ty $body:block
    )*) => {$(
        $(#[$attribute])*
        #[concurrent(threads, crate = ::concurrency)]
        $visibility fn $name(value: u32, $own: $type) -> $output {
            let own: $output = $body;
            own + value
        }
    )*};
}

functions! {
    /// The macro's `value` and the caller's are different variables.
    pub made(value: u32) -> u32 { value * 2 }
}

/// Functions in a function.
pub fn nested(start: u32) -> ::concurrency::Task<u32> {
    #[concurrent(threads, crate = ::concurrency)]
    fn inner(value: u32) -> u32 {
        value + 1
    }
    struct Local;
    impl Local {
        #[concurrent(threads, crate = ::concurrency)]
        fn double(self, value: u32) -> u32 {
            let Self = self;
            value * 2
        }
    }
    ::concurrency::Task::then(inner(start), |value| Local.double(value))
}

/// What a worker process owns in place of what it is lent.
#[concurrent(process, crate = ::concurrency, memory = 2GiB)]
pub fn lent(text: &str, numbers: &[u8], flag: &bool, _: u8, mut owned: String) -> usize {
    owned.push_str(text);
    if *flag { owned.len() + numbers.len() } else { 0 }
}

/// Generic in another process.
#[concurrent(process, crate = ::concurrency)]
pub fn sent<T>(
    value: T,
    more: impl Into<u8> + ::serde::Serialize + ::serde::de::DeserializeOwned + 'static,
) -> T
where
    T: ::serde::Serialize + ::serde::de::DeserializeOwned + Send + 'static,
{
    let _: u8 = more.into();
    value
}

/// Async in another process, and borrowed there.
#[concurrent(process, scoped, crate = ::concurrency)]
pub async fn driven_there(text: &str, _: &[u8]) -> usize {
    ::std::future::ready(text.len()).await
}

/// Data with methods that run elsewhere.
#[derive(Debug, Clone, ::serde::Serialize, ::serde::Deserialize)]
pub struct Grid {
    /// Its cells.
    pub cells: Vec<u64>,
}

impl Grid {
    /// Encoded at the call.
    #[concurrent(process, crate = ::concurrency)]
    pub fn sum(&self, weights: &[u64]) -> u64 {
        Iterator::sum(self.cells.iter().zip(weights).map(|(cell, weight)| cell * weight))
    }
}

/// What a trait declares of methods that run in a worker.
pub trait Cells {
    /// Encoded at the call.
    #[concurrent(process, crate = ::concurrency)]
    fn count(&self, more: usize) -> usize;

    /// The same, async.
    #[concurrent(process, crate = ::concurrency)]
    async fn driven(&self, more: &usize) -> usize;

    /// With its body here.
    #[concurrent(process, crate = ::concurrency)]
    async fn provided(self, more: usize) -> usize
    where
        Self: ::std::marker::Sized + ::serde::Serialize + ::serde::de::DeserializeOwned + 'static,
    {
        ::std::future::ready(more).await
    }
}

impl Cells for Grid {
    #[concurrent(process, crate = ::concurrency)]
    fn count(&self, mut more: usize) -> usize {
        more += self.cells.len();
        more
    }

    #[concurrent(process, crate = ::concurrency)]
    async fn driven(&self, more: &usize) -> usize {
        ::std::future::ready(self.cells.len() + more).await
    }
}
