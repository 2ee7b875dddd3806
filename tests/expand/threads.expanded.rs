//! Functions on threads: the plain shape, and what patterns and options add to it.
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use trine::concurrent;
/// Docs and attributes stay.
pub fn thumbnail(path: PathBuf, size: u32) -> ::trine::Task<io::Result<u64>> {
    ::trine::threads::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("thumbnail")
                .limit(4);
            &FUNCTION
        },
        (path, size),
        |(path, size): (PathBuf, u32)| -> io::Result<u64> {
            let length = std::fs::metadata(path)?.len();
            Ok(length / u64::from(size))
        },
    )
}
fn tick() -> ::trine::Task<()> {
    ::trine::threads::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("tick");
            &FUNCTION
        },
        (),
        |()| {
            println!("tick");
        },
    )
}
fn count(from: u32, to: u32) -> ::trine::Task<u32> {
    ::trine::threads::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("count");
            &FUNCTION
        },
        (from, to),
        |(mut from, to): (u32, u32)| -> u32 {
            from += 1;
            to - from
        },
    )
}
fn distance(argument0: (f64, f64), argument1: String) -> ::trine::Task<f64> {
    ::trine::threads::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("distance");
            &FUNCTION
        },
        (argument0, argument1),
        |(argument0, argument1): ((f64, f64), String)| -> f64 {
            (|(x, _): (f64, f64), _: String| -> f64 { x })(argument0, argument1)
        },
    )
}
fn fetch(url: String) -> ::trine::Task<Result<String, String>> {
    ::trine::threads::spawn_retrying(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("fetch")
                .timeout(::core::time::Duration::from_millis(1500))
                .retries(3)
                .backoff(::core::time::Duration::from_millis(100));
            &FUNCTION
        },
        (url,),
        |(url,): (String,)| -> Result<String, String> {
            if url.is_empty() { Err(url) } else { Ok(url) }
        },
        ::trine::Retry::failed(|__output: &Result<String, String>| {
            ::trine::Returned(__output).is_err()
        }),
    )
}
const PATIENCE: Duration = Duration::from_secs(2);
fn drive(address: String) -> ::trine::Task<usize> {
    ::trine::threads::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("drive")
                .timeout(PATIENCE.saturating_mul(2));
            &FUNCTION
        },
        (address,),
        |(address,): (String,)| -> usize {
            ::trine::block_on(async move {
                let (address,) = (address,);
                if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<
                    usize,
                > {
                    return __output;
                }
                { ({ std::future::ready(address.len()).await }) }
            })
        },
    )
}
fn largest<T: Ord + Send + 'static, const N: usize>(
    values: [T; N],
    extra: impl Into<T> + Send + 'static,
) -> ::trine::Task<Option<T>> {
    ::trine::threads::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("largest");
            &FUNCTION
        },
        (::trine::cross::argument(values), extra),
        |(values, extra): ([T; N], _)| -> Option<T> {
            values.into_iter().chain([extra.into()]).max()
        },
    )
}
fn forever() -> ::trine::Task<::core::convert::Infallible> {
    ::trine::threads::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("forever");
            &FUNCTION
        },
        (),
        |()| -> ::core::convert::Infallible {
            loop {
                std::thread::park();
            }
        },
    )
}
#[cfg(windows)]
fn raw(r#type: u32, handle: u32) -> ::trine::Task<u32> {
    ::trine::threads::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("raw");
            &FUNCTION
        },
        (r#type, handle),
        |(r#type, handle): (u32, u32)| -> u32 { r#type },
    )
}
#[cfg(not(windows))]
fn raw(r#type: u32) -> ::trine::Task<u32> {
    ::trine::threads::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("raw");
            &FUNCTION
        },
        (r#type,),
        |(r#type,): (u32,)| -> u32 { r#type },
    )
}
fn is_transient<T>(outcome: Result<&Result<T, String>, &trine::Error>) -> bool {
    matches!(outcome, Ok(Err(text)) if text == "busy")
}
fn fetch_some(url: String) -> ::trine::Task<Result<usize, String>> {
    ::trine::threads::spawn_retrying(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("fetch_some")
                .retries(3);
            &FUNCTION
        },
        (url,),
        |(url,): (String,)| -> Result<usize, String> { Ok(url.len()) },
        ::trine::Retry::when(is_transient::<usize>),
    )
}
