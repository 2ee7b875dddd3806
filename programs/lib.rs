//! What every program needs: arguments, an exit code, a progress bar, and reasons for failures.

pub mod load;

use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use std::str::FromStr;

use indicatif::{ProgressBar, ProgressStyle};
use lexopt::ValueExt;
use reqwest::Url;

/// Why a program ends early.
pub type Failure = Box<dyn Error>;

/// The arguments make no sense; the program exits with 2.
#[derive(Debug)]
pub struct BadUsage(pub String);

impl fmt::Display for BadUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for BadUsage {}

impl BadUsage {
    /// The last arm of a `match` on arguments.
    pub fn because(message: impl Into<String>) -> Failure {
        Box::new(Self(message.into()))
    }
}

/// The value of an option that takes a whole number; an error names the option.
pub fn number<T: FromStr>(option: &str, arguments: &mut lexopt::Parser) -> Result<T, Failure>
where
    T::Err: fmt::Display,
{
    let value = arguments.value()?.string()?;
    value.parse().map_err(|error| {
        let need = "has to be a whole number from 0 on";
        BadUsage::because(format!("{option} is `{value}`, and {need}: {error}"))
    })
}

/// Why a request failed: the last error of the chain, such as "connection refused".
///
/// For a link that this build cannot follow, it says what to do about that.
pub fn why_not(url: &Url, error: &dyn Error) -> String {
    if url.scheme() == "https" && !cfg!(feature = "https") {
        return "https needs a build with `--features https`".to_owned();
    }
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Runs a program: `--help` prints the usage, and an error becomes one line and an exit code.
///
/// The code is 2 if the arguments are to blame, and otherwise 1.
pub fn run(usage: &str, program: impl FnOnce(lexopt::Parser) -> Result<(), Failure>) -> ExitCode {
    let name = usage.split([' ', ':']).next().unwrap_or_default();
    if std::env::args_os().skip(1).any(|argument| argument == "--help" || argument == "-h") {
        println!("{usage}");
        return ExitCode::SUCCESS;
    }
    let Err(error) = program(lexopt::Parser::from_env()) else {
        return ExitCode::SUCCESS;
    };
    eprintln!("{name}: {error}");
    if error.is::<BadUsage>() || error.is::<lexopt::Error>() {
        eprintln!("Try `{name} --help`.");
        return ExitCode::from(2);
    }
    ExitCode::FAILURE
}

/// A progress bar on standard error, hidden if that is not a terminal.
///
/// # Panics
///
/// Never: the template is well-formed.
#[must_use]
pub fn progress(length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {elapsed}");
    ProgressBar::new(length as u64).with_style(style.expect("the template is well-formed"))
}
