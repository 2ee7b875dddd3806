//! What stands after the `=` of an option, where it is more than a quantity.
use super::error::similar;
use super::options::{Kind, Row};
use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{Error, Expr, Lit, LitStr, Path, Result};

/// `crate = path`, also where somebody wrote it in quotes, as serde has it.
pub(crate) fn path(input: ParseStream<'_>) -> Result<Path> {
    if let Ok(text) = input.fork().parse::<LitStr>() {
        let message = format!("a path is written without quotes: `crate = {}`", text.value());
        return Err(Error::new(text.span(), message));
    }
    let expected = "expected a path: `crate = path::to::trine`";
    input.call(Path::parse_mod_style).map_err(|error| Error::new(error.span(), expected))
}

/// `name = ModelPool`, a name for a type.
pub(crate) fn name(input: ParseStream<'_>, row: &Row) -> Result<TokenStream> {
    let expected = format!("expected a name for a type, without quotes: `{}`", row.example);
    let name: Ident = input.parse().map_err(|error| Error::new(error.span(), expected))?;
    Ok(name.into_token_stream())
}

/// `retry_if = path`, with generic arguments if need be. Not a closure: the expansion is a place of
/// its own, with other names in sight.
pub(crate) fn function(input: ParseStream<'_>, row: &Row) -> Result<TokenStream> {
    let (name, example) = (row.name, row.example);
    if let Ok(text) = input.fork().parse::<LitStr>() {
        let message = format!("a path is written without quotes: `{name} = {}`", text.value());
        return Err(Error::new(text.span(), message));
    }
    match ungrouped(input.parse()?) {
        Expr::Path(path) => Ok(path.into_token_stream()),
        Expr::Closure(closure) => {
            let message = format!("expected the path of a function, not a closure: `{example}`");
            Err(Error::new_spanned(closure, message))
        }
        Expr::Call(call) => {
            let function = call.func.to_token_stream().to_string().replace(' ', "");
            let message = format!("name the function without calling it: `{name} = {function}`");
            Err(Error::new_spanned(call, message))
        }
        value => {
            let message = format!("expected the path of a function: `{example}`");
            Err(Error::new_spanned(value, message))
        }
    }
}

/// The expression inside the invisible groups that `macro_rules!` leaves around a `$path`.
fn ungrouped(value: Expr) -> Expr {
    match value {
        Expr::Group(group) => ungrouped(*group.expr),
        value => value,
    }
}

/// A label of machines or a name, in quotes or a constant.
pub(crate) fn text(value: &Expr, row: &Row, what: &str) -> Result<TokenStream> {
    let example = row.example;
    if let Expr::Lit(literal) = value {
        let Lit::Str(text) = &literal.lit else {
            let message = format!("expected a {what} in quotes: `{example}`");
            return Err(Error::new(literal.span(), message));
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if text.value().is_empty() || !text.value().chars().all(is_plain) {
            let message = format!("a {what} has letters, digits, `-` and `_`, as in `{example}`");
            return Err(Error::new(text.span(), message));
        }
    }
    Ok(value.to_token_stream())
}

/// `high` or `low`.
pub(crate) fn level(value: &Expr, row: &Row) -> Result<&'static str> {
    const LEVELS: &[&str] = &["high", "low"];
    let name = row.name;
    let written = value.to_token_stream().to_string();
    if let Some(level) = LEVELS.iter().find(|level| **level == written) {
        return Ok(level);
    }
    let message = match similar(&written, LEVELS) {
        Some(level) => format!("unknown {name} `{written}`: did you mean `{name} = {level}`?"),
        None if written == "normal" => {
            format!("calls without `{name}` are between `high` and `low`: leave it out")
        }
        None => format!("expected `{name} = high` or `{name} = low`"),
    };
    Err(Error::new_spanned(value, message))
}

/// The expression after the `=` of any other option.
pub(crate) fn expression(input: ParseStream<'_>, row: &Row, equals: Span) -> Result<Expr> {
    let (name, example) = (row.name, row.example);
    if !matches!(row.kind, Kind::Label | Kind::Name)
        && let Ok(text) = input.fork().parse::<LitStr>()
    {
        let value = text.value();
        let value = if value.parse::<TokenStream>().is_ok() { &*value } else { "…" };
        let message = format!("a value is written without quotes: `{name} = {value}`");
        return Err(Error::new(text.span(), message));
    }
    let value = match input.parse::<Expr>() {
        Err(_) if input.is_empty() => {
            let message = format!("this value ends too early: `{example}`");
            return Err(Error::new(equals, message));
        }
        value => value?,
    };
    if let (Expr::Lit(number), Ok(unit)) = (&value, input.fork().call(Ident::parse_any))
        && is_bare_number(&number.lit)
        && Row::named(&unit.to_string()).is_none()
    {
        let number = &number.lit.to_token_stream();
        let message = format!("write `{number}{unit}`, a number and its unit in one word");
        return Err(Error::new(number.span(), message));
    }
    Ok(value)
}

/// A number to which a unit may belong that stands apart.
fn is_bare_number(literal: &Lit) -> bool {
    match literal {
        Lit::Int(number) => number.suffix().is_empty(),
        Lit::Float(number) => number.suffix().is_empty(),
        _ => false,
    }
}
