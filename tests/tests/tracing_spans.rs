//! With the feature `tracing` each task is a span: run with `--features tracing`.

use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Subscriber, info_span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use trine::concurrent;

/// What was reported about a span: its parent's name, and its fields, one per line.
#[derive(Clone, Default)]
struct Told {
    name: &'static str,
    parent: Option<&'static str>,
    fields: String,
}

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<HashMap<u64, Told>>>);

impl Notes {
    /// The span of the task of the function with this name.
    fn task(&self, function: &str) -> Told {
        let line = format!("function={function:?}\n");
        let notes = self.0.lock().unwrap();
        notes.values().find(|told| told.fields.contains(&line)).cloned().unwrap_or_default()
    }
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.fields, "{}={value:?}", field.name()).unwrap();
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Notes {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let parent = context.span(id).and_then(|span| span.parent()).map(|parent| parent.name());
        let name = attributes.metadata().name();
        let mut told = Told { name, parent, fields: String::new() };
        attributes.record(&mut told);
        self.0.lock().unwrap().insert(id.into_u64(), told);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        values.record(self.0.lock().unwrap().get_mut(&id.into_u64()).unwrap());
    }
}

fn current() -> Option<&'static str> {
    tracing::Span::current().metadata().map(|metadata| metadata.name())
}

#[concurrent(threads)]
fn on_thread() -> Option<&'static str> {
    current()
}

#[concurrent(async)]
async fn on_tokio() -> Option<&'static str> {
    tokio::task::yield_now().await;
    current()
}

#[concurrent(process)]
fn in_worker() {}

#[concurrent(threads)]
fn yields_on_thread() -> impl Iterator<Item = Option<&'static str>> {
    (0..3).map(|_| current())
}

#[concurrent(async)]
fn yields_on_tokio() -> impl futures::Stream<Item = Option<&'static str>> {
    futures::stream::iter((0..3).map(|_| current()))
}

#[concurrent(process)]
fn yields_in_worker() -> impl Iterator<Item = u32> {
    0..3
}

#[concurrent(threads)]
fn fails() {
    panic!("as told");
}

struct Traced;

#[concurrent(threads)]
impl Traced {
    pub(crate) fn made_on_thread() -> Self {
        Self
    }
    pub(crate) fn looks_on_thread(&self) -> Option<&'static str> {
        current()
    }
    pub(crate) fn changes_on_thread(&mut self) -> Option<&'static str> {
        current()
    }
    pub(crate) fn shows_on_thread(&self) -> impl Iterator<Item = Option<&'static str>> {
        (0..3).map(|_| current())
    }
    pub(crate) fn spoils_on_thread(&mut self) {
        panic!("as told");
    }
}

struct AsyncTraced;

#[concurrent(async)]
impl AsyncTraced {
    pub(crate) async fn made_on_tokio() -> Self {
        Self
    }
    pub(crate) async fn looks_on_tokio(&self) -> Option<&'static str> {
        tokio::task::yield_now().await;
        current()
    }
    pub(crate) async fn changes_on_tokio(&mut self) -> Option<&'static str> {
        tokio::task::yield_now().await;
        current()
    }
    pub(crate) fn shows_on_tokio(&self) -> impl futures::Stream<Item = Option<&'static str>> {
        futures::stream::iter((0..3).map(|_| current()))
    }
    pub(crate) async fn spoils_on_tokio(&mut self) {
        panic!("as told");
    }
}

struct ProcessTraced;

#[concurrent(process)]
impl ProcessTraced {
    pub(crate) fn made_in_worker() -> Self {
        Self
    }
    pub(crate) fn looks_in_worker(&self) {}
    pub(crate) fn changes_in_worker(&mut self) {}
    pub(crate) fn shows_in_worker(&self) -> impl Iterator<Item = u32> {
        0..3
    }
    pub(crate) fn spoils_in_worker(&mut self) {
        panic!("as told");
    }
}

#[test]
fn a_task_is_a_span_below_its_caller_s() {
    let notes = Notes::default();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(notes.clone()))
        .unwrap();
    {
        let _caller = info_span!("caller").entered();
        // The task's span is current inside the body, wherever that runs.
        assert_eq!(on_thread().timeout(std::time::Duration::MAX).join().unwrap(), Some("task"));
        assert_eq!(on_tokio().join().unwrap(), Some("task"));
        in_worker().join().unwrap();
        // So it is where the items are made.
        for stream in [yields_on_thread(), yields_on_tokio()] {
            assert_eq!(stream.gather().join().unwrap(), [Some("task"); 3]);
        }
        assert_eq!(yields_in_worker().into_iter().count(), 3);
        fails().join().unwrap_err();
        calls_of_workers();
    }
    for (function, mode) in [
        ("on_thread", "threads"),
        ("on_tokio", "async"),
        ("in_worker", "process"),
        ("yields_on_thread", "threads"),
        ("yields_on_tokio", "async"),
        ("yields_in_worker", "process"),
        ("looks_on_thread", "threads"),
        ("changes_on_thread", "threads"),
        ("shows_on_thread", "threads"),
        ("looks_on_tokio", "async"),
        ("changes_on_tokio", "async"),
        ("shows_on_tokio", "async"),
        ("looks_in_worker", "process"),
        ("changes_in_worker", "process"),
        ("shows_in_worker", "process"),
    ] {
        let told = notes.task(function);
        assert_eq!((told.name, told.parent), ("task", Some("caller")), "{function}");
        assert!(told.fields.contains(&format!("mode={mode:?}\n")), "{}", told.fields);
        assert!(told.fields.contains("queued="), "{}", told.fields);
        assert!(told.fields.contains("outcome=\"value\"\n"), "{}", told.fields);
    }
    for function in ["fails", "spoils_on_thread", "spoils_on_tokio", "spoils_in_worker"] {
        let failed = notes.task(function).fields;
        let outcome = format!("outcome=task `{function}` panicked: as told");
        assert!(failed.contains(&outcome), "{failed}");
    }
}

/// Methods are tasks like others, also those that wait for their turn.
fn calls_of_workers() {
    let worker = TracedWorker::made_on_thread();
    let (looks, changes) = (worker.looks_on_thread(), worker.changes_on_thread());
    assert_eq!(worker.shows_on_thread().gather().join().unwrap(), [Some("task"); 3]);
    assert_eq!((looks.join().unwrap(), changes.join().unwrap()), (Some("task"), Some("task")));
    worker.spoils_on_thread().join().unwrap_err();

    let worker = AsyncTracedWorker::made_on_tokio();
    let (looks, changes) = (worker.looks_on_tokio(), worker.changes_on_tokio());
    assert_eq!(worker.shows_on_tokio().gather().join().unwrap(), [Some("task"); 3]);
    assert_eq!((looks.join().unwrap(), changes.join().unwrap()), (Some("task"), Some("task")));
    worker.spoils_on_tokio().join().unwrap_err();

    let worker = ProcessTracedWorker::made_in_worker();
    let (looks, changes) = (worker.looks_in_worker(), worker.changes_in_worker());
    assert_eq!(worker.shows_in_worker().into_iter().count(), 3);
    looks.join().unwrap();
    changes.join().unwrap();
    worker.spoils_in_worker().join().unwrap_err();
}
