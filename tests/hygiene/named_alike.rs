//! Functions beside constants, statics and types that have the names which an expansion might bind.
//! A pattern cannot bind the name of a constant: it would compare with it.

use ::concurrency::concurrent;
use ::std::clone::Clone;
use ::std::result::Result::{self, Err, Ok};
use ::std::string::String;

/// The names themselves, which are lowercase.
#[expect(dead_code, non_upper_case_globals, non_camel_case_types, reason = "to be mistaken")]
mod alike {
    /// A name.
    pub(super) const this: u8 = 1;
    /// A name.
    pub(super) const arguments: u8 = 2;
    /// A name.
    pub(super) static method: u8 = 3;
    /// A name.
    pub(super) static output: u8 = 4;
    /// A name.
    #[derive(Clone, Copy)]
    pub(super) struct value;
    /// A name.
    #[derive(Clone, Copy)]
    pub(super) struct body;
}
#[expect(unused_imports, reason = "to be in sight")]
use self::alike::{arguments, body, method, output, this, value};

/// Binds its arguments in its body.
#[concurrent(async, retries = 1, crate = ::concurrency)]
pub async fn fetch((text, _): (String, u8), more: u8) -> Result<String, u8> {
    if more > 0 { Err(more) } else { Ok(text) }
}

/// Binds its arguments in an inner closure.
#[concurrent(threads, retries = 1, crate = ::concurrency)]
pub fn tried((text, _): (String, u8), more: u8) -> Result<String, u8> {
    if more > 0 { Err(more) } else { Ok(text) }
}

/// A value with methods.
#[derive(Clone, Debug, Default, ::serde::Serialize, ::serde::Deserialize)]
pub struct Counter {
    /// How often.
    pub(crate) count: u8,
    /// Which.
    name: String,
}

impl Counter {
    /// Captured.
    #[concurrent(threads, crate = ::concurrency)]
    pub fn captured(self, (more, _): (u8, u8)) -> u8 {
        self.count + more
    }

    /// Captured by a future.
    #[concurrent(async, crate = ::concurrency)]
    pub async fn awaited(self, (more, _): (u8, u8)) -> u8 {
        ::std::future::ready(self.count + more).await
    }

    /// Sent.
    #[concurrent(process, crate = ::concurrency)]
    pub fn sent(&self, more: &u8) -> u8 {
        self.count + more
    }

    /// With parameters that are named like what the expansion binds.
    #[concurrent(process, crate = ::concurrency)]
    pub fn mixed(&self, __this: u8, argument1: u8, (more, _): (u8, u8), lent: &u8) -> u8 {
        self.count + __this + argument1 + more + lent
    }

    /// The same, captured.
    #[concurrent(async, crate = ::concurrency)]
    pub async fn beside(self, __method: u8, (__arguments, _): (u8, u8), __output: u8) -> u8 {
        ::std::future::ready(self.count + __method + __arguments + __output).await
    }
}

/// Named as type parameters are.
#[derive(Debug)]
pub struct T(String);

#[concurrent(threads, crate = ::concurrency)]
impl T {
    /// Made.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text + "")
    }

    /// Looked at, with a parameter that is named like what the expansion binds.
    #[must_use]
    pub fn longer(&self, __this: usize) -> usize {
        self.0.trim().len() + __this
    }
}

/// Kept.
#[derive(Debug)]
pub struct Kept(String);

#[concurrent(async, crate = ::concurrency)]
impl Kept {
    /// Made.
    pub async fn new(text: String) -> Self {
        ::std::future::ready(Self(text)).await
    }

    /// Looked at.
    ///
    /// # Errors
    ///
    /// Never.
    pub async fn seen(&self, more: usize) -> Result<usize, u8> {
        ::std::future::ready(Ok(self.0.len() + more)).await
    }
}
