//! Download async, parse in processes, index on threads: each step where it belongs.
//!
//! `then` chains the three steps, and nothing blocks between them. `buffered` bounds how many pages
//! are in the pipeline at once.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use lexopt::prelude::*;
use reqwest::{Client, Url};
use serde::{Deserialize, Serialize};
use trine::{TaskIterator, concurrent};
use trine_programs::{BadUsage, Failure, progress, why_not};

const USAGE: &str = "\
pipeline: which pages have which words

Usage: pipeline [--find WORD] URL...

  --find WORD  list the pages that have this word (default: list the words of most pages)

Exits with 1 if a page is missing. https needs a build with `--features https`.";

/// The pages that contain a word.
type Index = BTreeMap<String, BTreeSet<String>>;

#[derive(Serialize, Deserialize)]
struct Page {
    url: String,
    text: String,
}

/// Waits for the network: async.
#[concurrent(async, limit = 16, timeout = 10s, retries = 2, backoff = 100ms)]
async fn download(client: Client, url: Url) -> Result<Page, String> {
    let get = async { client.get(url.clone()).send().await?.error_for_status()?.text().await };
    let text = get.await.map_err(|error: reqwest::Error| why_not(&url, &error))?;
    Ok(Page { url: url.into(), text })
}

/// Reads what strangers wrote: in a process, which may crash but cannot hang forever.
#[concurrent(process, timeout = 5s, memory = 1GiB)]
fn parse(page: Result<Page, String>) -> Result<(String, BTreeSet<String>), String> {
    let Page { url, text } = page?;
    let mut in_tag = false;
    let plain = text.replace('<', " <").to_lowercase();
    let letters = plain.chars().map(|c| {
        in_tag = (in_tag && c != '>') || c == '<';
        if in_tag || !c.is_alphabetic() { ' ' } else { c }
    });
    let words = letters.collect::<String>();
    Ok((url, words.split_whitespace().map(str::to_owned).collect()))
}

/// Works on shared memory: on threads.
#[concurrent(threads)]
fn index(
    page: Result<(String, BTreeSet<String>), String>,
    into: Arc<Mutex<Index>>,
) -> Option<String> {
    let (url, words) = match page {
        Ok(page) => page,
        Err(error) => return Some(error),
    };
    let mut index = into.lock().unwrap_or_else(PoisonError::into_inner);
    for word in words {
        index.entry(word).or_default().insert(url.clone());
    }
    None
}

fn main() -> ExitCode {
    trine_programs::run(USAGE, run)
}

fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let (mut urls, mut find) = (Vec::new(), None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("find") => find = Some(arguments.value()?.string()?),
            Value(value) => {
                let url = value.string()?;
                let no_url =
                    |error| format!("`{url}` is not a URL like http://127.0.0.1/: {error}");
                urls.push(Url::parse(&url).map_err(|error| BadUsage::because(no_url(error)))?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if urls.is_empty() {
        return Err(BadUsage::because("which pages?"));
    }

    let client = Client::new();
    let all = Arc::new(Mutex::new(Index::new()));
    let tasks = urls.iter().map(|url| {
        let all = Arc::clone(&all);
        download(client.clone(), url.clone()).then(parse).then(|words| index(words, all))
    });
    let mut failed = 0;
    for (url, result) in urls.iter().zip(progress(urls.len()).wrap_iter(tasks.buffered(32))) {
        let failure = match result {
            Ok(failure) => failure,
            Err(error) => Some(error.to_string()),
        };
        if let Some(failure) = failure {
            eprintln!("{url}: {failure}");
            failed += 1;
        }
    }

    let all = all.lock().unwrap_or_else(PoisonError::into_inner);
    print_index(&all, find.as_deref());
    match failed {
        0 => Ok(()),
        _ => Err(format!("{failed} of {} pages are not in the index", urls.len()).into()),
    }
}

fn print_index(index: &Index, find: Option<&str>) {
    if let Some(word) = find {
        index.get(&word.to_lowercase()).into_iter().flatten().for_each(|url| println!("{url}"));
        return;
    }
    let mut words: Vec<_> = index.iter().map(|(word, pages)| (pages.len(), word)).collect();
    words.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    for (pages, word) in words.iter().take(20) {
        println!("{pages:>6}  {word}");
    }
}
