//! The places of a function with a `limit`: one message per place in a stream, which callers take
//! and give back. The broker gives each to the caller that has waited longest. It reassigns the
//! place of a caller that has gone silent, once no machine runs anything for it any more.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::{AckKind, Message};
use futures_util::StreamExt;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::Broker;

/// How long a request waits for a place.
const EXPIRES: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(200);

/// A place, until it is dropped.
pub(crate) struct Place {
    _held: oneshot::Sender<()>,
}

/// The places of one function, which are taken one after another.
pub(crate) struct Places {
    broker: Broker,
    function: String,
    limit: usize,
    consumer: Option<PullConsumer>,
}

impl Places {
    pub(crate) fn new(broker: Broker, function: String, limit: usize) -> Self {
        Self { broker, function, limit, consumer: None }
    }

    /// Waits for a place; an error if the broker has problems for too long.
    pub(crate) async fn take(&mut self) -> Result<Place, String> {
        let terms = &self.broker.settings.terms;
        let (wait, lease) = (Duration::from_millis(terms.wait), Duration::from_millis(terms.lease));
        let mut since = Instant::now();
        loop {
            match self.try_to_take().await {
                Ok(Some(message)) => return Ok(hold(message, lease / 4)),
                Ok(None) => since = Instant::now(),
                Err(why) if since.elapsed() >= wait => {
                    let why = format!("its `limit` needs the broker's store, but {why}");
                    return Err(self.broker.last_error.after(why));
                }
                Err(_) => sleep(PAUSE).await,
            }
            // The consumer may have been removed, so look it up again.
            self.consumer = None;
        }
    }

    /// A place, or `None` if others have them all at the moment.
    async fn try_to_take(&mut self) -> Result<Option<Message>, String> {
        let consumer = match self.consumer.take() {
            Some(consumer) => consumer,
            None => self.broker.places(&self.function, self.limit).await?,
        };
        let fetch = consumer.fetch().max_messages(1).expires(EXPIRES).messages();
        let mut messages = fetch.await.map_err(|error| error.to_string())?;
        let place = match timeout(EXPIRES + PAUSE, messages.next()).await {
            Ok(Some(place)) => place.map(Some).map_err(|error| error.to_string()),
            Ok(None) | Err(_) => Ok(None),
        };
        self.consumer = Some(consumer);
        place
    }
}

impl Broker {
    /// The places of a function, created if necessary.
    async fn places(&self, function: &str, limit: usize) -> Result<PullConsumer, String> {
        let stream = self.limits().await?;
        let name = self.build.consumer(function);
        if let Ok(consumer) = stream.get_consumer::<pull::Config>(&name).await {
            return Ok(consumer);
        }
        let subject = self.build.limit(function);
        for place in 0..limit {
            let sent = self.jetstream.publish(format!("{subject}.{place}"), "".into()).await;
            // Refused if it already exists.
            drop(sent.map_err(|error| error.to_string())?.await);
        }
        let lease = Duration::from_millis(self.settings.terms.lease);
        let config = pull::Config {
            durable_name: Some(name),
            filter_subject: format!("{subject}.*"),
            ack_policy: AckPolicy::Explicit,
            ack_wait: 2 * lease,
            max_ack_pending: i64::try_from(limit).unwrap_or(-1),
            max_waiting: 10_000,
            ..pull::Config::default()
        };
        stream.create_consumer(config).await.map_err(|error| error.to_string())
    }
}

/// Keeps a place as long as the returned value is held.
fn hold(message: Message, beat: Duration) -> Place {
    let (sender, mut dropped) = oneshot::channel();
    tokio::spawn(async move {
        while timeout(beat, &mut dropped).await.is_err() {
            let _ = message.ack_with(AckKind::Progress).await;
        }
        let _ = message.ack_with(AckKind::Nak(None)).await;
    });
    Place { _held: sender }
}
