//! Each rejection, on each kind of function, around a body that uses everything: a single error.

use super::{compile, complete};

/// What is wrong: the attribute, what is below it, the qualifiers, a parameter or the result; and
/// in which of the modes that is wrong.
struct Rejection {
    modes: &'static str,
    attribute: &'static str,
    below: &'static str,
    qualifiers: &'static str,
    parameter: &'static str,
    result: &'static str,
}

const fn attribute(attribute: &'static str) -> Rejection {
    let (modes, result) = ("threads process async", "Result<u8, String>");
    Rejection { modes, attribute, below: "", qualifiers: "", parameter: "extra: u8", result }
}

/// `MODE` in an attribute stands for the mode that suits the kind of function.
const REJECTIONS: &[Rejection] = &[
    attribute(""),
    attribute("thread"),
    attribute("colour"),
    attribute("\"threads\""),
    attribute("mode = threads"),
    attribute("limit = 3, MODE"),
    attribute("MODE, timout = 5s"),
    attribute("MODE, colour = red"),
    attribute("MODE, timeout = 5"),
    attribute("MODE, timeout = 5 s"),
    attribute("MODE, timeout = \"5s\""),
    attribute("MODE, timeout: 5s"),
    attribute("MODE, timeout(5s)"),
    attribute("MODE, timeout = 5days"),
    attribute("MODE, timeout = 1e3s"),
    attribute("MODE, timeout = -5s"),
    attribute("MODE, timeout = 0.3ns"),
    attribute("MODE, timeout = 5s * 2"),
    attribute("MODE, limit"),
    attribute("MODE, limit ="),
    attribute("MODE, limit = 0"),
    attribute("MODE, limit = Self::LIMIT"),
    attribute("MODE limit = 3"),
    attribute("MODE(limit = 3)"),
    attribute("MODE,, limit = 3"),
    attribute("MODE, limit = 3, limit = 4"),
    attribute("MODE, backoff = 5s"),
    attribute("MODE, retry_if = asks"),
    attribute("MODE, retries = 3, retry_if = |_| true"),
    attribute("MODE, ahead = 16"),
    attribute("MODE, crate = \"trine\""),
    attribute("MODE, crate = 3"),
    attribute("MODE, restarts = 3"),
    attribute("MODE, priority = hihg"),
    attribute("MODE, priority = normal"),
    attribute("MODE, priority = 3"),
    attribute("MODE, retries = 3, retry_if = asks()"),
    attribute("MODE, retries = 3, retry_if = \"asks\""),
    attribute("MODE, retries = 3, retry_if = 3"),
    attribute("MODE, name = 3"),
    attribute("MODE, async"),
    attribute("MODE, timeout = 5ss"),
    attribute("MODE, timeout = 99999999999999999999s"),
    attribute("MODE, timeout = 0s"),
    attribute("MODE, limit = 99999999999999999999"),
    attribute("MODE, limit = 2.5"),
    attribute("MODE, limit = true"),
    attribute("MODE, limit = 3 +"),
    attribute("MODE = 3"),
    attribute("MODE; limit = 3"),
    attribute("limit = 3"),
    Rejection { modes: "threads", ..attribute("async") },
    Rejection { modes: "process", ..attribute("MODE, memory = 0.5B") },
    Rejection { modes: "process", ..attribute("MODE, pool = images gpu") },
    Rejection { modes: "process", ..attribute("MODE, pool = \"\"") },
    Rejection { modes: "process", ..attribute("MODE, on = 3") },
    Rejection { modes: "threads async", ..attribute("MODE, memory = 512MiB") },
    Rejection { modes: "threads async", ..attribute("MODE, pool = \"images\"") },
    Rejection { modes: "threads async", ..attribute("MODE, on = \"gpu\"") },
    Rejection { modes: "threads async", ..attribute("MODE, fresh") },
    attribute("MODE, MODE"),
    Rejection { below: "#[tracing::instrument]", ..attribute("MODE") },
    Rejection { below: "#[tokio::main]", ..attribute("MODE") },
    Rejection { below: "#[test]", ..attribute("MODE") },
    Rejection { below: "#[concurrent(MODE)]", ..attribute("MODE") },
    // rustc rejects a `const async fn`.
    Rejection { modes: "threads process", qualifiers: "const", ..attribute("MODE") },
    Rejection { qualifiers: "unsafe", ..attribute("MODE") },
    Rejection { qualifiers: "extern \"C\"", ..attribute("MODE") },
    Rejection { parameter: "extra: &mut u8", ..attribute("MODE") },
    Rejection { parameter: "extra: Option<&u8>", ..attribute("MODE") },
    Rejection { parameter: "extra: str", ..attribute("MODE") },
    Rejection { parameter: "extra: [u8]", ..attribute("MODE") },
    Rejection { parameter: "extra: dyn Fn() -> u8", ..attribute("MODE") },
    Rejection { parameter: "extra: std::path::Path", ..attribute("MODE") },
    Rejection { parameter: "extra: std::ffi::OsStr", ..attribute("MODE") },
    Rejection { parameter: "extra: std::slice::Iter<'_, u8>", ..attribute("MODE") },
    Rejection { result: "Result<&u8, String>", ..attribute("MODE") },
    Rejection { result: "Result<impl Sized, String>", ..attribute("MODE") },
    Rejection { modes: "threads async", parameter: "extra: &(u8, u8)", ..attribute("MODE") },
    Rejection { modes: "threads async", parameter: "extra: impl ?Sized", ..attribute("MODE") },
    Rejection { modes: "process", parameter: "extra: &impl Sized", ..attribute("MODE") },
    Rejection { modes: "process", parameter: "extra: Vec<&'static u8>", ..attribute("MODE") },
    Rejection { modes: "process", parameter: MANY, ..attribute("MODE") },
    Rejection { modes: "threads process", result: ITERATOR, ..attribute("MODE, retries = 3") },
    Rejection { modes: "threads process", result: ITERATOR, ..attribute("MODE, scoped") },
    Rejection {
        modes: "threads process",
        qualifiers: "async",
        result: ITERATOR,
        ..attribute("MODE")
    },
    Rejection { modes: "async", result: ITERATOR, ..attribute("MODE") },
    Rejection { modes: "process", result: "impl Iterator<Item = u8>", ..attribute("MODE") },
    Rejection { result: "impl Stream<Item = u8> + use<>", ..attribute("MODE, ahead = 0") },
];

