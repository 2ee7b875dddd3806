//! Draws the file that `TRINE_TIMELINE` makes as an SVG: a lane for each thread and worker process.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;
use trine_programs::{BadUsage, Failure};

const USAGE: &str = "\
timeline: a run as a picture, from the file that TRINE_TIMELINE=run.json makes

Usage: timeline [--out RUN.svg] RUN.json

  --out RUN.svg  where the picture goes (default: beside the file, as .svg)";

const WIDTH: f64 = 960.0;
const NAMES: f64 = 170.0;
const LANE: f64 = 24.0;
const TOP: f64 = 36.0;
/// The width of a letter.
const LETTER: f64 = 7.3;
/// Spans of one color that are less than this many pixels apart are drawn as one.
const NEAR: f64 = 0.5;
const COLORS: [&str; 6] = ["#58a6ff", "#3fb950", "#d29922", "#bc8cff", "#39c5cf", "#db61a2"];
const FAILED: &str = "#f85149";

/// A body that ran, in milliseconds from the start.
struct Slice {
    function: String,
    from: f64,
    to: f64,
    outcome: String,
}

/// What is drawn in one row, with its name.
struct Lane {
    name: String,
    slices: Vec<Slice>,
}

fn main() -> ExitCode {
    trine_programs::run(USAGE, |mut arguments| {
        let (mut input, mut out) = (None, None);
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("out") => out = Some(PathBuf::from(arguments.value()?)),
                Value(file) if input.is_none() => input = Some(PathBuf::from(file)),
                other => return Err(other.unexpected().into()),
            }
        }
        let input = input.ok_or_else(|| BadUsage::because("which file?"))?;
        let out = out.unwrap_or_else(|| input.with_extension("svg"));
        let text =
            fs::read_to_string(&input).map_err(|error| format!("{}: {error}", input.display()))?;
        let lanes = lanes(&events(&text).map_err(|why| format!("{}: {why}", input.display()))?);
        if lanes.is_empty() {
            return Err(format!("{}: no call is in it", input.display()).into());
        }
        fs::write(&out, draw(&lanes)).map_err(|error| format!("{}: {error}", out.display()))?;
        println!("{} lanes in {}", lanes.len(), out.display());
        Ok(())
    })
}

/// The events of a run; the file's list is never closed.
fn events(text: &str) -> Result<Vec<serde_json::Value>, Failure> {
    let whole = format!("{}]", text.trim_end().trim_end_matches(','));
    serde_json::from_str(&whole).map_err(|error| format!("this is not a timeline: {error}").into())
}

/// Threads first, then workers, then what has no lane of its own, in as few rows as possible.
fn lanes(events: &[serde_json::Value]) -> Vec<Lane> {
    let mut names: BTreeMap<(u64, u64), String> = BTreeMap::new();
    let mut by_place: BTreeMap<(u64, u64), Vec<Slice>> = BTreeMap::new();
    let mut open: BTreeMap<(String, u64), f64> = BTreeMap::new();
    let mut between: BTreeMap<String, Vec<Slice>> = BTreeMap::new();
    for event in events {
        let number = |key: &str| event[key].as_f64().unwrap_or_default();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let place = (number("pid") as u64, number("tid") as u64);
        let (kind, from) = (text(&event["cat"]), number("ts") / 1e3);
        let slice = |from, to| Slice {
            function: text(&event["name"]),
            from,
            to,
            outcome: text(&event["args"]["outcome"]),
        };
        match &*text(&event["ph"]) {
            "M" if event["name"] == "thread_name" => {
                names.insert(place, text(&event["args"]["name"]));
            }
            "M" => {
                names.insert((place.0, place.0), text(&event["args"]["name"]));
            }
            "X" => by_place.entry(place).or_default().push(slice(from, from + number("dur") / 1e3)),
            "b" if kind != "queued" => {
                open.insert((kind, number("id") as u64), from);
            }
            "e" if kind != "queued" => {
                if let Some(begin) = open.remove(&(kind.clone(), number("id") as u64)) {
                    between.entry(kind).or_default().push(slice(begin, from));
                }
            }
            _ => {}
        }
    }
    let own = by_place.into_iter().map(|(place, slices)| {
        let name = names.get(&place).cloned().unwrap_or_else(|| format!("thread {}", place.1));
        Lane { name, slices }
    });
    own.chain(between.into_iter().flat_map(|(kind, slices)| rows(&kind, slices))).collect()
}

