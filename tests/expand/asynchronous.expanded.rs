//! Async functions: all arguments are moved in, and `return` knows the declared type.
use std::error::Error;
use trine::concurrent;
pub fn fetch(url: String) -> ::trine::Task<Result<usize, Box<dyn Error + Send + Sync>>> {
    ::trine::asynchronous::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("fetch");
            &FUNCTION
        },
        (url,),
        |(url,): (String,)| async move {
            let (url,) = (url,);
            if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<
                Result<usize, Box<dyn Error + Send + Sync>>,
            > {
                return __output;
            }
            {
                ({
                    let port: usize = url.parse()?;
                    Ok(port)
                })
            }
        },
    )
}
fn tick() -> ::trine::Task<()> {
    ::trine::asynchronous::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("tick");
            &FUNCTION
        },
        (),
        |()| async move {
            println!("tick");
        },
    )
}
fn wait(
    left: u32,
    argument1: String,
    argument2: (String, String),
) -> ::trine::Task<String> {
    ::trine::asynchronous::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("wait");
            &FUNCTION
        },
        (left, argument1, argument2),
        |__arguments: (u32, String, (String, String))| async move {
            let mut left = __arguments.0;
            let argument1 = __arguments.1;
            let _ = argument1;
            let argument2 = __arguments.2;
            let (_, name) = argument2;
            if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<
                String,
            > {
                return __output;
            }
            {
                ({
                    left -= 1;
                    format!("{name}: {left}")
                })
            }
        },
    )
}
fn borrow<'scope, 'a>(
    scope: &'scope ::trine::Scope<'scope, '_>,
    text: &'a str,
    word: &'scope str,
) -> ::trine::ScopedTask<'scope, &'a str>
where
    'a: 'scope,
{
    ::trine::asynchronous::spawn_scoped(
        scope,
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("borrow")
                .timeout(::core::time::Duration::from_secs(120));
            &FUNCTION
        },
        (text, word),
        |(text, word): (&'a str, &'scope str)| async move {
            let (text, word) = (text, word);
            if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<
                &'a str,
            > {
                return __output;
            }
            { ({ text.trim_matches(|letter| word.contains(letter)) }) }
        },
    )
}
