//! Parses what is between the parentheses of `#[concurrent(…)]`.
//!
//! A mode comes first, then options in any order, each at most once. A mistake in one of them is
//! one error and does not hide the next: its remainder is skipped and parsing continues after the
//! comma. The expansion uses what was probably meant, so that a mistyped mode or a mistyped
//! `scoped` does not cause errors at the callers as well.
use super::args::{Args, Given};
use super::error::Errors;
use super::mode::{self, Mode, THREADS};
use super::options::{self, Kind, Row};
use super::quantity;
use super::span::visible;
use super::values;
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Error, LitStr, Result, Token};

/// Parses the attribute. Always returns something to expand with; mistakes go to `errors`.
pub(crate) fn attribute(
    arguments: TokenStream,
    enabled: fn(&Mode) -> bool,
    errors: &mut Errors,
) -> Args {
    let args = Args { mode: &THREADS, has_mode: false, options: Vec::new(), runtime: None };
    Reader { args, errors, enabled, expects_mode: true }.all(arguments)
}

/// Parses the options of a method in an `impl` with these.
pub(crate) fn options(of_impl: &Args, options: TokenStream, errors: &mut Errors) -> Args {
    let args = of_impl.with(Vec::new());
    Reader { args, errors, enabled: |_| true, expects_mode: false }.all(options)
}

struct Reader<'a> {
    args: Args,
    errors: &'a mut Errors,
    enabled: fn(&Mode) -> bool,
    /// No mode so far, and no error about that yet.
    expects_mode: bool,
}

