//! Durations and sizes in the attribute: `250ms`, `1.5s`, `512MiB`. rustc passes literals with
//! unknown suffixes to an attribute unchanged, so they need no quotes. Anything else is taken as a
//! const expression and left to the compiler.
use super::options::{Kind, Row};
use super::span::visible;
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Expr, Lit, Result, UnOp};

/// A unit, as a multiple of the smallest one (a nanosecond, a byte).
type Unit = (&'static str, u64);

const DURATIONS: &[Unit] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

const SIZES: &[Unit] = &[
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Other spellings that people use for a unit.
const MISSPELLED: &[(&str, &str)] = &[
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("msec", "ms"),
    ("msecs", "ms"),
    ("millis", "ms"),
    ("milliseconds", "ms"),
    ("µs", "us"),
    ("μs", "us"),
    ("usec", "us"),
    ("micros", "us"),
    ("nanos", "ns"),
    ("m", "min"),
    ("mins", "min"),
    ("minute", "min"),
    ("minutes", "min"),
    ("hr", "h"),
    ("hrs", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("k", "KiB"),
    ("ki", "KiB"),
    ("m", "MiB"),
    ("mi", "MiB"),
    ("g", "GiB"),
    ("gi", "GiB"),
    ("bytes", "B"),
];

/// The tokens of a `Duration` for `value`.
pub(crate) fn duration(value: &Expr, row: &Row) -> Result<TokenStream> {
    let Some((span, nanoseconds)) = literal(value, "a duration", DURATIONS, row)? else {
        return Ok(quote!(#value));
    };
    let (constructor, count) = match nanoseconds {
        n if n % 1_000_000_000 == 0 => ("from_secs", n / 1_000_000_000),
        n if n % 1_000_000 == 0 => ("from_millis", n / 1_000_000),
        n if n % 1_000 == 0 => ("from_micros", n / 1_000),
        n => ("from_nanos", n),
    };
    let constructor = syn::Ident::new(constructor, visible(span));
    let count = unsuffixed(count, span);
    Ok(quote_spanned!(visible(span)=> ::core::time::Duration::#constructor(#count)))
}

/// The tokens of a number of bytes for `value`.
pub(crate) fn size(value: &Expr, row: &Row) -> Result<TokenStream> {
    let Some((span, bytes)) = literal(value, "a size", SIZES, row)? else {
        return Ok(converted(value, "u64"));
    };
    // `512 << 20` rather than 536870912 if that is exact, since people read the expansion.
    let shift = [30, 20, 10].into_iter().find(|shift| bytes % (1 << shift) == 0);
    let (bytes, shift) = match shift {
        Some(shift) => (unsuffixed(bytes >> shift, span), unsuffixed(shift, span)),
        None => return Ok(unsuffixed(bytes, span)),
    };
    Ok(quote_spanned!(visible(span)=> #bytes << #shift))
}

/// Whether `value` is a number with a unit: neither a plain number nor another expression.
pub(crate) fn has_unit(value: &Expr) -> bool {
    let suffix = match number(value) {
        Ok(Some(Lit::Int(int))) => int.suffix(),
        Ok(Some(Lit::Float(float))) => float.suffix(),
        _ => "",
    };
    !suffix.is_empty() && !suffix.starts_with(['u', 'i', 'f'])
}

/// The tokens of a count of at least one for `value`.
pub(crate) fn count(value: &Expr, row: &Row, largest: u64) -> Result<TokenStream> {
    let Some(literal) = number(value)? else {
        let ty = if row.kind == Kind::Count { "usize" } else { "u32" };
        return Ok(converted(value, ty));
    };
    let example = row.example;
    let Lit::Int(int) = literal else {
        let message = format!("expected a whole number, as in `{example}`");
        return Err(Error::new(literal.span(), message));
    };
    let suffixes = ["", "u8", "u16", "u32", "u64", "usize"];
    if !suffixes.contains(&int.suffix()) {
        let unit = int.suffix();
        let message =
            format!("`{unit}` is not a unit here: expected a plain number, as in `{example}`");
        return Err(Error::new(int.span(), message));
    }
    match int.base10_parse::<u64>() {
        Ok(0) => Err(Error::new(int.span(), format!("`{}` must be at least 1", row.name))),
        Ok(count) if count <= largest => Ok(unsuffixed(count, int.span())),
        _ => Err(Error::new(int.span(), format!("this number is too large: at most {largest}"))),
    }
}

/// A constant of any integer type, converted to the one that `Function` takes.
fn converted(value: &Expr, ty: &str) -> TokenStream {
    let span = visible(value.span());
    let ty = syn::Ident::new(ty, span);
    quote_spanned!(span=> (#value) as #ty)
}

/// The value of a suffixed literal in the smallest unit; `None` for any other expression.
fn literal(value: &Expr, what: &str, units: &[Unit], row: &Row) -> Result<Option<(Span, u64)>> {
    let Some(literal) = number(value)? else {
        return Ok(None);
    };
    let span = literal.span();
    let error = |message: String| Err(Error::new(span, message));
    let example = row.example;
    let (digits, suffix) = match literal {
        Lit::Int(int) if is_decimal(literal) => (int.base10_digits(), int.suffix()),
        Lit::Float(float) => (float.base10_digits(), float.suffix()),
        _ => return error(format!("expected {what}, as in `{example}`")),
    };
    let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
    let Some((_, unit)) = units.iter().find(|(name, _)| *name == suffix) else {
        return error(match meant(suffix, &names) {
            Some(unit) => {
                format!("`{suffix}` is not a unit of {what}: did you mean `{digits}{unit}`?")
            }
            None if suffix.is_empty() => {
                let smallest = if what == "a duration" { "s" } else { "MiB" };
                let listed = names.join(", ");
                format!("{what} needs a unit ({listed}): `{digits}{smallest}`")
            }
            None => {
                format!("`{suffix}` is not a unit of {what}: expected one of {}", names.join(", "))
            }
        });
    };
    if digits.contains(['e', 'E']) {
        return error(format!("write the number out, without an exponent: `{example}`"));
    }
    match scale(digits, *unit) {
        Scaled::Exactly(0) => error(format!("`{}` must be more than zero", row.name)),
        Scaled::Exactly(scaled) => Ok(Some((span, scaled))),
        Scaled::TooFine => error(match names[0] {
            "ns" => "a duration is a whole number of nanoseconds".to_owned(),
            _ => "a size is a whole number of bytes".to_owned(),
        }),
        Scaled::TooLarge => {
            let largest = units.iter().rfind(|(name, _)| !name.contains('B') || name.contains('i'));
            let (name, unit) = largest.unwrap_or(&units[0]);
            error(format!("this is too large: at most {}{name}", u64::MAX / unit))
        }
    }
}

/// The unit that was probably meant by `suffix`.
fn meant<'a>(suffix: &str, units: &[&'a str]) -> Option<&'a str> {
    let lower = suffix.to_lowercase();
    let same_letters = units.iter().find(|unit| unit.to_lowercase() == lower).copied();
    let listed = |(written, _): &&(&str, &str)| *written == lower;
    let misspelled = || {
        let mut meant = MISSPELLED.iter().filter(listed).map(|(_, unit)| *unit);
        meant.find_map(|meant| units.iter().find(|unit| **unit == meant).copied())
    };
    same_letters.or_else(misspelled)
}

/// The literal in `value`, if it is one; negative ones are refused.
fn number(value: &Expr) -> Result<Option<&Lit>> {
    match value {
        Expr::Lit(literal) => Ok(Some(&literal.lit)),
        Expr::Group(group) => number(&group.expr),
        Expr::Paren(paren) => number(&paren.expr),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => match number(&unary.expr)? {
            Some(_) => {
                Err(Error::new_spanned(value, "negative: expected a number greater than zero"))
            }
            None => Ok(None),
        },
        _ => match with_unit(value.to_token_stream()) {
            Some(literal) => Err(Error::new(
                literal.span(),
                "a number with a unit stands alone: write out what they are together, or a \
                 constant expression",
            )),
            None => Ok(None),
        },
    }
}

/// A literal inside an expression whose suffix the compiler would reject.
fn with_unit(tokens: TokenStream) -> Option<Lit> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Group(group) => with_unit(group.stream()),
        TokenTree::Literal(literal) => {
            let literal = Lit::new(literal);
            let suffix = match &literal {
                Lit::Int(number) => number.suffix(),
                Lit::Float(number) => number.suffix(),
                _ => "",
            };
            let is_unit = |(name, _): &&Unit| *name == suffix;
            DURATIONS.iter().chain(SIZES).any(|unit| is_unit(&unit)).then_some(literal)
        }
        _ => None,
    })
}

/// Whether the digits are decimal: in `0x5s` the unit cannot be told from the digits.
fn is_decimal(literal: &Lit) -> bool {
    let text = literal.to_token_stream().to_string();
    !["0x", "0o", "0b"].iter().any(|prefix| text.starts_with(prefix))
}

/// A quantity in the smallest unit.
enum Scaled {
    Exactly(u64),
    /// It is not a multiple of the smallest unit.
    TooFine,
    TooLarge,
}

/// `digits` (as in `12` or `1.5`) times `unit`.
fn scale(digits: &str, unit: u64) -> Scaled {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let unit = u128::from(unit);
    let Some(total) = whole.parse().ok().and_then(|whole: u128| whole.checked_mul(unit)) else {
        return Scaled::TooLarge;
    };
    let parts = if fraction.is_empty() {
        Some(0)
    } else {
        // More digits than fit into a u128 are finer than any unit.
        let parts = fraction.parse().ok().and_then(|parts: u128| parts.checked_mul(unit));
        let divisor = u32::try_from(fraction.len()).ok().and_then(|n| 10_u128.checked_pow(n));
        parts.zip(divisor).and_then(|(parts, by)| parts.is_multiple_of(by).then(|| parts / by))
    };
    let Some(parts) = parts else { return Scaled::TooFine };
    total
        .checked_add(parts)
        .and_then(|all| all.try_into().ok())
        .map_or(Scaled::TooLarge, Scaled::Exactly)
}

fn unsuffixed(number: u64, span: Span) -> TokenStream {
    let mut literal = proc_macro2::Literal::u64_unsuffixed(number);
    literal.set_span(visible(span));
    quote!(#literal)
}

#[cfg(test)]
mod tests {
    use super::super::options::Row;
    use super::{count, duration, size};
    use syn::parse_str;

    fn text(tokens: syn::Result<proc_macro2::TokenStream>) -> String {
        match tokens {
            Ok(tokens) => tokens.to_string().replace(' ', "").replace("::core::time::", ""),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn durations_are_exact() {
        for (written, expected) in [
            ("5s", "Duration::from_secs(5)"),
            ("1.5s", "Duration::from_millis(1500)"),
            ("0.25ms", "Duration::from_micros(250)"),
            ("1_000ms", "Duration::from_secs(1)"),
            ("2min", "Duration::from_secs(120)"),
            ("1h", "Duration::from_secs(3600)"),
            ("7ns", "Duration::from_nanos(7)"),
            ("LIMIT * 2", "LIMIT*2"),
        ] {
            let row = Row::named("timeout").unwrap();
            assert_eq!(text(duration(&parse_str(written).unwrap(), row)), expected);
        }
    }

    #[test]
    fn sizes_are_exact() {
        for (written, expected) in [
            ("512MiB", "512<<20"),
            ("1.5GiB", "1536<<20"),
            ("10MB", "10000000"),
            ("64KiB", "64<<10"),
            ("100B", "100"),
            ("self::MEMORY", "(self::MEMORY)asu64"),
        ] {
            let row = Row::named("memory").unwrap();
            assert_eq!(text(size(&parse_str(written).unwrap(), row)), expected);
        }
    }

    #[test]
    fn what_is_not_a_quantity_is_refused() {
        for written in ["0s", "0.0ms", "5", "5x", "-5s", "\"5s\"", "1.5ns", "99999999999h", "0x5s"]
        {
            let row = Row::named("timeout").unwrap();
            let refused = text(duration(&parse_str(written).unwrap(), row));
            assert!(refused.starts_with("error: "), "{written}: {refused}");
        }
        for written in ["0", "3s", "1.5", "'a'", "4294967296", "-1"] {
            let row = Row::named("retries").unwrap();
            let refused = text(count(&parse_str(written).unwrap(), row, u32::MAX.into()));
            assert!(refused.starts_with("error: "), "{written}: {refused}");
        }
    }
}
