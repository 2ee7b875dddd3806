//! The broker as both sides use it: a connection, sealed messages, and what is stored.

mod address;
mod connection;
pub(super) mod envelope;
mod key;
pub(super) mod limits;
pub(super) mod settings;
mod store;
pub(super) mod subject;
pub(super) mod values;

pub(super) use self::connection::LastError;

use std::sync::Arc;

use async_nats::Subscriber;
use async_nats::client::Client;
use async_nats::jetstream::context::Context;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use self::settings::Settings;
use self::subject::Build;

/// How many bytes of frames go together.
const TOGETHER: usize = 128 << 10;
/// What a message needs beside its frames: the key's hash, heads, and what the client adds.
const HEADROOM: usize = 8 << 10;

#[derive(Clone)]
pub(crate) struct Broker {
    pub(crate) settings: Arc<Settings>,
    pub(crate) build: Build,
    pub(crate) client: Client,
    jetstream: Context,
    /// Whether there is a connection; each is another number.
    pub(crate) connections: watch::Receiver<Option<u64>>,
    pub(crate) last_error: LastError,
}

/// A message that the broker takes no longer.
pub(crate) struct TooLong;

impl Broker {
    /// The most bytes of frames in a message.
    pub(crate) fn together(&self) -> usize {
        TOGETHER.min(self.longest())
    }

    /// The longest frame that goes through a message.
    pub(crate) fn longest(&self) -> usize {
        self.client.max_payload().saturating_sub(HEADROOM)
    }

    pub(crate) async fn subscribe(&self, subject: String) -> Result<Subscriber, String> {
        self.client.subscribe(subject).await.map_err(|error| error.to_string())
    }

    /// One of those that do so for the subject hears each message.
    pub(crate) async fn share(&self, subject: String) -> Result<Subscriber, String> {
        let queue = subject::MACHINES.to_owned();
        self.client.queue_subscribe(subject, queue).await.map_err(|error| error.to_string())
    }

    /// Sends a message, or leaves it to the client to do so when it can.
    pub(crate) async fn send<T: Serialize>(
        &self,
        subject: String,
        reply: Option<String>,
        message: &T,
        about: usize,
    ) -> Result<(), TooLong> {
        // What is sent always encodes.
        let Ok(message) = envelope::encode(message, about) else { return Ok(()) };
        let sealed: Bytes = self.settings.key.seal(&subject, message).into();
        if sealed.len() > self.client.max_payload() {
            return Err(TooLong);
        }
        // That fails only for subjects that are none, and at the end of the client.
        let _ = match reply {
            None => self.client.publish(subject, sealed).await,
            Some(reply) => self.client.publish_with_reply(subject, reply, sealed).await,
        };
        Ok(())
    }

    /// What is in a message, if it was sealed with the key, for this subject.
    pub(crate) fn open<T: DeserializeOwned>(&self, subject: &str, sealed: &[u8]) -> Option<T> {
        envelope::decode(self.settings.key.open(subject, sealed)?)
    }
}
