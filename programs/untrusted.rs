//! Many files that nobody trusts, through a parser that nobody trusts either, in processes.
//!
//! The parser is a template language with the three classic holes: the input decides how deep it
//! recurses, how long it substitutes, and how large it grows. A thread would survive none of them.
//! Here each becomes a row of the report.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;
use serde::{Deserialize, Serialize};
use trine::{ErrorKind, TaskIterator, concurrent};
use trine_programs::{BadUsage, Failure, progress};

const USAGE: &str = "\
untrusted: parse files that may crash the parser, hang it or eat all memory

Usage: untrusted FILE...

A file is a template: lines of `name = text`. `$name` stands for the text of that name, `[…]` is a
group, and the text of `main` is the document. The report says of each file what became of it:
ok, refused, unread, crashed, hung or too big. What the parser itself says when it dies is on
standard error. Exits with 1 if a file cannot be read.";

/// Why a file has no word count.
#[derive(Serialize, Deserialize)]
enum Failed {
    /// There is no such file, or it cannot be read.
    Unread(String),
    /// It is not a valid template.
    Refused(String),
}

/// Reads a file and counts the words of its document.
#[concurrent(process, timeout = 2s, memory = 64MiB)]
fn parse(file: PathBuf) -> Result<usize, Failed> {
    let text = fs::read(&file).map_err(|error| Failed::Unread(error.to_string()))?;
    let text = str::from_utf8(&text).map_err(|error| Failed::Refused(error.to_string()))?;
    words(text).map_err(Failed::Refused)
}

fn words(text: &str) -> Result<usize, String> {
    let mut definitions = HashMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (name, value) = line.split_once('=').ok_or_else(|| format!("no `=` in `{line}`"))?;
        definitions.insert(name.trim(), value.trim());
    }
    let mut document = definitions.get("main").ok_or("there is no `main`")?.to_string();
    // Two holes: `a = $a` never ends, and `a = $b $b`, `b = $c $c`, … doubles with every line.
    while let Some(dollar) = document.find('$') {
        let rest = &document[dollar + 1..];
        let length = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let name = rest[..length].to_owned();
        let value = definitions.get(name.as_str()).ok_or_else(|| format!("what is `${name}`?"))?;
        document = document.replace(&format!("${name}"), value);
    }
    group(&mut document.chars()).ok_or_else(|| "a group without its end".to_owned())?;
    Ok(document.split_whitespace().count())
}

/// Reads up to the end of the group, and returns how deeply the groups in it are nested.
fn group(text: &mut std::str::Chars<'_>) -> Option<usize> {
    let mut deepest = 0;
    while let Some(c) = text.next() {
        match c {
            // And the third hole: a recursive call for every bracket.
            '[' => deepest = deepest.max(group(text)? + 1),
            ']' => return Some(deepest),
            _ => {}
        }
    }
    Some(deepest)
}

fn main() -> ExitCode {
    trine_programs::run(USAGE, run)
}

fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let mut files = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(value) => files.push(PathBuf::from(value)),
            other => return Err(other.unexpected().into()),
        }
    }
    if files.is_empty() {
        return Err(BadUsage::because("which files?"));
    }
    let width = files.iter().map(|file| file.as_os_str().len()).max().unwrap_or_default();
    let mut unread = 0;
    let results = files.iter().cloned().map(parse).buffered(16);
    for (file, result) in files.iter().zip(progress(files.len()).wrap_iter(results)) {
        let (verdict, detail) = match result {
            Ok(Ok(words)) => ("ok", format!("{words} words")),
            Ok(Err(Failed::Refused(why))) => ("refused", why),
            Ok(Err(Failed::Unread(why))) => {
                unread += 1;
                ("unread", why)
            }
            Err(error) => (verdict(error.kind()), error.to_string()),
        };
        println!("{:width$}  {verdict:8}  {detail}", file.display());
    }
    match unread {
        0 => Ok(()),
        _ => Err(format!("{unread} of {} files cannot be read", files.len()).into()),
    }
}

fn verdict(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Crashed { .. } | ErrorKind::StackOverflow => "crashed",
        ErrorKind::TimedOut { .. } => "hung",
        ErrorKind::MemoryLimit => "too big",
        ErrorKind::Panicked { .. } => "panicked",
        _ => "failed",
    }
}
