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
use super::envelope::{self, Parts, Stored, Value};

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
        let bytes = Bytes::from(envelope::encode(&parts, parts.length())?);
        drop(parts);
        let chunk = MAX_CHUNK.min(self.client.max_payload().saturating_sub(HEADROOM)).max(1);
        let stored = Stored {
            name,
            length: bytes.len() as u64,
            chunks: bytes.len().div_ceil(chunk) as u64,
            hash: *blake3::hash(&bytes).as_bytes(),
        };
        for attempt in 0.. {
            match self.put(&stored.name, &bytes, chunk).await {
                Ok(()) => break,
                Err(why) if attempt == AGAIN => return Err(self.last_error.after(why)),
                Err(_) => sleep(PAUSE).await,
            }
        }
        Ok(Value::Stored(stored))
    }

    /// The parts of a value, from its message or from the store.
    pub(crate) async fn collect(&self, value: Value) -> Result<Parts, String> {
        let stored = match value {
            Value::Here(parts) => return Ok(parts),
            Value::Stored(stored) => stored,
        };
        let mut attempt = 0;
        let bytes = loop {
            match self.get(&stored).await {
                Ok(bytes) => break bytes,
                Err(why) if attempt == AGAIN => return Err(self.last_error.after(why)),
                Err(_) => sleep(PAUSE).await,
            }
            attempt += 1;
        };
        if *blake3::hash(&bytes).as_bytes() != stored.hash {
            return Err("the value stored at the broker is not the one that was sent".to_owned());
        }
        envelope::decode(&bytes)
            .ok_or_else(|| "the value stored at the broker cannot be decoded".to_owned())
    }

    /// Removes a stored value that is no longer needed. If that fails, it expires.
    pub(crate) async fn forget(&self, stored: &Stored) {
        if let Ok(stream) = self.values().await {
            let _ = stream.purge().filter(format!("{}.*", self.build.value(&stored.name))).await;
        }
    }

    async fn put(&self, name: &str, bytes: &Bytes, chunk: usize) -> Result<(), String> {
        self.values().await?;
        let subject = self.build.value(name);
        let chunks = (0..bytes.len()).step_by(chunk).zip(0_u64..).map(|(from, number)| {
            let bytes = bytes.slice(from..(from + chunk).min(bytes.len()));
            let (context, subject) = (self.jetstream.clone(), format!("{subject}.{number}"));
            async move {
                // The client may block while it has no connection.
                let sent = timeout(ACCEPT, context.publish(subject, bytes)).await;
                let sent = sent.map_err(failed)?.map_err(failed)?;
                sent.await.map(drop).map_err(failed)
            }
        });
        stream::iter(chunks).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn get(&self, stored: &Stored) -> Result<Vec<u8>, String> {
        let stream = &self.values().await?;
        let subject = self.build.value(&stored.name);
        let length = usize::try_from(stored.length).map_err(failed)?;
        let mut all = Vec::new();
        all.try_reserve_exact(length).map_err(failed)?;
        let chunks = (0..stored.chunks).map(|number| chunk(stream, format!("{subject}.{number}")));
        let mut chunks = stream::iter(chunks).buffered(AT_ONCE);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            if all.len() + chunk.len() > length {
                return Err("the value stored at the broker is longer than the one sent".to_owned());
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }
}

async fn chunk(stream: &Stream, subject: String) -> Result<Bytes, String> {
    let message = stream.direct_get_last_for_subject(subject).await.map_err(failed)?;
    Ok(message.payload)
}

fn failed(error: impl Display) -> String {
    format!("the broker's store failed: {error}")
}
