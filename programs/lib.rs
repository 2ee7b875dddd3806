//! What every program needs: arguments, an exit code, a progress bar.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

/// Why a program ends early.
pub type Failure = Box<dyn Error>;

/// The arguments cannot be; the program exits with 2.
#[derive(Debug)]
pub struct BadUsage(pub String);

impl fmt::Display for BadUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for BadUsage {}

impl BadUsage {
    /// For the end of a `match` on arguments.
    pub fn because(message: impl Into<String>) -> Failure {
        Box::new(Self(message.into()))
    }
}

/// Runs a program: `--help` prints the usage, an error becomes one line and an exit code.
///
/// The code is 2 when the arguments are to blame, else 1.
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

/// A progress bar on standard error; shows nothing when that is no terminal.
///
/// # Panics
/// Never: the template is a good one.
#[must_use]
pub fn progress(length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {elapsed}");
    ProgressBar::new(length as u64).with_style(style.expect("the template is well-formed"))
}
