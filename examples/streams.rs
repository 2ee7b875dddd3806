//! A log file, read and filtered in a worker process, whose errors arrive as they are found.
//!
//! In Python this is a generator in a process of its own, with a queue between the two:
//!
//! ```python
//! def errors(path, queue):
//!     for number, line in enumerate(open(path)):
//!         if "ERROR" in line:
//!             queue.put((number, line))
//!     queue.put(None)
//!
//! queue = Queue(maxsize=64)
//! Process(target=errors, args=(path, queue)).start()
//! for number, line in iter(queue.get, None):
//!     ...
//! ```

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use trine::concurrent;

/// What comes from the worker.
#[derive(serde::Serialize, serde::Deserialize)]
enum News {
    /// So many bytes have been read.
    Read(u64),
    Error(String),
}

/// The file stays open in the worker, which reads on as its reader does.
#[concurrent(process)]
fn errors(path: PathBuf) -> impl Iterator<Item = News> {
    let file = File::open(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let mut read = 0;
    BufReader::new(file).lines().map_while(Result::ok).enumerate().filter_map(
        move |(index, line)| {
            read += line.len() as u64 + 1;
            match line.split_once(" ERROR ") {
                Some((_, what)) => Some(News::Error(format!("line {}: {what}", index + 1))),
                None => (index % 1000 == 0).then_some(News::Read(read)),
            }
        },
    )
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("trine-{}.log", std::process::id()));
    write_log(&path)?;
    let length = fs::metadata(&path)?.len();

    let (mut count, mut tenths) = (0, 0);
    for news in errors(path.clone()) {
        match news? {
            News::Error(what) => {
                count += 1;
                println!("{what}");
            }
            News::Read(read) => {
                while tenths < read * 10 / length {
                    tenths += 1;
                    eprintln!("[{:<10}]", "#".repeat(tenths as usize));
                }
            }
        }
    }
    println!("{count} errors");
    fs::remove_file(path)?;
    Ok(())
}

/// A log of 100,000 lines, four of which are errors.
fn write_log(path: &Path) -> std::io::Result<()> {
    let mut log = std::io::BufWriter::new(File::create(path)?);
    for line in 1..=100_000 {
        match line % 25_000 {
            0 => writeln!(log, "12:00:00 ERROR disk {} is full", line / 25_000)?,
            _ => writeln!(log, "12:00:00 INFO served request {line}")?,
        }
    }
    log.flush()
}
