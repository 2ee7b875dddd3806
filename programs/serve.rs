//! A web service that renders templates of its clients, whom nobody trusts, in two workers.
//!
//! A template can loop for ever and grow without bounds, and an engine that counts its instructions
//! bounds neither time nor memory. So it runs in a worker with state, which has read the page's
//! layout before the first request comes. That is killed when a template takes too long or too
//! much, and made anew. Two copies serve at once, so that one which is stuck keeps nobody from the
//! other. A client that leaves cancels its call, because axum drops the handler.

use std::collections::BTreeMap;
use std::process::ExitCode;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use lexopt::prelude::*;
use minijinja::{AutoEscape, Environment, Value as Item};
use tokio::net::TcpListener;
use trine::{Error, ErrorKind, concurrent};
use trine_programs::{Failure, number};

const USAGE: &str = "\
serve: render templates of clients, in two workers that may loop, leak and crash

Usage: serve [--port N]

  --port N  where it listens on loopback; 0 for any (default: 8080)

  curl -d 'Hello, {{ name }}!' localhost:8080/render/you          # <p>Hello, you!</p>
  curl -d '{{ name' localhost:8080/render/you                     # 400, and where it is wrong

A template that loops for ever is a 504 after a second, and one that eats all memory is a 422.";

/// What each page looks like.
const LAYOUT: &str = "<p>{{ content }}</p>";

/// Everything that templates share, made once for many of them.
struct Renderer {
    environment: Environment<'static>,
}

/// Clients decide how often it is made anew, so there is hardly a bound on that.
#[concurrent(process, copies = 2, memory = 256MiB, timeout = 1s, restarts = 1_000_000)]
impl Renderer {
    pub(crate) fn with(layout: &str) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_template_owned("layout", layout.to_owned()).map_err(told)?;
        Ok(Self { environment })
    }

    /// The page, or what is wrong with the template.
    pub(crate) fn render(&self, template: &str, name: &str) -> Result<String, String> {
        let rendered = self.environment.render_str(template, values("name", name.into()));
        let content = values("content", Item::from_safe_string(rendered.map_err(told)?));
        let page = self.environment.get_template("layout");
        page.and_then(|layout| layout.render(content)).map_err(told)
    }
}

fn values(name: &str, value: Item) -> BTreeMap<&str, Item> {
    BTreeMap::from([(name, value)])
}

fn told(error: minijinja::Error) -> String {
    error.to_string()
}

type Answer = Result<String, (StatusCode, String)>;

async fn render(
    State(renderer): State<RendererWorker>,
    Path(name): Path<String>,
    template: String,
) -> Answer {
    let (status, why) = match renderer.render(&template, &name).await {
        Ok(Ok(page)) => return Ok(page),
        Ok(Err(why)) => (StatusCode::BAD_REQUEST, why),
        Err(error) => (status(&error), error.to_string()),
    };
    Err((status, format!("{why}\n")))
}

fn status(error: &Error) -> StatusCode {
    match error.kind() {
        ErrorKind::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::MemoryLimit | ErrorKind::StackOverflow | ErrorKind::Crashed { .. } => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ErrorKind::Stopped => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn main() -> ExitCode {
    trine_programs::run(USAGE, run)
}

fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let mut port = 8080;
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("port") => port = number("--port", &mut arguments)?,
            _ => return Err(argument.unexpected().into()),
        }
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        let renderer = RendererWorker::with(LAYOUT);
        let router = axum::Router::new().route("/render/{name}", post(render)).with_state(renderer);
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        println!("listening on {}; Ctrl-C ends it", listener.local_addr()?);
        let ctrl_c = async { _ = tokio::signal::ctrl_c().await };
        axum::serve(listener, router).with_graceful_shutdown(ctrl_c).await?;
        Ok(())
    })
}