impl Reader<'_> {
    fn all(mut self, tokens: TokenStream) -> Args {
        let read = |input: ParseStream<'_>| {
            self.read(input);
            Ok(())
        };
        if let Err(error) = read.parse2(tokens) {
            self.errors.add(error);
        }
        self.args
    }

    fn read(&mut self, input: ParseStream<'_>) {
        while !input.is_empty() {
            if let Err(error) = self.read_item(input) {
                self.errors.add(error);
                skip_rest(input);
            }
            if let (false, Ok(None)) = (input.is_empty(), input.parse::<Option<Token![,]>>()) {
                self.errors.add(input.error("expected a comma before this"));
                let next = input.fork().call(Ident::parse_any);
                if next.is_err() || next.is_ok_and(|next| Row::named(&next.to_string()).is_none()) {
                    skip_rest(input);
                    let _: Result<Option<Token![,]>> = input.parse();
                }
            }
        }
        if self.expects_mode {
            let example = "as in `#[concurrent(threads)]`";
            let message = format!("expected a mode: {}, {example}", mode::LISTED);
            self.errors.push(Span::call_site(), message);
        }
        for given in &self.args.options {
            if let Some(needed) = given.row.needs.filter(|needed| !self.args.has(needed)) {
                let example = Row::named(needed).map_or(needed, |row| row.example);
                let name = given.row.name;
                let message = format!("`{name}` means nothing without `{needed}`: add `{example}`");
                self.errors.push(given.span, message);
            }
        }
    }

    /// Parses what is between two commas, as far as it can.
    fn read_item(&mut self, input: ParseStream<'_>) -> Result<()> {
        let expects_mode = std::mem::take(&mut self.expects_mode);
        let expected = if expects_mode {
            format!("expected a mode: {}", mode::LISTED)
        } else {
            format!("expected an option: {}", options::listed())
        };
        if input.peek(Token![,]) {
            return Err(match expects_mode {
                true => input.error(expected),
                false => input.error("expected an option before this comma: remove one of the two"),
            });
        }
        if input.peek(LitStr) {
            return self.read_quoted(&input.parse()?, &expected);
        }
        if !input.peek(Ident::peek_any) {
            return Err(input.error(expected));
        }
        let ident = input.call(Ident::parse_any)?;
        let name = ident.unraw().to_string();
        if let Some(mode) = Mode::named(&name) {
            return self.take_mode(mode, &ident, expects_mode, input);
        }
        match Row::named(&name) {
            Some(row) if expects_mode => {
                let message =
                    format!("the mode comes first: `#[concurrent(threads, {})]`", row.example);
                self.errors.push(ident.span(), message);
                self.read_option(row, &ident, input)
            }
            Some(row) => self.read_option(row, &ident, input),
            None if expects_mode => self.unknown_mode(&ident, input),
            None => self.unknown_option(&ident),
        }
    }

    fn take_mode(
        &mut self,
        mode: &'static Mode,
        ident: &Ident,
        expects_mode: bool,
        input: ParseStream<'_>,
    ) -> Result<()> {
        if self.args.has_mode {
            let message = "a function has one mode: write the function twice to have it in two";
            return Err(Error::new(ident.span(), message));
        }
        self.args.mode = mode;
        self.args.has_mode = expects_mode;
        let name = mode.name;
        if !(self.enabled)(mode) {
            let message = format!(
                "the mode `{name}` is off: turn on the feature `{name}` of `trine` in Cargo.toml"
            );
            self.errors.push(ident.span(), message);
        }
        if input.is_empty() || input.peek(Token![,]) || input.peek(Ident::peek_any) {
            return Ok(());
        }
        let message = format!("options follow the mode after a comma: `{name}, timeout = 5s`");
        Err(input.error(message))
    }

    /// `"threads"` or `"scoped"`, which need no quotes.
    fn read_quoted(&mut self, text: &LitStr, expected: &str) -> Result<()> {
        let word = text.value();
        let known = match Mode::named(&word) {
            Some(mode) => {
                self.args.mode = mode;
                true
            }
            None => Row::named(&word).is_some(),
        };
        if known && expected.starts_with("expected a mode") && is_key_value_attribute() {
            // `#[concurrent = "threads"]`: the compiler has already rejected this form.
            self.errors.set_reported();
            return Ok(());
        }
        let message = match known {
            true => format!("`{word}` is a word of its own: write it without quotes"),
            false => expected.to_owned(),
        };
        Err(Error::new(text.span(), message))
    }

    fn unknown_mode(&mut self, ident: &Ident, input: ParseStream<'_>) -> Result<()> {
        let name = ident.unraw().to_string();
        let has_value = input.peek(Token![=]) || input.peek(Token![:]);
        let message = match (Row::meant(&name).filter(|_| has_value), Mode::meant(&name)) {
            (Some(row), _) => {
                format!("the mode comes first: `#[concurrent(threads, {})]`", row.example)
            }
            _ if has_value => {
                "the mode is a word alone and comes first: `#[concurrent(threads)]`".to_owned()
            }
            (None, Some(mode)) => {
                self.args.mode = mode;
                format!("unknown mode `{name}`: did you mean `{}`?", mode.name)
            }
            _ => format!("unknown mode `{name}`: expected {}", mode::LISTED),
        };
        Err(Error::new(ident.span(), message))
    }

    fn unknown_option(&mut self, ident: &Ident) -> Result<()> {
        let name = ident.unraw().to_string();
        let message = if let Some(row) = Row::meant(&name) {
            if row.kind == Kind::Scoped {
                self.give(row, ident.span());
            }
            format!("unknown option `{name}`: did you mean `{}`?", row.example)
        } else if let Some(mode) = Mode::meant(&name) {
            format!("unknown option `{name}`: `{}` is a mode, and that comes first", mode.name)
        } else {
            format!("unknown option `{name}`: the options are {}", options::listed())
        };
        Err(Error::new(ident.span(), message))
    }

    /// Records that the option is there; its value is filled in once it is parsed.
    fn give(&mut self, row: &'static Row, span: Span) {
        let builder = if row.kind == Kind::Flag {
            let name = Ident::new(row.name, visible(span));
            quote_spanned!(visible(span)=> .#name())
        } else {
            TokenStream::new()
        };
        self.args.options.push(Given { row, span, written: TokenStream::new(), builder });
    }

    fn read_option(
        &mut self,
        row: &'static Row,
        ident: &Ident,
        input: ParseStream<'_>,
    ) -> Result<()> {
        let name = row.name;
        if self.args.has(name) {
            let message = format!("`{name}` is given twice: keep one");
            return Err(Error::new(ident.span(), message));
        }
        if self.args.has_mode
            && let Some(reason) = row.refused_by(self.args.mode)
        {
            let message = format!("`{name}` is an option of `process`: {reason}");
            return Err(Error::new(ident.span(), message));
        }
        self.give(row, ident.span());
        let ends = input.is_empty() || input.peek(Token![,]);
        if row.is_bare() {
            return match ends || input.peek(Ident::peek_any) {
                true => Ok(()),
                false => Err(input.error(format!("`{name}` takes no value: its name is enough"))),
            };
        }
        self.read_value(row, ident, input)
    }

    fn read_value(
        &mut self,
        row: &'static Row,
        ident: &Ident,
        input: ParseStream<'_>,
    ) -> Result<()> {
        let (name, example) = (row.name, row.example);
        let needs = |span| Err(Error::new(span, format!("`{name}` needs a value: `{example}`")));
        if input.is_empty() || input.peek(Token![,]) {
            return needs(ident.span());
        }
        let longer = input.peek(Token![=>]) || input.peek(Token![==]);
        if longer || !input.peek(Token![=]) {
            return Err(input.error(format!("expected `=` and a value here: `{example}`")));
        }
        let equals: Token![=] = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            return needs(equals.span);
        }
        if row.kind == Kind::Crate {
            self.args.runtime = Some(values::path(input)?);
            return Ok(());
        }
        if matches!(row.kind, Kind::Path | Kind::Type) {
            let written = match row.kind {
                Kind::Path => values::function(input, row)?,
                _ => values::name(input, row)?,
            };
            if let Some(given) = self.args.options.last_mut() {
                given.written = written;
            }
            return Ok(());
        }
        let value = values::expression(input, row, equals.span)?;
        let mut method = ident.clone();
        let tokens = match row.kind {
            Kind::Label => values::text(&value, row, "label")?,
            Kind::Name => values::text(&value, row, "name")?,
            Kind::CountOrSize => {
                let is_size = quantity::has_unit(&value);
                let suffix = if is_size { "beyond" } else { "after" };
                method = Ident::new(&format!("{name}_{suffix}"), ident.span());
                match is_size {
                    true => quantity::size(&value, row)?,
                    false => quantity::count(&value, row, u32::MAX.into())?,
                }
            }
            Kind::Level => {
                let level = values::level(&value, row)?;
                method = Ident::new(&format!("{name}_{level}"), ident.span());
                TokenStream::new()
            }
            Kind::Size => quantity::size(&value, row)?,
            Kind::Count => quantity::count(&value, row, u64::MAX)?,
            Kind::Times => quantity::count(&value, row, u32::MAX.into())?,
            _ => quantity::duration(&value, row)?,
        };
        if let Some(given) = self.args.options.last_mut() {
            given.builder = quote_spanned!(visible(ident.span())=> .#method(#tokens));
            given.written = value.into_token_stream();
        }
        Ok(())
    }
}

/// Skips what is left of a broken option.
fn skip_rest(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        let _: Result<TokenTree> = input.parse();
    }
}

/// Whether the attribute is `#[concurrent = …]`. The compiler has already rejected that, and passes
/// what follows the `=` as if it were in parentheses.
fn is_key_value_attribute() -> bool {
    let text = Span::call_site().source_text().unwrap_or_default();
    text.find('=').is_some_and(|equals| text.find(['(', '{']).is_none_or(|open| equals < open))
}
