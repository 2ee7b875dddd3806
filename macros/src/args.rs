//! What stands between the parentheses of `#[concurrent(…)]`: every legal form of it.
//!
//! A mode comes first, then options in any order, each at most once. A mistake in one option does
//! not hide the next: the rest of that option is skipped and reading goes on after the comma.
use super::error::{Errors, similar};
use super::function::visible;
use super::quantity;
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Expr, Ident, Path, Result, Token};

/// Where a concurrent function runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    Threads,
    Process,
    Async,
}

impl Mode {
    const NAMES: [&str; 3] = ["threads", "process", "async"];

    fn from_name(name: &str) -> Option<Self> {
        match name {
            "threads" => Some(Mode::Threads),
            "process" => Some(Mode::Process),
            "async" => Some(Mode::Async),
            _ => None,
        }
    }

    /// As it is written in the attribute, and as its feature is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Threads => "threads",
            Mode::Process => "process",
            Mode::Async => "async",
        }
    }

    /// The module of the runtime crate that is its engine.
    pub(crate) fn module(self) -> &'static str {
        match self {
            Mode::Threads => "threads",
            Mode::Process => "process",
            Mode::Async => "asynchronous",
        }
    }
}

/// The attribute, read.
pub(crate) struct Args {
    /// The mode; when it is missing or unknown (an error by then), threads stand in for it.
    pub(crate) mode: Mode,
    /// Where the mode stands, for errors about it.
    pub(crate) mode_span: Span,
    /// `scoped`.
    pub(crate) scoped: Option<Span>,
    /// `retries = …` was given: the expansion has to say what counts as failed.
    pub(crate) retries: bool,
    /// The calls on `Function::new(…)`: one const builder method for each option.
    pub(crate) builders: TokenStream,
    /// `crate = …`: the path of the runtime crate, when it is not `::trine`.
    runtime: Option<Path>,
}

const OPTIONS: [&str; 9] =
    ["timeout", "retries", "backoff", "limit", "scoped", "memory", "fresh", "local", "crate"];

