//! A tour of trine: one job done in four ways, and what only processes can do.
//!
//! Counts the words in all text files below a folder (by default, this workspace): in plain
//! sequence, and then with the same function on threads, in worker processes and as async tasks. It
//! checks that the four answers agree, and finally lets one task crash and another hang while the
//! counting goes on.
use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, thread};
use serde::{Deserialize, Serialize};
use trine::{ErrorKind, Task, concurrent, gather};
const USAGE: &str = "\
Counts the words in all text files below a folder, in sequence and in every mode of trine.

Usage: tour [FOLDER]

FOLDER is the workspace of trine by default. Hidden folders and `target` are left out.";
/// What is known about some files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Counts {
    words: HashMap<String, u64>,
    texts: usize,
    /// Files that are not text, or that cannot be read.
    others: usize,
}
/// The work, an ordinary function, which all four answers below come from.
fn count_words(files: &[PathBuf]) -> Counts {
    let mut counts = Counts::default();
    for file in files {
        let Ok(text) = fs::read_to_string(file) else {
            counts.others += 1;
            continue;
        };
        counts.texts += 1;
        for word in text
            .split(|c: char| !c.is_alphabetic())
            .filter(|word| !word.is_empty())
        {
            *counts.words.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    counts
}
fn on_threads(files: Vec<PathBuf>) -> ::trine::Task<Counts> {
    ::trine::threads::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("on_threads");
            &FUNCTION
        },
        (files,),
        |(files,): (Vec<PathBuf>,)| -> Counts { count_words(&files) },
    )
}
fn in_processes(files: Vec<PathBuf>) -> ::trine::Task<Counts> {
    ::trine::process::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("in_processes");
            &FUNCTION
        },
        (files,),
        |(files,): (Vec<PathBuf>,)| -> Counts { count_words(&files) },
    )
}
fn as_async(files: Vec<PathBuf>) -> ::trine::Task<Counts> {
    ::trine::asynchronous::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("as_async");
            &FUNCTION
        },
        (files,),
        |(files,): (Vec<PathBuf>,)| async move {
            let (files,) = (files,);
            if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<
                Counts,
            > {
                return __output;
            }
            { ({ count_words(&files) }) }
        },
    )
}
/// Stands in for a bug in a C library.
fn segfaults() -> ::trine::Task<u8> {
    ::trine::process::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("segfaults");
            &FUNCTION
        },
        (),
        |()| -> u8 { unsafe { std::ptr::without_provenance::<u8>(1).read_volatile() } },
    )
}
fn never_ends() -> ::trine::Task<()> {
    ::trine::process::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("never_ends")
                .timeout(::core::time::Duration::from_millis(300));
            &FUNCTION
        },
        (),
        |()| {
            loop {
                std::hint::spin_loop();
            }
        },
    )
}
fn main() -> ExitCode {
    let folder = match read_arguments() {
        Ok(Some(folder)) => folder,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(message) => return fail(2, &message),
    };
    let files = match files_below(&folder) {
        Ok(files) if !files.is_empty() => files,
        Ok(_) => return fail(2, &format!("nothing to read below `{}`", folder.display())),
        Err(message) => return fail(2, &message),
    };
    match tour(&folder, files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error.to_string()),
    }
}
fn fail(code: u8, message: &str) -> ExitCode {
    eprintln!("tour: {message}");
    ExitCode::from(code)
}
fn tour(folder: &Path, files: Vec<(PathBuf, u64)>) -> Result<(), Box<dyn Error>> {
    let bytes: u64 = files.iter().map(|(_, size)| size).sum();
    let number_of_files = files.len();
    let batches = in_batches(files, bytes);
    println!(
        "{number_of_files} files below {}, {} kB in {} batches, {} cores\n", folder
        .display(), bytes / 1000, batches.len(), cores()
    );
    let answer = count_in_sequence(&batches);
    print_top_words(&answer);
    println!("\n{:<14}{:>12}{:>12}{:>10}", "wall time", "first", "best", "faster");
    let in_sequence = measure(&answer, || Ok(count_in_sequence(&batches)))?;
    print_row("in sequence", &in_sequence, &in_sequence);
    let modes = [
        ("threads", on_threads as fn(Vec<PathBuf>) -> Task<Counts>),
        ("process", in_processes),
        ("async", as_async),
    ];
    let mut has_workers = true;
    for (mode, start) in modes {
        match measure(&answer, || count_all(&batches, start)) {
            Ok(times) => print_row(mode, &times, &in_sequence),
            Err(error) if starts_no_worker(&*error) => {
                println!("{mode:<14}{error}");
                has_workers = false;
            }
            Err(error) => return Err(error),
        }
    }
    println!("\nThe answers agree.");
    if !has_workers {
        return Ok(());
    }
    println!(
        "\nNow once more in processes, beside a task that crashes and one that hangs:"
    );
    let failing = [segfaults().map(drop), never_ends()];
    let counts = count_all(&batches, in_processes)?;
    for task in failing {
        let error = task.join().expect_err("it cannot end well");
        println!("  {error}");
    }
    check(&counts, &answer)?;
    println!("  the other {} tasks counted on, to the same answer", batches.len());
    Ok(())
}
fn starts_no_worker(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<trine::Error>();
    error.is_some_and(|error| matches!(error.kind(), ErrorKind::Worker { .. }))
}
/// Starts a task for every batch, and adds up what they find.
fn count_all(
    batches: &[Vec<PathBuf>],
    start: fn(Vec<PathBuf>) -> Task<Counts>,
) -> Result<Counts, trine::Error> {
    Ok(merge(gather(batches.iter().cloned().map(start)).join()?))
}
fn count_in_sequence(batches: &[Vec<PathBuf>]) -> Counts {
    merge(batches.iter().map(|batch| count_words(batch)))
}
fn merge(parts: impl IntoIterator<Item = Counts>) -> Counts {
    let mut parts = parts.into_iter();
    let mut sum = parts.next().unwrap_or_default();
    for part in parts {
        sum.texts += part.texts;
        sum.others += part.others;
        for (word, count) in part.words {
            *sum.words.entry(word).or_default() += count;
        }
    }
    sum
}
fn read_arguments() -> Result<Option<PathBuf>, String> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [] => {
            let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
                .parent()
                .unwrap_or(Path::new("."));
            let here = env::current_dir().is_ok_and(|here| here == workspace);
            Ok(Some(if here { ".".into() } else { workspace.into() }))
        }
        [help] if help == "--help" || help == "-h" => Ok(None),
        [option] if option.to_string_lossy().starts_with('-') => {
            Err(format!("unknown option `{}`\n\n{USAGE}", option.display()))
        }
        [folder] => Ok(Some(folder.into())),
        _ => Err(format!("one folder at most\n\n{USAGE}")),
    }
}
/// The files below a folder, with their sizes, in a fixed order. Empty files are left out, because
/// one of them may be the file that the report is being written to.
fn files_below(folder: &Path) -> Result<Vec<(PathBuf, u64)>, String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let unreadable = |error| format!("cannot read `{}`: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let kind = entry.file_type().map_err(unreadable)?;
            let name = entry.file_name();
            let hidden = name.to_string_lossy().starts_with('.');
            if kind.is_dir() && !hidden && name != "target" {
                folders.push(entry.path());
            } else if kind.is_file() && !hidden {
                files.push((entry.path(), entry.metadata().map_err(unreadable)?.len()));
            }
        }
    }
    files.retain(|(_, size)| *size > 0);
    files.sort();
    Ok(files)
}
/// A call has a price, so each gets several files; there are still enough calls to keep all cores
/// busy to the end.
fn in_batches(files: Vec<(PathBuf, u64)>, bytes: u64) -> Vec<Vec<PathBuf>> {
    let enough = bytes / (4 * cores() as u64) + 1;
    let mut batches = vec![Vec::new()];
    let mut filled = 0;
    for (file, size) in files {
        if filled >= enough {
            batches.push(Vec::new());
            filled = 0;
        }
        filled += size;
        batches.last_mut().expect("there is one from the start").push(file);
    }
    batches
}
fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
fn check(counts: &Counts, answer: &Counts) -> Result<(), Box<dyn Error>> {
    let same = counts == answer;
    if same {
        Ok(())
    } else {
        Err("the answers differ: did a file change meanwhile?".into())
    }
}
/// The time of the first run, which may have to start workers, and of the best run.
struct Times {
    first: Duration,
    best: Duration,
}
/// Runs it for a moment, at least twice, and checks every answer.
fn measure(
    answer: &Counts,
    count: impl Fn() -> Result<Counts, trine::Error>,
) -> Result<Times, Box<dyn Error>> {
    let timed = || {
        let start = Instant::now();
        let counts = count()?;
        let time = start.elapsed();
        check(&counts, answer)?;
        Ok::<_, Box<dyn Error>>(time)
    };
    let began = Instant::now();
    let first = timed()?;
    let mut best = first.min(timed()?);
    while began.elapsed() < Duration::from_millis(400) {
        best = best.min(timed()?);
    }
    Ok(Times { first, best })
}
fn print_top_words(counts: &Counts) {
    let total: u64 = counts.words.values().sum();
    println!(
        "{total} words, {} different, in {} texts; {} other files", counts.words.len(),
        counts.texts, counts.others
    );
    let mut words: Vec<_> = counts.words.iter().collect();
    words.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    println!("The most frequent words of four letters and more:");
    for (word, count) in words
        .iter()
        .filter(|(word, _)| word.chars().count() >= 4)
        .take(8)
    {
        println!("{count:>8}  {word}");
    }
}
fn print_row(mode: &str, times: &Times, in_sequence: &Times) {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "{mode:<14}{:>9.1} ms{:>9.1} ms{:>8.2} x", milliseconds(times.first),
        milliseconds(times.best), in_sequence.best.as_secs_f64() / times.best
        .as_secs_f64()
    );
}
