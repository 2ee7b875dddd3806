//! Values that are longer than a message: stored as chunks of a stream. Each chunk is read by its
//! name, so the broker keeps no state for readers, and its creator removes it when it is no longer
//! needed.

use std::fmt::Display;
use std::time::Duration;

use async_nats::jetstream::stream::Stream;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{sleep, timeout};

use super::Broker;
use super::envelope::{File, Parts, Stored, Value};

type Hash = [u8; blake3::OUT_LEN];

/// The overhead of a message with a chunk.
const HEADROOM: usize = 1 << 10;
const MAX_CHUNK: usize = 512 << 10;
/// How many chunks are in flight at a time.
const AT_ONCE: usize = 8;
/// How often a step is retried if the broker is unreachable, and after how long.
const AGAIN: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);
/// How long the client may take to accept a chunk.
const ACCEPT: Duration = Duration::from_secs(5);

impl Broker {
    /// Places a value in its message, or stores it under a unique name.
    pub(crate) async fn place(&self, name: String, parts: Parts) -> Result<Value, String> {
        if parts.length() + 256 * (1 + parts.files.len()) <= self.longest() {
            return Ok(Value::Here(parts));
        }
        let chunk = MAX_CHUNK.min(self.client.max_payload().saturating_sub(HEADROOM)).max(1);
        let Parts { bytes, files } = parts;
        let files = files.into_iter().map(|file| file.contents);
        let parts: Vec<_> = [bytes].into_iter().chain(files).map(Bytes::from).collect();
        let mut attempt = 0;
        let hash = loop {
            match self.put(&name, &parts, chunk).await {
                Ok(hash) => break hash,
                Err(why) if attempt == AGAIN => return Err(self.last_error.after(why)),
                Err(_) => sleep(PAUSE).await,
            }
            attempt += 1;
        };
        let lengths = parts.iter().map(|part| part.len() as u64).collect();
        Ok(Value::Stored(Stored { name, lengths, chunk: chunk as u64, hash }))
    }

    /// The parts of a value, from its message or from the store.
    pub(crate) async fn collect(&self, value: Value) -> Result<Parts, String> {
        let stored = match value {
            Value::Here(parts) => return Ok(parts),
            Value::Stored(stored) => stored,
        };
        let mut attempt = 0;
        let mut parts = loop {
            match self.get(&stored).await {
                Ok(parts) => break parts.into_iter(),
                Err(why) if attempt == AGAIN => return Err(self.last_error.after(why)),
                Err(_) => sleep(PAUSE).await,
            }
            attempt += 1;
        };
        let bytes = parts.next().unwrap_or_default();
        Ok(Parts { bytes, files: parts.map(|contents| File { contents }).collect() })
    }

    /// Removes a stored value that is no longer needed. If that fails, it expires.
    pub(crate) async fn forget(&self, stored: &Stored) {
        if let Ok(stream) = self.values().await {
            let _ = stream.purge().filter(format!("{}.*", self.build.value(&stored.name))).await;
        }
    }

    /// Stores all parts, and returns their hash. Chunks are numbered over all of them.
    async fn put(&self, name: &str, parts: &[Bytes], chunk: usize) -> Result<Hash, String> {
        self.values().await?;
        let subject = self.build.value(name);
        let mut hasher = blake3::Hasher::new();
        let mut chunks = Vec::new();
        for part in parts {
            let starts = (0..part.len()).step_by(chunk);
            chunks.extend(starts.map(|from| part.slice(from..(from + chunk).min(part.len()))));
        }
        // Each is hashed while those before it are on their way.
        let chunks = chunks.into_iter().zip(0_u64..).map(|(bytes, number)| {
            hasher.update(&bytes);
            let (context, subject) = (self.jetstream.clone(), format!("{subject}.{number}"));
            async move {
                // The client may block while it has no connection.
                let sent = timeout(ACCEPT, context.publish(subject, bytes)).await;
                let sent = sent.map_err(failed)?.map_err(failed)?;
                sent.await.map(drop).map_err(failed)
            }
        });
        stream::iter(chunks).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        Ok(*hasher.finalize().as_bytes())
    }

    async fn get(&self, stored: &Stored) -> Result<Vec<Vec<u8>>, String> {
        let stream = &self.values().await?;
        let subject = self.build.value(&stored.name);
        let counts = stored.lengths.iter().map(|length| length.div_ceil(stored.chunk.max(1)));
        let numbers = 0..counts.sum::<u64>();
        let chunks = numbers.map(|number| chunk(stream, format!("{subject}.{number}")));
        let mut chunks = stream::iter(chunks).buffered(AT_ONCE);
        let mut hasher = blake3::Hasher::new();
        let mut parts = Vec::with_capacity(stored.lengths.len());
        for &length in &stored.lengths {
            let length = usize::try_from(length).map_err(failed)?;
            let mut part = Vec::new();
            part.try_reserve_exact(length).map_err(failed)?;
            while part.len() < length {
                let bytes = chunks.next().await.unwrap_or_else(|| Err(changed()))?;
                if bytes.is_empty() || part.len() + bytes.len() > length {
                    return Err(changed());
                }
                hasher.update(&bytes);
                part.extend_from_slice(&bytes);
            }
            parts.push(part);
        }
        if *hasher.finalize().as_bytes() == stored.hash { Ok(parts) } else { Err(changed()) }
    }
}

fn changed() -> String {
    "the value stored at the broker is not the one that was sent".to_owned()
}

async fn chunk(stream: &Stream, subject: String) -> Result<Bytes, String> {
    let message = stream.direct_get_last_for_subject(subject).await.map_err(failed)?;
    Ok(message.payload)
}

fn failed(error: impl Display) -> String {
    format!("the broker's store failed: {error}")
}
