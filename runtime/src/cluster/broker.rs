//! The broker as both sides use it: streams, records that are swapped, values of any size.

use std::time::{Duration, Instant};

use async_nats::client::{Client, RequestErrorKind};
use async_nats::connection::State;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{Context, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{self, DirectGetErrorKind, RetentionPolicy, Stream};
use async_nats::{ConnectOptions, Event, Subscriber, jetstream};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::envelope::{self, Question, Reply};
use super::settings::Settings;
use super::subject::{
    self, ANSWER_SUBJECTS, ANSWERS, Build, CLAIM_SUBJECTS, CLAIMS, TASK_SUBJECTS, TASKS,
};
use crate::random;

/// How long an answer is kept: so long may a caller be away.
pub(crate) const KEEP_ANSWERS: Duration = Duration::from_secs(15 * 60);
/// How long a call may wait for a machine, and its claim be known.
pub(crate) const KEEP_TASKS: Duration = Duration::from_secs(24 * 60 * 60);
/// A machine that has not been heard of for so long has lost its calls.
pub(crate) const LOST_AFTER: Duration = Duration::from_secs(5);
const ANSWER_MAX: Duration = Duration::from_secs(1);

pub(crate) struct Broker {
    pub(crate) settings: Settings,
    pub(crate) build: Build,
    pub(crate) client: Client,
    jetstream: Context,
    /// Counts the connections, and whatever else may have lost messages.
    pub(crate) gaps: watch::Receiver<u64>,
}

/// What a record was swapped for in vain: the one that is there.
pub(crate) struct Other {
    pub(crate) sequence: u64,
    pub(crate) sealed: Bytes,
}

impl Broker {
    /// Connects, as soon as that is possible, and makes the streams.
    pub(crate) async fn connect(settings: Settings, name: &str) -> Result<Self, String> {
        let build = Build::of_this_program(&settings.key)
            .map_err(|error| format!("this program's executable cannot be read: {error}"))?;
        let (gap, gaps) = watch::channel(0);
        let options = with_ours(settings.options().await?, name, gap);
        let client = options
            .connect(settings.addresses.clone())
            .await
            .map_err(|error| format!("{}: {error}", settings.addresses.join(",")))?;
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(Duration::from_secs(2));
        let broker = Self { settings, build, client, jetstream, gaps };
        broker.make_streams().await;
        Ok(broker)
    }

    /// Makes the streams, or finds them there, sooner or later.
    pub(crate) async fn make_streams(&self) {
        let tasks = stream::Config {
            name: TASKS.into(),
            subjects: vec![TASK_SUBJECTS.into()],
            retention: RetentionPolicy::WorkQueue,
            max_age: KEEP_TASKS,
            ..Default::default()
        };
        let claims = stream::Config {
            name: CLAIMS.into(),
            subjects: vec![CLAIM_SUBJECTS.into()],
            max_messages_per_subject: 1,
            max_age: KEEP_TASKS,
            allow_direct: true,
            ..Default::default()
        };
        let answers = stream::Config {
            name: ANSWERS.into(),
            subjects: vec![ANSWER_SUBJECTS.into()],
            max_age: KEEP_ANSWERS,
            ..Default::default()
        };
        for config in [tasks, claims, answers] {
            while self.jetstream.get_or_create_stream(config.clone()).await.is_err() {
                sleep(Duration::from_millis(200)).await;
            }
        }
    }

    /// Hears what is sent to a subject from now on.
    pub(crate) async fn subscribe(&self, subject: String) -> Subscriber {
        loop {
            match self.client.subscribe(subject.clone()).await {
                Ok(subscriber) => return subscriber,
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    pub(crate) fn jetstream(&self) -> Context {
        self.jetstream.clone()
    }

    pub(crate) async fn tasks(&self) -> Option<Stream<()>> {
        self.jetstream.get_stream_no_info(TASKS).await.ok()
    }

    pub(crate) async fn answers(&self) -> Option<Stream<()>> {
        self.jetstream.get_stream_no_info(ANSWERS).await.ok()
    }

    /// When the broker began to keep calls: another time than before is another broker, or one
    /// that has lost its files.
    pub(crate) async fn began(&self) -> Option<i128> {
        let stream = self.jetstream.get_stream(TASKS).await.ok()?;
        Some(stream.cached_info().created.unix_timestamp_nanos())
    }

    /// Makes the consumer of a queue, of which at most `limit` calls are under way at a time.
    pub(crate) async fn make_queue(
        &self,
        queue: &str,
        limit: Option<usize>,
    ) -> Option<PullConsumer> {
        let config = pull::Config {
            durable_name: Some(self.build.consumer(queue)),
            filter_subject: self.build.queue(queue),
            ack_policy: AckPolicy::Explicit,
            ack_wait: LOST_AFTER,
            max_ack_pending: limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(-1),
            inactive_threshold: KEEP_TASKS,
            ..Default::default()
        };
        self.tasks().await?.create_consumer(config).await.ok()
    }

    /// Sends a call, until it is on the broker, where it has the number that this returns, or
    /// nobody wants it any more. `seal` makes the message, anew when it has become old. It may come
    /// to be there twice; then whoever claims it first has it.
    pub(crate) async fn send_task(
        &self,
        subject: &str,
        seal: impl Fn() -> Result<Bytes, String>,
        is_wanted: impl Fn() -> bool,
    ) -> Result<Option<u64>, String> {
        let mut sealed = seal()?;
        let mut since = Instant::now();
        while is_wanted() {
            let message = PublishMessage::build().payload(sealed.clone());
            match self.publish(subject, message).await {
                Ok(sequence) => return Ok(Some(sequence)),
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    return Err("the broker takes no message of that size any more".into());
                }
                Err(error) => Box::pin(self.mend(&error)).await,
            }
            if since.elapsed() > Duration::from_secs(60) {
                (sealed, since) = (seal()?, Instant::now());
            }
        }
        Ok(None)
    }

    /// What can be done about a message that did not get through, and a moment's rest.
    async fn mend(&self, error: &jetstream::context::PublishError) {
        if error.kind() == PublishErrorKind::StreamNotFound {
            // The broker has come back with nothing.
            self.make_streams().await;
        }
        sleep(Duration::from_millis(100)).await;
    }

    async fn publish(
        &self,
        subject: &str,
        message: PublishMessage,
    ) -> Result<u64, jetstream::context::PublishError> {
        let acknowledged = self.jetstream.send_publish(subject.to_owned(), message).await?;
        Ok(acknowledged.await?.sequence)
    }

    /// Stores a message. It may come to be there twice. False if it is too long.
    pub(crate) async fn append(&self, subject: &str, sealed: &Bytes) -> bool {
        loop {
            let message = PublishMessage::build().payload(sealed.clone());
            match self.publish(subject, message).await {
                Ok(_) => return true,
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => return false,
                Err(error) => Box::pin(self.mend(&error)).await,
            }
        }
    }

    /// Puts a record in the place of the one with that sequence number, or of none if it is 0.
    /// Returns its own number; or the record that somebody else put there, or that there is none.
    pub(crate) async fn swap(
        &self,
        subject: &str,
        sealed: &Bytes,
        expected: u64,
    ) -> Result<u64, Option<Other>> {
        loop {
            let message = PublishMessage::build()
                .payload(sealed.clone())
                .expected_last_subject_sequence(expected);
            match self.publish(subject, message).await {
                Ok(sequence) => return Ok(sequence),
                Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {
                    match Box::pin(self.record(subject)).await {
                        // An earlier attempt of ours, whose answer was lost on the way.
                        Ok(Some(there)) if there.sealed == *sealed => return Ok(there.sequence),
                        Ok(there) => return Err(there),
                        Err(()) => sleep(Duration::from_millis(100)).await,
                    }
                }
                Err(error) => Box::pin(self.mend(&error)).await,
            }
        }
    }

    /// The last record under a subject, if there is one; an error if that cannot be told now.
    async fn record(&self, subject: &str) -> Result<Option<Other>, ()> {
        let stream = self.jetstream.get_stream_no_info(CLAIMS).await.map_err(drop)?;
        match stream.direct_get_last_for_subject(subject).await {
            Ok(message) => Ok(Some(Other { sequence: message.sequence, sealed: message.payload })),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(_) => Err(()),
        }
    }

    /// Whether there is a connection, so that silence is that of others.
    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// A message: a head, and what is behind it, sealed for the subject.
    pub(crate) fn seal<T: Serialize>(
        &self,
        subject: &str,
        head: &T,
        behind: &[u8],
    ) -> Result<Bytes, String> {
        let message = envelope::encode(head, behind).map_err(|error| error.to_string())?;
        Ok(self.settings.key.seal(subject, &message).into())
    }

    /// What is in a message, if it was sealed with the key, for this subject.
    pub(crate) fn open<'a, T: DeserializeOwned>(
        &self,
        subject: &str,
        sealed: &'a [u8],
    ) -> Option<(T, &'a [u8])> {
        envelope::decode(self.settings.key.open(subject, sealed)?)
    }

    /// Tells all machines, those that are there.
    pub(crate) async fn tell<T: Serialize>(&self, subject: String, message: &T) {
        if let Ok(sealed) = self.seal(&subject, message, &[]) {
            let _ = self.client.publish(subject, sealed).await;
        }
    }

    /// Asks machines; `None` if there was no answer that fits.
    pub(crate) async fn ask(&self, subject: String, holds: Option<subject::CallId>) -> Heard {
        let number = random::number();
        let Ok(sealed) = self.seal(&subject, &Question { number, holds }, &[]) else {
            return Heard::None;
        };
        match timeout(ANSWER_MAX, self.client.request(subject.clone(), sealed)).await {
            Ok(Ok(answer)) => match self.open::<Reply>(&subject, &answer.payload) {
                Some((reply, _)) if reply.number == number && reply.yes => Heard::Yes,
                Some((reply, _)) if reply.number == number => Heard::No,
                _ => Heard::None,
            },
            Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => Heard::Nobody,
            _ => Heard::None,
        }
    }
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Yes,
    No,
    /// Nobody is there to hear it, as the broker says.
    Nobody,
    /// In time there was none, or none with the key.
    None,
}

fn with_ours(options: ConnectOptions, name: &str, gap: watch::Sender<u64>) -> ConnectOptions {
    options
        .name(name)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .ping_interval(Duration::from_secs(5))
        .reconnect_delay_callback(|attempt| Duration::from_millis(20 * attempt.min(50) as u64))
        .subscription_capacity(1 << 18)
        .event_callback(move |event| {
            if matches!(event, Event::Connected | Event::SlowConsumer(_)) {
                gap.send_modify(|gaps| *gaps += 1);
            }
            std::future::ready(())
        })
}
