//! Scoped functions: callers pass the scope first, and every borrow lives as long as that.
use trine::concurrent;
pub fn count<'scope>(
    scope: &'scope ::trine::Scope<'scope, '_>,
    text: &'scope str,
    word: &'scope str,
) -> ::trine::ScopedTask<'scope, usize> {
    ::trine::threads::spawn_scoped(
        scope,
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("count");
            &FUNCTION
        },
        (text, word),
        |(text, word): (&'scope str, &'scope str)| -> usize {
            text.matches(word).count()
        },
    )
}
fn longest<'scope, 'a>(
    scope: &'scope ::trine::Scope<'scope, '_>,
    texts: &'a [String],
    shown: &'scope (dyn Fn(&str) -> usize + Sync),
    unused: u8,
) -> ::trine::ScopedTask<'scope, Option<&'a str>>
where
    'a: 'scope,
{
    ::trine::threads::spawn_scoped(
        scope,
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("longest");
            &FUNCTION
        },
        (texts, ::trine::cross::argument(shown), unused),
        |
            (
                texts,
                shown,
                unused,
            ): (&'a [String], &'scope (dyn Fn(&str) -> usize + Sync), u8),
        | -> Option<&'a str> {
            let _ = unused;
            texts.iter().map(String::as_str).max_by_key(|text| shown(text))
        },
    )
}
fn fill<'scope>(
    scope: &'scope ::trine::Scope<'scope, '_>,
    target: &'scope mut [u8],
    value: u8,
) -> ::trine::ScopedTask<'scope, ()> {
    ::trine::threads::spawn_scoped(
        scope,
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("fill");
            &FUNCTION
        },
        (::trine::cross::argument(target), value),
        |(target, value): (&'scope mut [u8], u8)| {
            target.fill(value);
        },
    )
}
