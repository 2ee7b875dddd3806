//! The broker as both sides use it: a connection, sealed messages, and stored values.

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
use std::time::Duration;

use async_nats::Subscriber;
use async_nats::client::Client;
use async_nats::jetstream::context::Context;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::timeout;

use self::settings::Settings;
use self::subject::Build;

/// How many bytes of frames go into a message.
const TOGETHER: usize = 128 << 10;
/// The overhead of a message: the keyed hash, headers, and what the client adds.
const HEADROOM: usize = 8 << 10;
/// How long the client may take to accept a message. Its queue is bounded and does not move while
/// there is no connection, but leases expire meanwhile.
const ACCEPT: Duration = Duration::from_millis(200);

#[derive(Clone)]
pub(crate) struct Broker {
    pub(crate) settings: Arc<Settings>,
    pub(crate) build: Build,
    pub(crate) client: Client,
    jetstream: Context,
    /// The current connection, if any; each has a different number.
    pub(crate) connections: watch::Receiver<Option<u64>>,
    pub(crate) last_error: LastError,
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// It is longer than the broker now accepts.
    TooLong,
    /// There is no connection, or nothing moves in it. The protocol treats this as a lost message.
    Stuck,
}

impl Broker {
    /// The maximum number of bytes of frames in a message.
    pub(crate) fn together(&self) -> usize {
        TOGETHER.min(self.longest())
    }

    /// The longest frame that fits into a message.
    pub(crate) fn longest(&self) -> usize {
        self.client.max_payload().saturating_sub(HEADROOM)
    }

    pub(crate) async fn subscribe(&self, subject: String) -> Result<Subscriber, String> {
        self.client.subscribe(subject).await.map_err(|error| error.to_string())
    }

    /// Each message goes to one of the subscribers of the subject.
    pub(crate) async fn share(&self, subject: String) -> Result<Subscriber, String> {
        let queue = subject::MACHINES.to_owned();
        self.client.queue_subscribe(subject, queue).await.map_err(|error| error.to_string())
    }

    /// Sends a message, unless that would take longer than leases can wait.
    pub(crate) async fn send<T: Serialize>(
        &self,
        subject: String,
        reply: Option<String>,
        message: &T,
        about: usize,
    ) -> Result<(), Unsent> {
        if self.connections.borrow().is_none() {
            return Err(Unsent::Stuck);
        }
        // Messages can always be encoded.
        let Ok(message) = envelope::encode(message, about) else { return Ok(()) };
        let sealed: Bytes = self.settings.key.seal(&subject, message).into();
        if sealed.len() > self.client.max_payload() {
            return Err(Unsent::TooLong);
        }
        let publish = async {
            // This fails only for invalid subjects, and when the client has ended.
            let _ = match reply {
                None => self.client.publish(subject, sealed).await,
                Some(reply) => self.client.publish_with_reply(subject, reply, sealed).await,
            };
        };
        timeout(ACCEPT, publish).await.map_err(|_| Unsent::Stuck)
    }

    /// The contents of a message, if it was sealed with the key for this subject.
    pub(crate) fn open<T: DeserializeOwned>(&self, subject: &str, sealed: &[u8]) -> Option<T> {
        envelope::decode(self.settings.key.open(subject, sealed)?)
    }
}