/// With the four others more than fit into one tuple, and a reference among them.
const MANY: &str = "extra: &u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, \
                    _: u8, _: u8, _: u8, _: u8";

const ITERATOR: &str = "impl Iterator<Item = u8> + use<>";

/// What is wrong with no function that has a body, or with one kind of functions alone.
const NOT_OF_EACH: &[&str] = &[
    "a worker process gets a copy of what is lent",
    "`concurrent` runs a body, and this function has none",
    "mark a function of yours, and call what is foreign in it",
    "put it on each function that is to run as a task",
    "a block of foreign functions",
    "a foreign function, whose body is elsewhere",
    "variadic arguments cannot be moved into a task",
    "`main` cannot be concurrent",
    "`async_trait` has changed this `async fn`",
    "`self` is borrowed, and the task may outlive the borrow",
];

/// The kinds of functions, the mode that suits each, and a call of it.
const KINDS: &[(&str, &str, &str)] = &[
    ("", "threads", "Type::work"),
    ("self,", "threads", "Type { count: 1 }.work"),
    ("mut self,", "threads", "Type { count: 1 }.work"),
    ("&self,", "process", "Type { count: 1 }.work"),
    ("self: std::sync::Arc<Self>,", "threads", "std::sync::Arc::new(Type { count: 1 }).work"),
    ("", "process", "Type::work"),
    ("mut self,", "process", "Type { count: 1 }.work"),
    ("", "async", "Type::work"),
    ("mut self,", "async", "Type { count: 1 }.work"),
];

