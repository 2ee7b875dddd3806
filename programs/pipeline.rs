//! Download async, parse in one process, index in another: stages that are streams.
//!
//! Each stage takes the stream of the one before it and runs beside it. A stage that is ahead waits
//! in its yield, so few pages are in memory however many there are. A page that is too much for the
//! parser ends its process and so the run, with an error that says so; where each page is to fail
//! alone, give each a call.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use futures_util::{StreamExt, stream};
use lexopt::prelude::*;
use reqwest::{Client, Url};
use serde::{Deserialize, Serialize};
use trine::{Sender, Stream, TaskIterator, channel, concurrent};
use trine_programs::{BadUsage, Failure, progress, why_not};

const USAGE: &str = "\
pipeline: which pages have which words

Usage: pipeline [--find WORD] URL...

  --find WORD  list the pages that have this word (default: list the words of most pages)

Exits with 1 if a page is missing. https needs a build with `--features https`.";

/// The pages that contain a word.
type Index = BTreeMap<String, BTreeSet<String>>;

/// What is known of a page, or why nothing is.
#[derive(Serialize, Deserialize)]
struct Page<T> {
    url: String,
    content: Result<T, String>,
}

type Words = BTreeSet<String>;

#[concurrent(async, timeout = 10s, retries = 2, backoff = 100ms)]
async fn download(client: Client, url: Url) -> Result<String, String> {
    let get = async { client.get(url.clone()).send().await?.error_for_status()?.text().await };
    get.await.map_err(|error: reqwest::Error| why_not(&url, &error))
}

/// Waits for the network, for 16 pages at a time: async.
#[concurrent(async)]
fn pages(urls: Vec<Url>) -> impl futures_util::Stream<Item = Page<String>> {
    let client = Client::new();
    let downloads = urls.clone().into_iter().map(move |url| download(client.clone(), url));
    stream::iter(urls).zip(downloads.buffered(16).into_stream()).map(|(url, text)| {
        let content = text.unwrap_or_else(|error| Err(error.to_string()));
        Page { url: url.into(), content }
    })
}

/// Reads what strangers wrote: in a process, where it can do no harm. Should the stage before it
/// fail, that is the last item.
#[concurrent(process, memory = 128MiB)]
fn parse(pages: Stream<Page<String>>) -> impl Iterator<Item = Result<Page<Words>, String>> {
    pages.into_iter().map(|page| {
        let Page { url, content } = page.map_err(|error| error.to_string())?;
        Ok(Page { url, content: content.map(|text| words(&text)) })
    })
}

fn words(text: &str) -> Words {
    let mut in_tag = false;
    let plain = text.replace('<', " <").to_lowercase();
    let letters = plain.chars().map(|c| {
        in_tag = (in_tag && c != '>') || c == '<';
        if in_tag || !c.is_alphabetic() { ' ' } else { c }
    });
    let words = letters.collect::<String>();
    words.split_whitespace().map(str::to_owned).collect()
}

/// Keeps what it has read so far: in another process, which reports each page that is done.
#[concurrent(process)]
fn index(
    pages: Stream<Result<Page<Words>, String>>,
    done: Sender<Result<(), String>>,
) -> Result<Index, String> {
    let mut index = Index::new();
    for page in pages {
        let Page { url, content } = page.map_err(|error| error.to_string())??;
        let found = content.map_err(|why| format!("{url}: {why}"));
        let is_indexed = found.map(|words| {
            for word in words {
                index.entry(word).or_default().insert(url.clone());
            }
        });
        if done.send(is_indexed).is_err() {
            break;
        }
    }
    Ok(index)
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

    let count = urls.len();
    let (done, news) = channel(64);
    let index = index(parse(pages(urls)), done);
    let mut failed = 0;
    for page in progress(count).wrap_iter(news.into_iter()) {
        if let Err(failure) = page? {
            eprintln!("{failure}");
            failed += 1;
        }
    }

    print_index(&index.join()??, find.as_deref());
    match failed {
        0 => Ok(()),
        _ => Err(format!("{failed} of {count} pages are not in the index").into()),
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
