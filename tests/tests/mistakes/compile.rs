//! Many small programs, compiled at once: each is a module of one crate, and the errors are sorted
//! by their position. One run of rustc, with the crates that this test was built with.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::Output;
use std::thread;

use serde_json::Value;
use trine_tests::rustc::{check, scratch};

/// An error of the compiler: the token that it underlines, and its message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Error {
    pub(crate) token: String,
    pub(crate) message: String,
    /// The whole report, as a person sees it.
    pub(crate) rendered: String,
    /// The program after each change that the compiler proposes with certainty.
    pub(crate) followed: Vec<String>,
}

/// What the compiler says about each program, by the program's name. Many are compiled in two
/// halves at once.
pub(crate) fn errors(
    crate_name: &str,
    programs: &[(String, String)],
) -> BTreeMap<String, Vec<Error>> {
    const MANY: usize = 100;
    if programs.len() < MANY {
        return errors_of_one(crate_name, programs);
    }
    let (first, second) = programs.split_at(programs.len() / 2);
    thread::scope(|scope| {
        let second = scope.spawn(|| errors_of_one(&format!("{crate_name}_second"), second));
        let mut found = errors_of_one(crate_name, first);
        found.extend(second.join().unwrap());
        found
    })
}

fn errors_of_one(crate_name: &str, programs: &[(String, String)]) -> BTreeMap<String, Vec<Error>> {
    let mut source = String::from("#![allow(warnings)]\nfn main() {}\n");
    let mut line = source.lines().count();
    let mut places = Vec::new();
    let mut found: BTreeMap<String, Vec<Error>> = BTreeMap::new();
    for (number, (name, program)) in programs.iter().enumerate() {
        let module = module(number);
        let text = format!("mod {module} {{ use trine::concurrent;\n{program}\n}}\n");
        let lines = line..line + text.lines().count();
        line = lines.end;
        let start = source.len() + text.find('\n').expect("it has lines") + 1;
        places.push(Place { lines, start, module, name, program });
        found.insert(name.clone(), Vec::new());
        source.push_str(&text);
    }
    let messages = compile(crate_name, &source);
    for message in messages.lines() {
        let error: Value = serde_json::from_str(message).expect("rustc writes JSON");
        let text = error["message"].as_str().unwrap_or_default();
        if error["level"] != "error" || text.starts_with("aborting due to") {
            continue;
        }
        let spans = error["spans"].as_array().expect("a list of spans");
        let primary = spans.iter().find(|span| span["is_primary"] == true);
        let primary = primary.unwrap_or_else(|| panic!("an error without a place: {message}"));
        let line = primary["line_start"].as_u64().and_then(|line| usize::try_from(line).ok());
        let place = places.iter().find(|place| place.lines.contains(&(line.unwrap_or(0) - 1)));
        let place = place.unwrap_or_else(|| panic!("an error outside: {message}"));
        let rendered = error["rendered"].as_str().unwrap_or_default().to_owned();
        // The number of the program must not appear.
        let message = text.replace(&format!("{}::", place.module), "");
        let followed = place.followed(&error);
        let error = Error { token: token(primary), message, rendered, followed };
        found.get_mut(place.name).expect("it is in there").push(error);
    }
    found
}

/// Where in the source a program is.
struct Place<'a> {
    lines: Range<usize>,
    /// In bytes.
    start: usize,
    module: String,
    name: &'a str,
    program: &'a str,
}

impl Place<'_> {
    /// What becomes of the program with each proposal that can be applied mechanically.
    fn followed(&self, error: &Value) -> Vec<String> {
        let children = error["children"].as_array().expect("a list of messages");
        let spans =
            children.iter().map(|child| child["spans"].as_array().expect("a list of spans"));
        let is_sure = |span: &Value| span["suggestion_applicability"] == "MachineApplicable";
        let sure = spans.filter(|spans| !spans.is_empty() && spans.iter().all(is_sure));
        let applied = sure.map(|spans| {
            let mut spans: Vec<&Value> = spans.iter().collect();
            spans.sort_by_key(|span| std::cmp::Reverse(span["byte_start"].as_u64()));
            let mut changed = self.program.to_owned();
            for span in spans {
                let place = |name: &str| {
                    usize::try_from(span[name].as_u64().unwrap()).unwrap() - self.start
                };
                let with = span["suggested_replacement"].as_str().unwrap();
                changed.replace_range(place("byte_start")..place("byte_end"), with);
            }
            changed
        });
        applied.filter(|changed| changed != self.program).collect()
    }
}

/// The module of a program.
fn module(number: usize) -> String {
    format!("program_{number}")
}

/// The first line of the underlined text.
fn token(span: &Value) -> String {
    let text = &span["text"][0];
    let column = |name: &str| usize::try_from(text[name].as_u64().unwrap_or(1)).unwrap() - 1;
    let line = text["text"].as_str().unwrap_or_default().chars();
    let (start, end) = (column("highlight_start"), column("highlight_end"));
    line.skip(start).take(end - start).collect()
}

fn compile(name: &str, source: &str) -> String {
    let file = scratch().join(name).with_extension("rs");
    fs::write(&file, source).unwrap();
    said(&check(&file, &["--error-format=json"]))
}

/// Everything that the compiler says about a file, without paths of this machine.
pub(crate) fn told(source: &Path) -> String {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = source.strip_prefix(tests).expect("it is one of the tests");
    let said = said(&check(source, &[]));
    let workspace = tests.parent().unwrap().to_str().unwrap();
    let said = said.replace(workspace, "$WORKSPACE");
    let lines = said.lines().filter(|line| {
        !["error: aborting due to", "Some errors have detailed", "For more information about"]
            .iter()
            .any(|start| line.starts_with(start))
    });
    let mut lines = lines.map(elsewhere).collect::<Vec<_>>().join("\n");
    lines.truncate(lines.trim_end().len());
    lines + "\n"
}

/// The line; without numbers if it is about another file, where every edit would change them.
fn elsewhere(line: &str) -> String {
    let Some((start, place)) = line.split_once("--> ").or_else(|| line.split_once("::: ")) else {
        return line.to_owned();
    };
    let path = place.split(':').next().unwrap_or_default();
    match path.rsplit_once("/library/") {
        _ if path.starts_with("tests/") => line.to_owned(),
        Some((_, path)) => format!("{start}--> $RUST/{path}"),
        None => format!("{start}--> {path}"),
    }
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("rustc writes UTF-8")
}
