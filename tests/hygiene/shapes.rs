//! Rarer shapes of functions in every mode, under the same lints.
//!
//! Patterns, bounds that speak of lifetimes, names that differ by underscores or are keywords,
//! attributes of the compiler, places in which items stand, and what `macro_rules!` makes.

use ::concurrency::concurrent;
use ::std::borrow::Cow;
use ::std::boxed::Box;
use ::std::clone::Clone;
use ::std::convert::{From, Into};
use ::std::iter::{DoubleEndedIterator, ExactSizeIterator, IntoIterator, Iterator};
use ::std::marker::{Send, Sized, Sync};
use ::std::ops::{Fn, FnOnce};
use ::std::option::Option::{self, Some};
use ::std::result::Result::{self, Ok};
use ::std::string::String;
use ::std::vec::Vec;

/// What crosses to a worker process.
pub trait Crossing: ::serde::Serialize + ::serde::de::DeserializeOwned + Send + 'static {}

impl<T: ::serde::Serialize + ::serde::de::DeserializeOwned + Send + 'static> Crossing for T {}

/// Taken apart by patterns.
#[derive(Clone, Debug, Default, ::serde::Serialize, ::serde::Deserialize)]
pub struct Pair {
    /// A number.
    pub number: u8,
    /// A text.
    pub text: String,
}

/// The same functions in each of two modes.
macro_rules! in_each_mode {
    ($($mode:ident $module:ident $($asyncness:ident)?;)*) => {$(
        /// The functions of one mode.
        pub mod $module {
            use super::{Box, Clone, Cow, Crossing, From, Into, Ok, Option, Pair, Result};
            use super::{Sized, Some};
            use super::{String, Vec, concurrent};

            /// Each kind of pattern.
            #[concurrent($mode, crate = ::concurrency)]
            pub $($asyncness)? fn patterns(
                (left, right): (u8, u8),
                mut sum: u8,
                _: String,
                Pair { number, .. }: Pair,
                [first, .., last]: [u8; 4],
                both @ (_, more): (u8, u8),
                ref lent: u8,
            ) -> u8 {
                sum += left + right + number + first + last + both.0 + more + lent;
                sum
            }

            /// Constants in types, and a bound that speaks of any lifetime.
            #[concurrent($mode, crate = ::concurrency)]
            pub $($asyncness)? fn bounds<T, const N: usize>(value: T, flags: [bool; 2]) -> usize
            where
                T: Crossing,
                for<'a> &'a T: Into<usize>,
            {
                let number: usize = (&value).into();
                if flags[0] { number } else { N }
            }

            /// `impl Trait` inside of other types.
            #[concurrent($mode, crate = ::concurrency)]
            pub $($asyncness)? fn inside(
                all: Vec<impl Crossing>,
                one: Option<(u8, impl Crossing + Clone)>,
            ) -> usize {
                all.len() + usize::from(one.is_some())
            }

            /// A type that another type names.
            #[concurrent($mode, crate = ::concurrency)]
            pub $($asyncness)? fn associated<I>(items: Vec<I::Item>) -> usize
            where
                I: super::IntoIterator<Item: Crossing>,
            {
                items.len()
            }

            /// Nothing borrowed that could end.
            #[concurrent($mode, crate = ::concurrency)]
            pub $($asyncness)? fn owned(text: Cow<'static, str>, r#type: u8) -> Option<String> {
                let text = (r#type > 0).then_some(text)?;
                Some(text.into())
            }

            /// Methods that differ by underscores alone, or by what the expansion puts before.
            #[derive(Clone, Debug, ::serde::Serialize, ::serde::Deserialize)]
            pub struct Alike<T, const N: usize = 3>(pub T);

            impl<T: Crossing + Clone, const N: usize> Alike<T, N> {
                /// Without an underscore.
                #[concurrent($mode, crate = ::concurrency)]
                pub $($asyncness)? fn name(self) -> u8 {
                    0
                }

                /// With one.
                #[concurrent($mode, crate = ::concurrency)]
                pub $($asyncness)? fn _name(self) -> u8 {
                    1
                }

                /// With two.
                #[concurrent($mode, crate = ::concurrency)]
                pub $($asyncness)? fn __name(mut self, value: T) -> u8 {
                    self.0 = value;
                    ::std::mem::drop(self.0);
                    2
                }

                /// With one at its end.
                #[concurrent($mode, crate = ::concurrency)]
                pub $($asyncness)? fn name_(self: Box<Self>) -> Option<Box<Self>> {
                    Some(self)
                }

                /// As the expansion names it.
                #[concurrent($mode, crate = ::concurrency)]
                pub $($asyncness)? fn trine_name(self, (other, _): (Self, u8)) -> (Self, usize) {
                    (other, N)
                }

                /// A name that is a keyword, and a bound of its own.
                #[concurrent($mode, crate = ::concurrency)]
                pub $($asyncness)? fn r#loop<F>(self, r#fn: F) -> Result<F, String>
                where
                    F: Crossing,
                    Self: Sized,
                {
                    Ok(r#fn)
                }
            }

            /// Free functions that do.
            #[concurrent($mode, crate = ::concurrency)]
            pub $($asyncness)? fn alike() -> u8 {
                0
            }

            /// With one.
            #[concurrent($mode, crate = ::concurrency)]
            pub $($asyncness)? fn _alike() -> u8 {
                1
            }

            /// With two.
            #[concurrent($mode, crate = ::concurrency)]
            pub $($asyncness)? fn __alike() -> u8 {
                2
            }
        }
    )*};
}

in_each_mode! {
    threads on_threads;
    process in_processes;
    async polled async;
}

/// Below the attribute, and above it, are the compiler's own.
#[deprecated(since = "0.1.0", note = "to see it kept")]
#[inline]
#[concurrent(threads, crate = ::concurrency)]
#[must_use = "it was computed"]
#[cold]
#[doc(alias = "marked")]
#[cfg_attr(all(), doc(hidden))]
pub fn attributes(#[cfg_attr(all(), expect(unused_variables, reason = "it is"))] unused: u8) {}

/// Attributes of parameters, and of a method with its body elsewhere.
#[derive(Clone, Copy, Debug, ::serde::Serialize, ::serde::Deserialize)]
pub struct Marked(pub u8);

impl Marked {
    /// With attributes.
    #[concurrent(process, crate = ::concurrency)]
    #[deprecated(since = "0.1.0", note = "to see it kept")]
    #[inline]
    #[cold]
    #[cfg_attr(all(), must_use = "it was computed")]
    pub fn attributes(self, #[expect(unused_variables, reason = "it is")] unused: u8) -> u8 {
        self.0
    }

    /// Driven there.
    #[concurrent(process, crate = ::concurrency)]
    pub async fn driven(&self, text: &str, (more, _): (u8, u8)) -> usize {
        ::std::future::ready(text.len()).await + usize::from(self.0 + more)
    }

    /// As visible as that.
    #[concurrent(process, crate = ::concurrency)]
    pub(in crate::shapes) fn seen_here(self) -> u8 {
        self.0
    }
}

/// Functions where items stand.
pub mod places {
    use super::{From, Iterator, Marked, concurrent};

    /// In a constant.
    pub const CONSTANT: fn(u8) -> ::concurrency::Task<u8> = {
        #[concurrent(threads, crate = ::concurrency)]
        fn inside(value: u8) -> u8 {
            value
        }
        inside
    };

    /// In a closure, in a loop and in another concurrent function.
    #[concurrent(threads, crate = ::concurrency)]
    #[must_use]
    pub fn in_another(count: u8) -> usize {
        let start = |value| {
            #[concurrent(process, crate = ::concurrency)]
            fn inside(value: u8) -> u8 {
                value
            }
            inside(value)
        };
        let all = (0..count).map(start);
        all.count() + usize::from(Marked(1).seen_here().is_finished())
    }
}

/// Borrowed in every way that a scope allows.
#[concurrent(threads, scoped, crate = ::concurrency)]
pub fn borrows<'long: 'short, 'short>(
    bytes: &'short mut [u8],
    text: Cow<'_, str>,
    long: ::std::slice::Iter<'long, u8>,
    asks: &(dyn Fn(&u8) -> bool + Sync),
    once: Box<dyn FnOnce() + Send + '_>,
    shows: impl Fn(&str) -> &str + Send,
) -> Option<&'long u8> {
    once();
    bytes.fill(0);
    let _ = shows(&text);
    long.as_slice().iter().find(|byte| asks(byte))
}

/// Yields, with patterns and generics.
#[concurrent(threads, ahead = 2, crate = ::concurrency)]
#[must_use]
pub fn repeated<T: Clone + Send + 'static>(
    (value, _): (T, u8),
    mut count: usize,
) -> impl DoubleEndedIterator<Item = (usize, T)> + Send {
    count += 1;
    (0..count).map(move |index| (index, value.clone()))
}

