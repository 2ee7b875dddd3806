//! What comes in: claims and answers, as they are written, and those that were missed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::Subscriber;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::sleep;

use super::answers::answers_in;
use super::broker::{Broker, LOST_AFTER};
use super::caller::{Caller, TICK};
use super::claims::Claimed;
use super::envelope::{Answer, Ending, Fault, Parts};
use super::subject;

impl Caller {
    pub(crate) async fn listen(&'static self, broker: &Arc<Broker>, mut messages: Subscriber) {
        while let Some(message) = messages.next().await {
            self.note(broker, &message.subject, message.payload);
        }
    }

    /// What a claim or an answer means for the calls that it is of.
    fn note(&'static self, broker: &Arc<Broker>, subject: &str, sealed: Bytes) {
        if *subject == broker.build.answers(self.id) {
            let Some(frames) = broker.settings.key.open(subject, &sealed) else { return };
            for (Answer { number, ending }, behind) in answers_in(frames) {
                self.end(broker, number, ending, behind);
            }
        } else if let Some(group) = subject::group_in(subject)
            && let Some((claimed, _)) = broker.open::<Claimed>(subject, &sealed)
        {
            let mut books = self.books();
            books.heard = Some(Instant::now());
            for number in claimed.numbers(group) {
                if let Some(sent) = books.calls.get_mut(&number) {
                    sent.claimed = true;
                }
            }
        }
    }

    fn end(&'static self, broker: &Arc<Broker>, number: u64, ending: Ending, behind: &[u8]) {
        let mut books = self.books();
        books.heard = Some(Instant::now());
        // Whatever comes of it after this finds nothing here.
        let sent = books.calls.remove(&number);
        drop(books);
        let Some(sent) = sent else { return };
        match ending {
            Ending::Failed(fault) => sent.call.fail(fault),
            Ending::Replied { status, value } if value.stored.is_none() => {
                match Parts::split(&value, behind) {
                    Some(parts) => sent.call.reply(status, parts),
                    None => sent.call.fail(Fault::Codec { message: "a broken reply".into() }),
                }
            }
            Ending::Replied { status, value } => {
                let broker = Arc::clone(broker);
                tokio::spawn(async move {
                    let parts = broker.collect(&value, &[]).await;
                    // First, since this program may end with the reply.
                    broker.forget(&value).await;
                    match parts {
                        Ok(parts) => sent.call.reply(status, parts),
                        Err(message) => sent.call.fail(Fault::Codec { message }),
                    }
                });
            }
        }
    }

    /// Reads from the stream what may have been missed.
    pub(crate) async fn catch_up_after_gaps(&'static self, broker: &Arc<Broker>) {
        let mut gaps = broker.gaps.clone();
        let mut from = 1;
        let mut began = broker.began().await;
        loop {
            let missed = tokio::select! {
                changed = gaps.changed() => changed.is_ok(),
                // In case something is missed in a way that nobody thought of.
                () = sleep(LOST_AFTER) => self.is_quiet(LOST_AFTER),
            };
            if !missed {
                continue;
            }
            // For the case that the broker has come back with nothing.
            broker.make_streams().await;
            self.books().queues.clear();
            if let Some(now) = broker.began().await
                && began.replace(now).is_some_and(|before| before != now)
            {
                from = 1;
                self.lose_all();
            }
            while !self.books().calls.is_empty() {
                match self.catch_up(broker, from).await {
                    Some(next) => {
                        from = next;
                        break;
                    }
                    None => sleep(TICK).await,
                }
            }
        }
    }

    async fn catch_up(&'static self, broker: &Arc<Broker>, from: u64) -> Option<u64> {
        let stream = broker.answers().await?;
        let config = pull::Config {
            filter_subject: broker.build.answers(self.id),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from },
            ack_policy: AckPolicy::None,
            inactive_threshold: Duration::from_secs(30),
            memory_storage: true,
            ..Default::default()
        };
        let consumer = stream.create_consumer(config).await.ok()?;
        let mut left = consumer.cached_info().num_pending;
        let mut next = from;
        while left > 0 {
            let batch = usize::try_from(left).unwrap_or(usize::MAX).min(1000);
            let fetch = consumer.fetch().max_messages(batch).expires(Duration::from_secs(2));
            let mut messages = fetch.messages().await.ok()?;
            let mut count = 0;
            while let Some(message) = messages.next().await {
                let message = message.ok()?;
                next = message.info().ok()?.stream_sequence + 1;
                count += 1;
                self.note(broker, &message.subject, message.payload.clone());
            }
            if count == 0 {
                return None;
            }
            left = left.saturating_sub(count);
        }
        let _ = stream.delete_consumer(&consumer.cached_info().name).await;
        Some(next)
    }
}