/// Distributes overlapping spans over rows so that none overlap; once there are as many rows as a
/// picture has room for, the rest go into the last one.
fn rows(kind: &str, mut slices: Vec<Slice>) -> Vec<Lane> {
    const MAX_ROWS: usize = 8;
    slices.sort_by(|one, other| one.from.total_cmp(&other.from));
    let mut rows: Vec<Lane> = Vec::new();
    for slice in slices {
        let is_free = |row: &&mut Lane| row.slices.last().is_none_or(|last| last.to <= slice.from);
        let count = rows.len();
        match rows.iter_mut().find(is_free) {
            Some(row) => row.slices.push(slice),
            None if count < MAX_ROWS => {
                rows.push(Lane { name: format!("{kind} {}", count + 1), slices: vec![slice] });
            }
            None => rows[MAX_ROWS - 1].slices.push(slice),
        }
    }
    rows
}

fn draw(lanes: &[Lane]) -> String {
    let all = || lanes.iter().flat_map(|lane| &lane.slices);
    let end = all().map(|slice| slice.to).fold(f64::MIN_POSITIVE, f64::max);
    let begin = all().map(|slice| slice.from).fold(end, f64::min);
    let scale = (WIDTH - NAMES - 20.0) / (end - begin).max(f64::MIN_POSITIVE);
    let x = |moment: f64| NAMES + (moment - begin) * scale;
    let mut functions: Vec<&str> = Vec::new();
    for slice in all().filter(|slice| slice.outcome == "value") {
        if !functions.contains(&&*slice.function) {
            functions.push(&slice.function);
        }
    }
    let color = |slice: &Slice| match &*slice.outcome {
        "value" => {
            let index = functions.iter().position(|function| *function == slice.function);
            COLORS[index.unwrap_or_default() % COLORS.len()]
        }
        _ => FAILED,
    };
    let height = TOP + LANE * lanes.len() as f64 + 34.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"A run of the program\" \
         font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n"
    );
    ruler(&mut svg, end - begin, height, |time| x(begin + time));
    for (row, lane) in lanes.iter().enumerate() {
        let y = TOP + LANE * row as f64;
        text(&mut svg, 16.0, y + 16.0, "#c9d1d9", &lane.name);
        // The color of the last span drawn, and where it ends.
        let mut drawn = ("", f64::MIN);
        for slice in &lane.slices {
            let (left, right, color) = (x(slice.from), x(slice.to), color(slice));
            if color == drawn.0 && right < drawn.1 + NEAR {
                continue;
            }
            drawn = (color, right);
            let width = (right - left).max(1.0);
            let (function, outcome) = (escaped(&slice.function), escaped(&slice.outcome));
            let took = slice.to - slice.from;
            let _ = writeln!(
                svg,
                "<rect x=\"{left:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" \
                 fill=\"{color}\"><title>{function}, {took:.3} ms: {outcome}</title></rect>",
                LANE - 6.0
            );
        }
    }
    let mut left = NAMES;
    let legend = functions.iter().enumerate().take(COLORS.len());
    let failed = all().any(|slice| slice.outcome != "value").then_some(("failed", FAILED));
    let legend = legend.map(|(index, function)| (*function, COLORS[index])).chain(failed);
    for (name, color) in legend {
        text(&mut svg, left, height - 12.0, color, &format!("■ {name}"));
        left += LETTER * (name.chars().count() + 4) as f64;
    }
    svg + "</svg>\n"
}

/// Round times, about six of them.
fn ruler(svg: &mut String, length: f64, height: f64, x: impl Fn(f64) -> f64) {
    let power = 10_f64.powf((length / 6.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let step = step.into_iter().find(|step| length / step <= 8.0).unwrap_or(10.0 * power);
    let mut time = 0.0;
    while time <= length {
        let left = x(time);
        let bottom = height - 30.0;
        let _ = writeln!(
            svg,
            "<path d=\"M{left:.1} 26V{bottom}\" stroke=\"#30363d\" stroke-width=\"1\"/>"
        );
        let label = format!("{} ms", round(time));
        // Keeps it inside the picture.
        let start = (left - 8.0).min(WIDTH - 8.0 - LETTER * label.len() as f64);
        text(svg, start, 18.0, "#8b949e", &label);
        time += step;
    }
}

fn round(time: f64) -> f64 {
    (time * 1e6).round() / 1e6
}

fn text(svg: &mut String, x: f64, y: f64, color: &str, text: &str) {
    let text = escaped(text);
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y}\" fill=\"{color}\">{text}</text>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