impl Args {
    /// Reads the attribute. Always gives something to expand with; mistakes go to `errors`.
    pub(crate) fn parse(
        arguments: TokenStream,
        enabled: fn(Mode) -> bool,
        errors: &mut Errors,
    ) -> Self {
        let mut args = Args {
            mode: Mode::Threads,
            mode_span: Span::call_site(),
            scoped: None,
            retries: false,
            builders: TokenStream::new(),
            runtime: None,
        };
        let reader = |input: ParseStream<'_>| {
            args.read(input, enabled, errors);
            Ok(())
        };
        if let Err(error) = reader.parse2(arguments) {
            errors.add(error);
        }
        args
    }

    /// The path of the runtime crate, for generated code at `span`.
    pub(crate) fn runtime(&self, span: Span) -> TokenStream {
        match &self.runtime {
            Some(path) => path.to_token_stream(),
            None => quote_spanned!(span=> ::trine),
        }
    }

    fn read(&mut self, input: ParseStream<'_>, enabled: fn(Mode) -> bool, errors: &mut Errors) {
        let mode = match self.read_mode(input) {
            Ok(mode) if enabled(mode) => Some(mode),
            Ok(mode) => {
                let name = mode.name();
                errors.push(
                    self.mode_span,
                    format!(
                        "the mode `{name}` is off: turn on the feature `{name}` of `trine` in \
                         Cargo.toml"
                    ),
                );
                Some(mode)
            }
            Err(error) => {
                errors.add(error);
                None
            }
        };
        self.mode = mode.unwrap_or(Mode::Threads);

        let mut seen: Vec<(String, Span)> = Vec::new();
        while skip_to_next(input, errors) {
            if let Err(error) = self.read_option(input, mode, &mut seen) {
                errors.add(error);
                skip_rest(input);
            }
        }
        let given = |name: &str| seen.iter().find(|(option, _)| option == name);
        if let (Some((_, backoff)), None) = (given("backoff"), given("retries")) {
            errors.push(*backoff, "`backoff` is the wait between retries: add `retries = 3`");
        }
    }

    fn read_mode(&mut self, input: ParseStream<'_>) -> Result<Mode> {
        let expected = "expected a mode: `threads`, `process` or `async`";
        if input.is_empty() {
            return Err(syn::Error::new(
                Span::call_site(),
                format!("{expected}, as in `#[concurrent(threads)]`"),
            ));
        }
        if !input.peek(Ident::peek_any) {
            let error = input.error(expected);
            skip_rest(input);
            return Err(error);
        }
        let ident = input.call(Ident::parse_any)?;
        self.mode_span = ident.span();
        let name = ident.to_string();
        if let Some(mode) = Mode::from_name(&name) {
            return Ok(mode);
        }
        skip_rest(input);
        let message = match (name.as_str(), similar(&name, &Mode::NAMES)) {
            (option, _) if OPTIONS.contains(&option) => {
                format!("the mode comes first: `#[concurrent(threads, {option}…)]`")
            }
            ("asynchronous" | "tokio" | "future", _) => {
                format!("{expected}; did you mean `async`?")
            }
            (_, Some(name)) => format!("{expected}; did you mean `{name}`?"),
            _ => expected.to_owned(),
        };
        Err(syn::Error::new(ident.span(), message))
    }

    fn read_option(
        &mut self,
        input: ParseStream<'_>,
        mode: Option<Mode>,
        seen: &mut Vec<(String, Span)>,
    ) -> Result<()> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format!("expected an option: {}", listed(&OPTIONS))));
        }
        let option = input.call(Ident::parse_any)?;
        let name = option.to_string();
        let error = |message: String| Err(syn::Error::new(option.span(), message));
        if !OPTIONS.contains(&name.as_str()) {
            return error(if Mode::from_name(&name).is_some() {
                "a function has one mode: write the function twice to have it in two".to_owned()
            } else if let Some(near) = similar(&name, &OPTIONS) {
                format!("`{name}` is no option of `concurrent`; did you mean `{near}`?")
            } else {
                format!("`{name}` is no option of `concurrent`; there are {}", listed(&OPTIONS))
            });
        }
        if seen.iter().any(|(earlier, _)| *earlier == name) {
            return error(format!("`{name}` is given twice: keep one"));
        }
        seen.push((name.clone(), option.span()));
        if of_processes(&name) && mode.is_some_and(|m| m != Mode::Process) {
            return error(format!(
                "`{name}` is an option of `process`: {}",
                if name == "local" {
                    "the other modes never leave this machine"
                } else {
                    "only a process of its own has that"
                }
            ));
        }
        self.read_value(input, &option, &name)
    }

    /// Reads what follows the name of an option and keeps what it means.
    fn read_value(&mut self, input: ParseStream<'_>, option: &Ident, name: &str) -> Result<()> {
        if matches!(name, "scoped" | "fresh" | "local") {
            if input.peek(Token![=]) {
                return Err(input.error(format!("`{name}` takes no value: its name is enough")));
            }
            if name == "scoped" {
                self.scoped = Some(option.span());
            } else {
                self.builders.extend(quote_spanned!(visible(option.span())=> .#option()));
            }
            return Ok(());
        }
        let example = match name {
            "timeout" => "timeout = 5s",
            "backoff" => "backoff = 100ms",
            "memory" => "memory = 512MiB",
            "crate" => "crate = path::to::trine",
            "limit" => "limit = 8",
            _ => "retries = 3",
        };
        if !input.peek(Token![=]) {
            let message = format!("`{name}` needs a value: `{example}`");
            return Err(syn::Error::new(option.span(), message));
        }
        let equals: Token![=] = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            let message = format!("`{name}` needs a value: `{example}`");
            return Err(syn::Error::new(equals.span, message));
        }
        if name == "crate" {
            let path = input.call(Path::parse_mod_style)?;
            self.runtime = Some(path);
            return Ok(());
        }
        let value = Expr::parse(input)?;
        let value = match name {
            "memory" => quantity::size(&value)?,
            "limit" => quantity::count(&value, u64::MAX)?,
            "retries" => quantity::count(&value, u32::MAX.into())?,
            _ => quantity::duration(&value)?,
        };
        self.retries |= name == "retries";
        self.builders.extend(quote_spanned!(visible(option.span())=> .#option(#value)));
        Ok(())
    }
}

fn of_processes(option: &str) -> bool {
    matches!(option, "memory" | "fresh" | "local")
}

/// Reads the comma before an option; false at the end of the attribute.
fn skip_to_next(input: ParseStream<'_>, errors: &mut Errors) -> bool {
    if input.is_empty() {
        return false;
    }
    if !input.peek(Token![,]) {
        errors.add(input.error("expected a comma"));
        skip_rest(input);
    }
    input.parse::<Option<Token![,]>>().is_ok() && !input.is_empty()
}

/// Skips what is left of a broken option.
fn skip_rest(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        let _: Result<TokenTree> = input.parse();
    }
}

/// "`a`, `b` and `c`".
fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
