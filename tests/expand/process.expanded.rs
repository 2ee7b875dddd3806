//! Functions in worker processes: one word differs from threads, and references are lent.
use std::path::Path;
use trine::concurrent;
pub fn parse(text: String, radix: u32) -> ::trine::Task<Option<u32>> {
    ::trine::process::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("parse");
            &FUNCTION
        },
        (text, radix),
        |(text, radix): (String, u32)| -> Option<u32> {
            u32::from_str_radix(&text, radix).ok()
        },
    )
}
fn search(folder: &Path, words: &[String], limit: usize) -> ::trine::Task<usize> {
    ::trine::process::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("search");
            &FUNCTION
        },
        (folder, words, limit),
        |
            (
                folder,
                words,
                limit,
            ): (::trine::process::Owned<Path>, ::trine::process::Owned<[String]>, usize),
        | -> usize {
            (|folder: &Path, words: &[String], limit: usize| -> usize {
                words
                    .iter()
                    .filter(|word| folder.join(word).exists())
                    .take(limit)
                    .count()
            })(&folder, &words, limit)
        },
    )
}
fn render(page: &str) -> ::trine::Task<Result<usize, String>> {
    ::trine::process::spawn_retrying(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("render")
                .memory(512 << 20)
                .fresh()
                .retries(2);
            &FUNCTION
        },
        (page,),
        |(page,): (::trine::process::Owned<str>,)| -> Result<usize, String> {
            (|page: &str| -> Result<usize, String> {
                if page.is_empty() { Err(page.to_owned()) } else { Ok(page.len()) }
            })(&page)
        },
        ::trine::Retry::failed(|__output: &Result<usize, String>| {
            ::trine::Returned(__output).is_err()
        }),
    )
}
fn drive(name: &str) -> ::trine::Task<usize> {
    ::trine::process::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("drive").local();
            &FUNCTION
        },
        (name,),
        |__arguments: (::trine::process::Owned<str>,)| -> usize {
            ::trine::block_on(async move {
                let argument0 = __arguments.0;
                let name: &str = &argument0;
                if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<
                    usize,
                > {
                    return __output;
                }
                { ({ std::future::ready(name.len()).await }) }
            })
        },
    )
}
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Grid {
    cells: Vec<u8>,
}
impl Grid {
    pub fn sum(&self, weight: u64) -> ::trine::Task<u64> {
        let __method = ::trine::process::method({
            static FUNCTION: ::trine::Function = ::trine::Function::new("sum");
            &FUNCTION
        });
        if let ::core::option::Option::Some(__begun) = __method.begun() {
            return __begun
                .run(
                    (weight,),
                    move |(weight,): (u64,)| -> u64 {
                        let _ = &self;
                        {
                            ({
                                self.cells
                                    .iter()
                                    .map(|cell| u64::from(*cell) * weight)
                                    .sum()
                            })
                        }
                    },
                );
        }
        __method
            .spawn((self, weight), |(__this, weight): (_, u64)| { __this.sum(weight) })
    }
}
/// A trait may mark what it declares, or write `-> trine::Task<u64>` itself.
pub trait Area {
    fn area(&self, scale: u64) -> ::trine::Task<u64>;
}
impl Area for Grid {
    fn area(&self, scale: u64) -> ::trine::Task<u64> {
        let __method = ::trine::process::method({
            static FUNCTION: ::trine::Function = ::trine::Function::new("area")
                .timeout(::core::time::Duration::from_secs(5));
            &FUNCTION
        });
        if let ::core::option::Option::Some(__begun) = __method.begun() {
            return __begun
                .run(
                    (scale,),
                    move |(scale,): (u64,)| -> u64 {
                        let _ = &self;
                        { ({ self.cells.len() as u64 * scale }) }
                    },
                );
        }
        __method.spawn((self, scale), |(__this, scale): (_, u64)| { __this.area(scale) })
    }
}
fn shrink(width: u32) -> ::trine::Task<u32> {
    ::trine::process::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("shrink")
                .limit(2)
                .queue(100)
                .pool("images")
                .priority_low();
            &FUNCTION
        },
        (width,),
        |(width,): (u32,)| -> u32 { width / 8 },
    )
}