/// Yields in a worker, from what it was lent.
#[concurrent(process, crate = ::concurrency)]
#[must_use]
pub fn characters(
    text: &str,
    _: &[u8],
) -> impl ExactSizeIterator<Item = Result<char, String>> + use<> {
    let mut all: Vec<_> = text.chars().map(Ok).collect();
    all.reverse();
    all.into_iter()
}

impl Marked {
    /// A method that yields.
    #[concurrent(process, crate = ::concurrency)]
    #[must_use]
    pub fn up_to(self, end: u8) -> impl Iterator<Item = Self> {
        (self.0..end).map(Self)
    }

    /// The same on threads, without a receiver.
    #[concurrent(threads, crate = ::concurrency)]
    #[must_use]
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map(Self)
    }
}

/// Takes every piece of an attribute and of a function as a fragment.
macro_rules! of_fragments {
    (
        $mode:ident, $timeout:literal, $limit:expr, $asks:path, $priority:ident, $runtime:path;
        $visibility:vis fn $name:ident($pattern:pat => $type:ty) -> $output:ty $body:block
    ) => {
        /// Made of fragments.
        #[concurrent(
            $mode,
            timeout = $timeout,
            limit = $limit,
            retries = 1,
            retry_if = $asks,
            priority = $priority,
            crate = $runtime
        )]
        $visibility fn $name($pattern: $type) -> $output $body
    };
}

/// Never tries again.
const fn never<T>(_: Result<&T, &::concurrency::Error>) -> bool {
    false
}

of_fragments! {
    threads, 10min, 1 + 2, never, high, ::concurrency;
    pub fn made((left, right) => (u8, u8)) -> u8 { left + right }
}

of_fragments! {
    process, 10min, 3, never::<usize>, low, ::concurrency;
    pub fn made_there(text => &str) -> usize { text.len() }
}

/// A worker with its parts as fragments.
macro_rules! worker_of {
    ($type:ty, $name:ident, $output:ty) => {
        #[concurrent(threads, name = $name, restarts = 1, crate = ::concurrency)]
        impl $type {
            /// Made.
            #[must_use]
            pub const fn new(start: u8) -> Self {
                Self(start)
            }

            /// Looked at.
            #[must_use]
            pub const fn seen(&self, (more, _): (u8, u8)) -> $output {
                self.0 + more
            }
        }
    };
}

worker_of!(Marked, MarkedByName, u8);
