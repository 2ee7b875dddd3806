//! Lists the machines of a cluster, as a table or as metrics; drains them; purges what is stored.
//!
//! The variables `TRINE_CLUSTER` and `TRINE_CLUSTER_KEY` say which cluster, as for any program that
//! uses it. It sees the machines of all builds that have the key.

use std::fmt::Write;
use std::process::ExitCode;

use lexopt::ValueExt;
use lexopt::prelude::*;
use trine::cluster::{self, MachineStatus};
use trine_programs::{BadUsage, Failure};

const USAGE: &str = "\
trine-cluster: the machines that serve the calls of trine's programs

Usage: trine-cluster status | metrics | drain NAME | purge

  status      a table of the machines
  metrics     the same for Prometheus, as text
  drain NAME  the machines of that name accept no more calls, and end when theirs have ended
  purge       removes what the broker has stored; calls that need it may fail

TRINE_CLUSTER and TRINE_CLUSTER_KEY, or TRINE_CLUSTER_KEY_FILE, say which cluster.";

fn main() -> ExitCode {
    trine_programs::run(USAGE, |mut arguments| {
        let mut words = Vec::new();
        while let Some(argument) = arguments.next()? {
            match argument {
                Value(word) => words.push(word.string()?),
                other => return Err(other.unexpected().into()),
            }
        }
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        match *words {
            ["status"] => print!("{}", table(&cluster::machines()?)),
            ["metrics"] => print!("{}", metrics(&cluster::machines()?)),
            ["drain", name] => drain(name)?,
            ["purge"] => cluster::purge()?,
            ["drain"] => return Err(BadUsage::because("which machine?")),
            _ => return Err(BadUsage::because(format!("unknown command: `{}`", words.join(" ")))),
        }
        Ok(())
    })
}

fn drain(name: &str) -> Result<(), Failure> {
    match cluster::drain(name)? {
        0 => return Err(format!("no machine is named `{name}`").into()),
        1 => println!("one machine ends"),
        number => println!("{number} machines end"),
    }
    Ok(())
}

const HEADS: [&str; 10] = [
    "MACHINE", "BUILD", "LABELS", "WORKERS", "RUNNING", "QUEUED", "ENDED", "CALLERS", "VALUES",
    "STATE",
];

/// One line for each machine, in columns.
fn table(machines: &[MachineStatus]) -> String {
    let mut rows = vec![HEADS.map(str::to_owned)];
    rows.extend(machines.iter().map(row));
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(machine: &MachineStatus) -> [String; HEADS.len()] {
    let state = match &machine.last_error {
        Some(error) => error.replace('\n', " "),
        None if machine.drains => "ends".to_owned(),
        None => "serves".to_owned(),
    };
    let labels = if machine.labels.is_empty() { "-".to_owned() } else { machine.labels.join(",") };
    [
        machine.name.clone(),
        machine.build.clone(),
        labels,
        machine.workers.to_string(),
        machine.running.to_string(),
        machine.queued.to_string(),
        machine.ended.to_string(),
        machine.callers.to_string(),
        machine.values.to_string(),
        state,
    ]
}

/// The text format of Prometheus. Counts of machines that share name and build are added up.
fn metrics(machines: &[MachineStatus]) -> String {
    type Count = fn(&MachineStatus) -> u64;
    let counts: [(&str, &str, Count); 6] = [
        ("trine_machine_workers", "gauge", |machine| machine.workers),
        ("trine_machine_calls_running", "gauge", |machine| machine.running),
        ("trine_machine_calls_queued", "gauge", |machine| machine.queued),
        ("trine_machine_callers", "gauge", |machine| machine.callers),
        ("trine_machine_values", "gauge", |machine| machine.values),
        ("trine_machine_calls_ended", "counter", |machine| machine.ended),
    ];
    let mut text = String::new();
    for (name, kind, count) in counts {
        let _ = writeln!(text, "# TYPE {name} {kind}");
        let is_same =
            |a: &MachineStatus, b: &MachineStatus| (&a.name, &a.build) == (&b.name, &b.build);
        // They are in the order of their builds and names.
        for same in machines.chunk_by(is_same) {
            let [name_of, build] = [&same[0].name, &same[0].build].map(|label| escaped(label));
            let sum: u64 = same.iter().map(count).sum();
            let _ = writeln!(text, "{name}{{machine=\"{name_of}\",build=\"{build}\"}} {sum}");
        }
    }
    text
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
