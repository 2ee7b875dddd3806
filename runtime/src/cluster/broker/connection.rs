//! The connection to the broker, or the reason why there is none.

use std::error::Error;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{ConnectError, ConnectErrorKind, Event, jetstream};
use tokio::sync::watch;
use tokio::time::sleep;

use super::Broker;
use super::settings::Settings;
use super::subject::Build;
use crate::sync::Lock;

/// How long a broker may be silent before the connection counts as lost.
const PING: Duration = Duration::from_secs(2);
const MAX_CONNECT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

/// The client's last error, for messages.
#[derive(Clone, Default)]
pub(crate) struct LastError(Arc<Lock<Option<String>>>);

impl LastError {
    fn set(&self, error: Option<String>) {
        *self.0.lock() = error;
    }

    pub(crate) fn get(&self) -> Option<String> {
        self.0.lock().clone()
    }

    /// A message with that error, which may be the reason: the broker does not say what it was that
    /// it refused.
    pub(crate) fn after(&self, message: String) -> String {
        match self.get() {
            Some(error) if !message.contains(&error) => {
                format!("{message}; the broker's last error: {error}")
            }
            _ => message,
        }
    }
}

impl Broker {
    /// Connects as soon as possible; meanwhile the last error says why not. Permanent problems are
    /// an immediate error.
    pub(crate) async fn connect(
        settings: Arc<Settings>,
        name: &str,
        last_error: LastError,
    ) -> Result<Self, String> {
        let build = Build::of_this_program(&settings.key)
            .map_err(|error| format!("this program's executable cannot be read: {error}"))?;
        let (connection, connections) = watch::channel(None);
        let connection = Arc::new(connection);
        loop {
            let (said, told) = (last_error.clone(), Arc::clone(&connection));
            let options = settings
                .options()
                .await?
                .name(name)
                .max_reconnects(None)
                .connection_timeout(MAX_CONNECT)
                .ping_interval(PING)
                .reconnect_delay_callback(|attempt| {
                    Duration::from_millis(20 * attempt.min(50) as u64)
                })
                .subscription_capacity(1 << 18)
                .event_callback(move |event| {
                    hear(&event, &said, &told);
                    std::future::ready(())
                });
            match options.connect(&*settings.addresses.servers).await {
                Ok(client) => {
                    last_error.set(None);
                    connection.send_if_modified(|now| now.is_none() && now.replace(0).is_none());
                    let mut jetstream = jetstream::new(client.clone());
                    jetstream.set_timeout(Duration::from_secs(2));
                    let settings = Arc::clone(&settings);
                    return Ok(Self {
                        settings,
                        build,
                        client,
                        jetstream,
                        connections,
                        last_error,
                    });
                }
                Err(error) => last_error.set(Some(reason(&error))),
            }
            sleep(PAUSE).await;
        }
    }
}

/// Records the client's connection events.
fn hear(event: &Event, last_error: &LastError, connection: &watch::Sender<Option<u64>>) {
    match event {
        Event::Connected | Event::SlowConsumer(_) => {
            last_error.set(None);
            // Missed messages count as a lost connection too.
            connection.send_modify(|now| *now = Some(now.map_or(1, |number| number + 1)));
        }
        Event::Disconnected | Event::Closed => {
            connection.send_modify(|now| *now = None);
        }
        Event::ServerError(error) => last_error.set(Some(error.to_string())),
        Event::ClientError(error) => last_error.set(Some(error.to_string())),
        Event::LameDuckMode | Event::Draining => {}
    }
}

/// Why a connection was refused, in one line.
fn reason(error: &ConnectError) -> String {
    let mut reason = match error.kind() {
        ConnectErrorKind::AuthorizationViolation => {
            "it refused the login (authorization violation)".to_owned()
        }
        ConnectErrorKind::Authentication => "the credentials cannot be used".to_owned(),
        ConnectErrorKind::Dns => "its host name is unknown".to_owned(),
        ConnectErrorKind::Tls => "TLS failed".to_owned(),
        ConnectErrorKind::TimedOut => "it does not answer (timed out)".to_owned(),
        ConnectErrorKind::Io => "the connection failed".to_owned(),
        kind => kind.to_string(),
    };
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if !reason.contains(&text) {
            let _ = write!(reason, ": {text}");
        }
        source = inner.source();
    }
    reason
}
