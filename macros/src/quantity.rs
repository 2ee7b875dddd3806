//! Durations and sizes as they are written in the attribute: `250ms`, `1.5s`, `512MiB`. rustc
//! hands literals with unknown suffixes to an attribute as they are, so these need no quotes.
//! Everything that is not a literal is taken as a const expression and left to the compiler.
use super::function::visible;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Error, Expr, Lit, Result, UnOp};

/// A unit and how many of the smallest one (a nanosecond, a byte) it is.
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

/// The tokens of a `Duration` for `value`.
pub(crate) fn duration(value: &Expr) -> Result<TokenStream> {
    let units = "ns, us, ms, s, min or h: `250ms`, `1.5s`, `2min`";
    let Some((span, nanoseconds)) = literal(value, "a duration", DURATIONS, units)? else {
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
pub(crate) fn size(value: &Expr) -> Result<TokenStream> {
    let units = "B, KB, MB, GB, KiB, MiB or GiB: `64KiB`, `512MiB`, `2GB`";
    let Some((span, bytes)) = literal(value, "a size", SIZES, units)? else {
        return Ok(quote!(#value));
    };
    // `512 << 20` rather than 536870912, where that is exact: the expansion is read by people.
    let shift = [30, 20, 10].into_iter().find(|shift| bytes % (1 << shift) == 0);
    let (bytes, shift) = match shift {
        Some(shift) => (unsuffixed(bytes >> shift, span), unsuffixed(shift, span)),
        None => return Ok(unsuffixed(bytes, span)),
    };
    Ok(quote_spanned!(visible(span)=> #bytes << #shift))
}

/// The tokens of a count of at least one for `value`.
pub(crate) fn count(value: &Expr, largest: u64) -> Result<TokenStream> {
    let Some(literal) = number(value)? else {
        return Ok(quote!(#value));
    };
    let Lit::Int(int) = literal else {
        return Err(Error::new(literal.span(), "expected a whole number, as in `3`"));
    };
    let suffixes = ["", "u8", "u16", "u32", "u64", "usize"];
    if !suffixes.contains(&int.suffix()) {
        let message = format!("`{}` is no unit here: a plain number is expected", int.suffix());
        return Err(Error::new(int.span(), message));
    }
    match int.base10_parse::<u64>() {
        Ok(0) => Err(Error::new(int.span(), "expected at least 1")),
        Ok(count) if count <= largest => Ok(unsuffixed(count, int.span())),
        _ => Err(Error::new(int.span(), format!("this number is too large: at most {largest}"))),
    }
}

/// The value of a suffixed literal in the smallest unit; `None` for any other expression.
fn literal(value: &Expr, what: &str, units: &[Unit], advice: &str) -> Result<Option<(Span, u64)>> {
    let Some(literal) = number(value)? else {
        return Ok(None);
    };
    let span = literal.span();
    let (digits, suffix) = match literal {
        Lit::Int(int) if is_decimal(literal) => (int.base10_digits(), int.suffix()),
        Lit::Float(float) => (float.base10_digits(), float.suffix()),
        _ => return Err(Error::new(span, format!("expected {what} with a unit: {advice}"))),
    };
    let Some((_, unit)) = units.iter().find(|(name, _)| *name == suffix) else {
        let message = match suffix {
            "" => format!("{what} needs a unit: {advice}"),
            _ => format!("`{suffix}` is no unit of {what}: {advice}"),
        };
        return Err(Error::new(span, message));
    };
    match scale(digits, *unit) {
        Some(0) => Err(Error::new(span, format!("{what} of zero: expected more than that"))),
        Some(scaled) => Ok(Some((span, scaled))),
        None => Err(Error::new(
            span,
            format!("{what} must be a whole number of the smallest unit and fit in 64 bits"),
        )),
    }
}

/// The literal in `value`, if it is one; negative ones are refused.
fn number(value: &Expr) -> Result<Option<&Lit>> {
    match value {
        Expr::Lit(literal) => Ok(Some(&literal.lit)),
        Expr::Group(group) => number(&group.expr),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => match number(&unary.expr)? {
            Some(_) => {
                Err(Error::new_spanned(value, "negative: expected a number greater than zero"))
            }
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Whether the digits are written in base ten: in `0x5s`, what is digit and what is unit?
fn is_decimal(literal: &Lit) -> bool {
    let text = literal.to_token_stream().to_string();
    !["0x", "0o", "0b"].iter().any(|prefix| text.starts_with(prefix))
}

/// `digits` (as in `12` or `1.5`) times `unit`, if that is a whole number that fits.
fn scale(digits: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let mut total = whole.parse::<u128>().ok()?.checked_mul(u128::from(unit))?;
    if !fraction.is_empty() {
        let parts = fraction.parse::<u128>().ok()?.checked_mul(u128::from(unit))?;
        let divisor = 10_u128.checked_pow(fraction.len().try_into().ok()?)?;
        if !parts.is_multiple_of(divisor) {
            return None;
        }
        total = total.checked_add(parts / divisor)?;
    }
    total.try_into().ok()
}

fn unsuffixed(number: u64, span: Span) -> TokenStream {
    let mut literal = proc_macro2::Literal::u64_unsuffixed(number);
    literal.set_span(visible(span));
    quote!(#literal)
}

#[cfg(test)]
mod tests {
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
            assert_eq!(text(duration(&parse_str(written).unwrap())), expected);
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
            ("self::MEMORY", "self::MEMORY"),
        ] {
            assert_eq!(text(size(&parse_str(written).unwrap())), expected);
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for written in ["0s", "0.0ms", "5", "5x", "-5s", "\"5s\"", "1.5ns", "99999999999h", "0x5s"]
        {
            let refused = text(duration(&parse_str(written).unwrap()));
            assert!(refused.starts_with("error: "), "{written}: {refused}");
        }
        for written in ["0", "3s", "1.5", "'a'", "4294967296", "-1"] {
            let refused = text(count(&parse_str(written).unwrap(), u32::MAX.into()));
            assert!(refused.starts_with("error: "), "{written}: {refused}");
        }
    }
}
