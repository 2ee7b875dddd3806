//! The status of every link of a page or a sitemap, async.
//!
//! The attribute is the policy: at most 16 requests at once, two seconds for each, and two more
//! tries for what fails, after a growing pause. The body is a single request.

use std::collections::BTreeSet;
use std::process::ExitCode;

use lexopt::prelude::*;
use reqwest::{Client, StatusCode, Url};
use trine::{TaskIterator, concurrent};
use trine_programs::{BadUsage, Failure, progress, why_not};

const USAGE: &str = "\
linkcheck: the status of every link of a page or a sitemap

Usage: linkcheck [--all] URL

  --all  list the good links too

Exits with 1 if a link is broken. https needs a build with `--features https`.";

#[concurrent(async, limit = 16, timeout = 2s, retries = 2, backoff = 100ms)]
async fn check(client: Client, link: Url) -> Result<StatusCode, reqwest::Error> {
    let response = client.get(link).send().await?;
    // A server's own failure may be over at the next try; a 404 will not be.
    match response.status() {
        status if status.is_server_error() => response.error_for_status().map(|_| status),
        status => Ok(status),
    }
}

#[concurrent(async, timeout = 10s, retries = 2, backoff = 100ms)]
async fn download(client: Client, page: Url) -> Result<String, reqwest::Error> {
    client.get(page).send().await?.error_for_status()?.text().await
}

fn main() -> ExitCode {
    trine_programs::run(USAGE, run)
}

fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let (mut page, mut all) = (None, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("all") => all = true,
            Value(value) if page.is_none() => page = Some(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let page = page.ok_or_else(|| BadUsage::because("which page?"))?;
    let page = Url::parse(&page).map_err(|error| {
        BadUsage::because(format!("`{page}` is not a URL like http://127.0.0.1/: {error}"))
    })?;

    let client = Client::new();
    let text = download(client.clone(), page.clone())
        .join()?
        .map_err(|error| format!("cannot read {page}: {}", why_not(&page, &error)))?;
    let links = links_of(&page, &text);
    // `limit` belongs to the function; `buffered` keeps as many tasks waiting as may run.
    let tasks = links.iter().map(|link| check(client.clone(), link.clone()));
    let mut broken = 0;
    for (link, result) in links.iter().zip(progress(links.len()).wrap_iter(tasks.buffered(32))) {
        let (good, status) = match result {
            Ok(Ok(status)) => (status.is_success(), status.to_string()),
            Ok(Err(error)) => (false, why_not(link, &error)),
            Err(error) => (false, error.to_string()),
        };
        if !good {
            broken += 1;
        }
        if all || !good {
            println!("{} {link}  {status}", if good { "ok    " } else { "broken" });
        }
    }
    println!("{} links, {broken} broken", links.len());
    if broken > 0 { Err(format!("{broken} broken links in {page}").into()) } else { Ok(()) }
}

/// The targets of every `href` and `src` in a page, or every `<loc>` in a sitemap, once each.
fn links_of(page: &Url, text: &str) -> BTreeSet<Url> {
    [("href=\"", '"'), ("src=\"", '"'), ("href='", '\''), ("src='", '\''), ("<loc>", '<')]
        .into_iter()
        .flat_map(|(start, end)| {
            text.split(start).skip(1).filter_map(move |rest| rest.split_once(end))
        })
        .filter_map(|(link, _)| page.join(&link.trim().replace("&amp;", "&")).ok())
        .filter(|link| matches!(link.scheme(), "http" | "https"))
        .map(|mut link| {
            link.set_fragment(None);
            link
        })
        .collect()
}