fn program(
    rejection: &Rejection,
    (receiver, mode, call): (&str, &str, &str),
    seen: &str,
) -> String {
    let Rejection { attribute, below, qualifiers, parameter, result, .. } = rejection;
    let yields = result.starts_with("impl ");
    let asyncness = if mode == "async" && !yields { "async" } else { "" };
    let scope = if attribute.contains("scoped") { "panic!()," } else { "" };
    let is_opaque = result.contains("impl");
    let borrows = result.contains('&');
    let attribute = attribute.replace("MODE", mode);
    let below = below.replace("MODE", mode);
    let of_self = match receiver {
        "" => "Self::helped(count)",
        "mut self," => "{ self.count += count; self.count + self.help() }",
        _ => "self.count + self.help()",
    };
    let value = if borrows { "&3" } else { "number" };
    let argument = match *parameter {
        "extra: u8" => "1",
        "extra: &mut u8" => "&mut 1",
        "extra: Option<&u8>" => "Some(&1)",
        "extra: str" => "\"\"",
        "extra: [u8]" => "&[1]",
        "extra: dyn Fn() -> u8" => "&|| 1",
        MANY => "&1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1",
        "extra: &(u8, u8)" => "&(1, 2)",
        "extra: impl ?Sized" | "extra: &impl Sized" => "&1",
        "extra: Vec<&'static u8>" => "vec![&1]",
        "extra: std::path::Path" => "std::path::Path::new(\"\")",
        "extra: std::ffi::OsStr" => "std::ffi::OsStr::new(\"\")",
        _ => "[1].iter()",
    };
    let start = if *qualifiers == "unsafe" { "unsafe { " } else { "" };
    let end = if *qualifiers == "unsafe" { " }" } else { "" };
    let joined = if is_opaque { "" } else { "let _: u8 = task.join().unwrap().unwrap().clone();" };
    format!(
        "#[derive(serde::Serialize, serde::Deserialize)] struct Type {{ count: u8 }}
        impl Type {{
            const LIMIT: usize = 3;
            fn help(&self) -> u8 {{ self.count }}
            fn helped(count: u8) -> u8 {{ count }}
            #[concurrent({attribute})] {below}
            {seen} {asyncness} {qualifiers} fn work(
                {receiver} mut count: u8, (left, _): (u8, u8), text: String, {parameter},
            ) -> {result} {{
                count += left;
                let more: u8 = text.parse().map_err(|error| format!(\"{{error}} {{text}}\"))?;
                let seen = || count + more;
                let number: u8 = {of_self};
                if seen() > number {{
                    return Err(text);
                }}
                let _used = extra;
                Ok({value})
            }}
        }}
        fn caller() {{
            let task = {start}{call}({scope} 1, (2, 3), String::new(), {argument}){end};
            {joined}
        }}"
    )
}

#[test]
fn each_rejection_is_one_error_on_each_kind_of_function() {
    let mut programs = Vec::new();
    for rejection in REJECTIONS {
        for kind in KINDS {
            if !rejection.modes.contains(kind.1) {
                continue;
            }
            // Whether it may be a method of a trait, in whatever mode: with a receiver, if nothing
            // says who may see it.
            let seen = match (kind.0, kind.1) {
                ("", _) => &[""][..],
                ("mut self,", "process" | "async") => &["pub"],
                _ => &["", "pub"],
            };
            for seen in seen {
                let Rejection { attribute, below, qualifiers, parameter, result, .. } = rejection;
                let name = format!(
                    "#[concurrent({attribute})] {below} {seen} {qualifiers} fn({} {parameter}) -> \
                     {result} in {}",
                    kind.0, kind.1
                );
                programs.push((name, program(rejection, *kind, seen)));
            }
        }
    }
    let errors = compile::errors("matrix", &programs);
    let wrong = programs.iter().filter(|(name, _)| errors[name].len() != 1);
    let told = wrong.map(|(name, _)| {
        let errors = errors[name].iter().map(|error| error.rendered.as_str());
        format!("{name}\n{}", errors.collect::<String>())
    });
    let told: Vec<String> = told.collect();
    assert!(told.is_empty(), "{} of {}:\n{}", told.len(), programs.len(), told.join("\n"));
    let reported: Vec<String> =
        errors.values().flatten().map(|error| error.message.clone()).collect();
    let (of_functions, _) = complete::sources();
    let missing = complete::missing(&of_functions, &reported);
    let is_of_each = |text: &String| !NOT_OF_EACH.iter().any(|start| text.starts_with(start));
    let missing: Vec<String> = missing.into_iter().filter(is_of_each).collect();
    assert!(missing.is_empty(), "write a row for each:\n{}", missing.join("\n"));
}

/// The same mistakes in the attribute of an `impl`, in each mode, and with callers. There is no
/// `limit` there; `restarts` takes a number too.
#[test]
fn each_mistake_in_an_attribute_is_one_error_on_an_impl() {
    let Rejection { modes, parameter, result, .. } = attribute("");
    let is_of_attribute = |rejection: &&Rejection| {
        let Rejection { below, qualifiers, .. } = rejection;
        let is_plain = below.is_empty() && qualifiers.is_empty();
        let is_usual = (rejection.parameter, rejection.result) == (parameter, result);
        is_plain && is_usual && rejection.modes == modes
    };
    let attributes = REJECTIONS.iter().filter(is_of_attribute).map(|rejection| rejection.attribute);
    let mut programs = Vec::new();
    for attribute in attributes.filter(|attribute| *attribute != "MODE, restarts = 3") {
        for mode in modes.split(' ') {
            let attribute = attribute.replace("MODE", mode).replace("limit", "restarts");
            let asyncness = if mode == "async" { "async" } else { "" };
            let program = format!(
                "#[derive(Clone)] struct Type {{ count: u8 }}
                #[concurrent({attribute})] impl Type {{
                    const LIMIT: u32 = 3;
                    pub {asyncness} fn new(count: u8) -> Result<Self, u8> {{ Ok(Self {{ count }}) }}
                    pub {asyncness} fn look(&self, (left, _): (u8, u8)) -> u8 {{ self.help(left) }}
                    pub {asyncness} fn change(&mut self, more: u8) {{ self.count += more; }}
                    fn help(&self, more: u8) -> u8 {{ self.count + more }}
                }}
                fn caller() {{
                    let worker = TypeWorker::new(1);
                    let _: u8 = worker.look((1, 2)).join().unwrap();
                    worker.change(1).detach();
                    let _: u8 = Type {{ count: 1 }}.help(1);
                }}"
            );
            let number = programs.len();
            programs.push((format!("{number}: #[concurrent({attribute})] impl"), program));
        }
    }
    let errors = compile::errors("matrix_of_impls", &programs);
    let wrong = programs.iter().filter(|(name, _)| errors[name].len() != 1);
    let told = wrong.map(|(name, _)| {
        let errors = errors[name].iter().map(|error| error.rendered.as_str());
        format!("{name}\n{}", errors.collect::<String>())
    });
    let told: Vec<String> = told.collect();
    assert!(told.is_empty(), "{} of {}:\n{}", told.len(), programs.len(), told.join("\n"));
}
