//! The streams that store values and places. They are created on first use, unless somebody has
//! created them before.

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamError, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Stream};

use super::Broker;

const VALUES: &str = "TRINE_VALUES";
const LIMITS: &str = "TRINE_LIMITS";
/// The default number of bytes of values to keep, if there is room.
const STORE: i64 = 4 << 30;
const MIN_STORE: i64 = 64 << 20;
/// How long a value is kept if nobody removes it.
const KEEP_VALUES: Duration = Duration::from_secs(24 * 60 * 60);

impl Broker {
    pub(super) async fn values(&self) -> Result<Stream, String> {
        self.stream(Config {
            name: VALUES.into(),
            subjects: vec!["trine-value.>".into()],
            max_age: KEEP_VALUES,
            max_bytes: self.settings.store.unwrap_or(STORE),
            // A value in use must not be evicted.
            discard: DiscardPolicy::New,
            allow_direct: true,
            num_replicas: self.settings.replicas,
            ..Config::default()
        })
        .await
    }

    /// One message for each place of a function, which can exist only once.
    pub(super) async fn limits(&self) -> Result<Stream, String> {
        self.stream(Config {
            name: LIMITS.into(),
            subjects: vec!["trine-limit.>".into()],
            max_messages_per_subject: 1,
            discard: DiscardPolicy::New,
            discard_new_per_subject: true,
            num_replicas: self.settings.replicas,
            ..Config::default()
        })
        .await
    }

    /// Removes everything that is stored.
    pub(crate) async fn purge(&self) -> Result<(), String> {
        for name in [VALUES, LIMITS] {
            match self.jetstream.delete_stream(name).await {
                Ok(_) => {}
                Err(error) => {
                    if self.jetstream.get_stream(name).await.is_ok() {
                        return Err(format!("cannot remove the stream {name}: {error}"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Creates a stream; a smaller one if no size was configured and the broker has no room for the
    /// default.
    async fn make(&self, mut wanted: Config) -> Result<(), String> {
        loop {
            let Err(error) = self.jetstream.create_stream(wanted.clone()).await else {
                return Ok(());
            };
            let is_too_large = matches!(error.kind(), CreateStreamErrorKind::JetStream(error)
                if error.error_code() == ErrorCode::STORAGE_RESOURCES_EXCEEDED);
            if !is_too_large || self.settings.store.is_some() || wanted.max_bytes < MIN_STORE {
                return Err(format!("cannot create the stream {}: {error}", wanted.name));
            }
            wanted.max_bytes /= 2;
        }
    }

    /// The stream of that name, if it is as required.
    async fn stream(&self, wanted: Config) -> Result<Stream, String> {
        let name = &wanted.name;
        let there = match self.jetstream.get_stream(name).await {
            Ok(there) => there,
            Err(error) if is_missing(&error) => {
                self.make(wanted.clone()).await?;
                self.jetstream.get_stream(name).await.map_err(|error| failed(name, &error))?
            }
            Err(error) => return Err(failed(name, &error)),
        };
        match difference(&wanted, &there.cached_info().config) {
            None => Ok(there),
            Some(difference) => {
                Err(format!("the broker has a different stream {name}: {difference}"))
            }
        }
    }
}

fn failed(name: &str, error: &GetStreamError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let _ = write!(text, ": {inner}");
        source = inner.source();
    }
    if ["no responders", "not enabled", "does not exist"].iter().any(|no| text.contains(no)) {
        return "the broker has no JetStream, or this account has none".to_owned();
    }
    format!("cannot open the stream {name}: {text}")
}

fn is_missing(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

/// How an existing stream differs from what is required. A different age or size is somebody's
/// choice.
fn difference(wanted: &Config, there: &Config) -> Option<String> {
    let differs = |what: &str, wanted: String, there: String| {
        (wanted != there).then(|| format!("its {what} is {there}, but must be {wanted}"))
    };
    let discard = |config: &Config| {
        let each = if config.discard_new_per_subject { " of each subject" } else { "" };
        format!("{:?}{each}", config.discard)
    };
    differs("subjects", format!("{:?}", wanted.subjects), format!("{:?}", there.subjects))
        .or_else(|| differs("discard policy", discard(wanted), discard(there)))
        .or_else(|| {
            let most = |config: &Config| config.max_messages_per_subject.max(0).to_string();
            differs("number of messages per subject", most(wanted), most(there))
        })
        .or_else(|| {
            let replicas = |config: &Config| config.num_replicas.to_string();
            differs("number of replicas", replicas(wanted), replicas(there))
        })
        .or_else(|| {
            let direct = |config: &Config| config.allow_direct.to_string();
            if wanted.allow_direct {
                differs("direct get", direct(wanted), direct(there))
            } else {
                None
            }
        })
}
