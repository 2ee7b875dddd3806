//! Mistakes that people make: each is a single error at the faulty token that says what to do, and
//! causes no other errors, neither in the body nor at the callers.

use std::fmt::Write;
use std::fs;
use std::path::Path;

mod compile;
mod complete;
mod matrix;

/// The programs of `cases.txt`, with their errors below each. Read the diff after renewing them
/// with `TRINE_UPDATE=1 cargo test -p trine-tests --test mistakes`.
///
/// The compiler stops after the first phase with an error, so errors of the borrow checker have a
/// group of their own. A syntax error affects what is around it, so such a program is compiled
/// alone.
#[test]
fn each_mistake_is_one_error_in_plain_words() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes/cases.txt");
    let written = fs::read_to_string(&path).unwrap();
    let programs = programs(&written);
    let group = |group: fn(&str) -> bool| -> Vec<_> {
        programs.iter().filter(|(name, _)| group(name)).cloned().collect()
    };
    let mut errors = compile::errors("cases", &group(|name| !name.ends_with(')')));
    errors.extend(compile::errors("borrows", &group(|name| name.ends_with("(borrows)"))));
    for alone in group(|name| name.ends_with("(alone)")) {
        errors.extend(compile::errors("alone", &[alone]));
    }
    let mut now = String::new();
    for (name, program) in &programs {
        write!(now, "== {name}\n{program}").unwrap();
        for error in &errors[name] {
            writeln!(now, "-- {} | {}", error.token, error.message).unwrap();
        }
    }
    compare(&path, &now);
}

/// Every message in the macro's source is one that a program here shows.
#[test]
fn each_rejection_has_a_case() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let entries = fs::read_dir(tests.join("ui")).unwrap().map(|entry| entry.unwrap().path());
    let told = entries.filter(|path| path.extension().is_some_and(|ending| ending == "stderr"));
    let written = told.chain([tests.join("mistakes/cases.txt")]);
    let written = written.map(|path| fs::read_to_string(path).unwrap()).collect::<String>();
    let is_error = |line: &&str| line.starts_with("-- ") || line.starts_with("error");
    let reported: Vec<String> = written.lines().filter(is_error).map(str::to_owned).collect();
    let (of_functions, of_workers) = complete::sources();
    let missing = complete::missing(&[of_functions, of_workers].concat(), &reported);
    assert!(missing.is_empty(), "write a case for each:\n{}", missing.join("\n"));
}

/// Applies once each proposal that an editor applies with a click: the result has no syntax error,
/// and not the same mistake again.
#[test]
fn what_the_compiler_proposes_can_be_written() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes/cases.txt");
    let programs = programs(&fs::read_to_string(path).unwrap());
    let (borrows, others): (Vec<_>, Vec<_>) = programs
        .into_iter()
        .filter(|(name, _)| !name.ends_with("(alone)") && !PROPOSES_ITEMS.contains(&&**name))
        .partition(|(name, _)| name.ends_with("(borrows)"));
    let mut errors = compile::errors("proposals", &others);
    errors.extend(compile::errors("proposals_of_borrows", &borrows));
    let mut followed = Vec::new();
    let mut before = Vec::new();
    for (name, error) in errors
        .into_iter()
        .flat_map(|(name, errors)| errors.into_iter().map(move |error| (name.clone(), error)))
    {
        for changed in &error.followed {
            followed.push((format!("{name} {}", followed.len()), changed.clone()));
            before.push((error.token.clone(), error.message.clone()));
        }
    }
    assert!(followed.len() > 5, "there are proposals");
    let after = compile::errors("followed", &followed);
    for ((name, changed), (token, message)) in followed.iter().zip(before) {
        let wrong = after[name].iter().find(|error| {
            let same = (&error.token, &error.message) == (&token, &message);
            same || error.message.starts_with("expected ")
        });
        assert!(wrong.is_none(), "{message}\n{changed}{wrong:?}");
    }
}

/// An inner attribute would belong to the whole file, so the program is compiled alone.
const PROPOSES_ITEMS: &[&str] = &["unused_task (borrows)"];

/// The programs of `ui/`, and everything that the compiler says about them.
#[test]
fn what_the_compiler_says_is_as_written_down() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let sources = entries.filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
    for source in sources {
        compare(&source.with_extension("stderr"), &compile::told(&source));
    }
}

fn compare(path: &Path, now: &str) {
    if std::env::var_os("TRINE_UPDATE").is_some() {
        fs::write(path, now).unwrap();
        return;
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    let lines = written.lines().map(Some).chain(std::iter::repeat(None));
    let count = written.lines().count().max(now.lines().count());
    let now = now.lines().map(Some).chain(std::iter::repeat(None));
    for (number, (written, now)) in lines.zip(now).take(count).enumerate() {
        assert_eq!(written, now, "{}:{}: what is written, and now", path.display(), number + 1);
    }
}

/// Names and sources, from `== name` to the first `-- token | message`.
fn programs(text: &str) -> Vec<(String, String)> {
    let text = format!("\n{text}");
    let cases = text.split("\n== ").skip(1);
    let cases = cases.filter_map(|case| case.split_once('\n'));
    let source = |lines: &str| {
        let lines = lines.lines().filter(|line| !line.starts_with("-- "));
        lines.fold(String::new(), |all, line| all + line + "\n")
    };
    cases.map(|(name, lines)| (name.to_owned(), source(lines))).collect()
}
