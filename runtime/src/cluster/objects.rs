//! Values of any size: what is too long for a message lies in the broker's object store, and its
//! message says where, and what it must hash to.
//!
//! What few calls need is boxed, so that the future of every call does not have room for it.

use std::fmt::Display;
use std::time::Duration;

use async_nats::jetstream::object_store::{self, ObjectMetadata, ObjectStore};
use tokio::io::AsyncReadExt;
use tokio::time::{sleep, timeout};

use super::broker::{Broker, KEEP_TASKS};
use super::envelope::{Parts, Value};
use super::subject::OBJECTS;

/// What a message needs beside its value.
const HEADROOM: usize = 4 << 10;
/// What it needs beside all of that: its key's hash, and what the client adds.
pub(crate) const MESSAGE: usize = 1 << 10;
const CHUNK: usize = 128 << 10;
/// How long the store may take for the next bytes: it would be waited for for ever when it goes.
const READ_MAX: Duration = Duration::from_secs(10);
/// How often what a broker that comes and goes may spoil is tried again.
const AGAIN: usize = 4;
const PAUSE: Duration = Duration::from_millis(500);

/// A value on its way: where it is, and what goes behind the head.
pub(crate) struct Placed {
    pub(crate) value: Value,
    pub(crate) behind: Vec<u8>,
}

impl Broker {
    /// Puts a value where its message finds it; in the store it is under `name`.
    pub(crate) async fn place(
        &self,
        name: impl FnOnce() -> String,
        parts: Parts,
    ) -> Result<Placed, String> {
        let (all, mut value) = parts.join();
        if all.len() + HEADROOM <= self.client.max_payload() {
            return Ok(Placed { value, behind: all });
        }
        let name = name();
        value.stored = Some((name.clone(), *blake3::hash(&all).as_bytes()));
        for _ in 0..AGAIN {
            if Box::pin(self.store(&name, &all)).await.is_ok() {
                return Ok(Placed { value, behind: Vec::new() });
            }
            sleep(PAUSE).await;
        }
        Box::pin(self.store(&name, &all)).await?;
        Ok(Placed { value, behind: Vec::new() })
    }

    /// The value of a message, from behind its head or from the store.
    pub(crate) async fn collect(&self, value: &Value, behind: &[u8]) -> Result<Parts, String> {
        let broken = || "a value is not as long as its message says".to_owned();
        let Some((name, hash)) = &value.stored else {
            return Parts::split(value, behind).ok_or_else(broken);
        };
        let length = value.total().ok_or_else(broken)?;
        let mut all = Box::pin(self.fetch(name, length)).await;
        for _ in 0..AGAIN {
            if all.is_ok() {
                break;
            }
            sleep(PAUSE).await;
            all = Box::pin(self.fetch(name, length)).await;
        }
        let all = all?;
        if *blake3::hash(&all).as_bytes() != *hash {
            return Err("what lies in the object store is not what was sent".into());
        }
        Parts::split(value, &all).ok_or_else(broken)
    }

    /// Removes a stored value that nobody needs any more.
    pub(crate) async fn forget(&self, value: &Value) {
        if let Some((name, _)) = &value.stored {
            Box::pin(self.remove(name)).await;
        }
    }

    async fn remove(&self, name: &str) {
        if let Ok(objects) = self.objects().await {
            // What cannot be removed now is when it is too old.
            let _ = objects.delete(name).await;
        }
    }

    /// The store; made anew where the broker has lost it.
    async fn objects(&self) -> Result<ObjectStore, String> {
        if let Ok(store) = self.jetstream().get_object_store(OBJECTS).await {
            return Ok(store);
        }
        let bucket = OBJECTS.to_owned();
        let config = object_store::Config { bucket, max_age: KEEP_TASKS, ..Default::default() };
        self.jetstream().create_object_store(config).await.map_err(|error| failed(&error))
    }

    async fn store(&self, name: &str, mut bytes: &[u8]) -> Result<(), String> {
        let chunk_size = Some(CHUNK.min(self.client.max_payload().saturating_sub(HEADROOM)));
        let object = ObjectMetadata { name: name.to_owned(), chunk_size, ..Default::default() };
        let put = self.objects().await?.put(object, &mut bytes).await;
        put.map(drop).map_err(|error| failed(&error))
    }

    async fn fetch(&self, name: &str, length: usize) -> Result<Vec<u8>, String> {
        let object = self.objects().await?.get(name).await;
        let mut object = object.map_err(|error| failed(&error))?;
        // What the store says of itself nobody with the key has said.
        if object.info.size != length {
            return Err("what lies in the object store is not as long as what was sent".into());
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|error| failed(&error))?;
        while bytes.len() < length {
            let read = timeout(READ_MAX, object.read_buf(&mut bytes)).await;
            match read.map_err(|error| failed(&error))? {
                Ok(0) => return Err("the object store has less than it says".into()),
                Ok(_) => {}
                Err(error) => return Err(failed(&error)),
            }
        }
        Ok(bytes)
    }
}

fn failed(error: &dyn Display) -> String {
    format!("the broker's object store: {error}")
}
