//! Which broker, with which key, and how long to wait: from [`Config`](crate::Config) or the
//! environment.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::ConnectOptions;

use super::key::Key;
use crate::config;
use crate::process::platform::SERVE;

/// The addresses of the broker, with commas between them.
pub(crate) const CLUSTER: &str = "TRINE_CLUSTER";
/// The secret that all machines share.
pub(crate) const KEY: &str = "TRINE_CLUSTER_KEY";
/// Seconds until a call says that nobody is there to run it.
const WAIT: &str = "TRINE_CLUSTER_WAIT";
/// A file of NATS credentials.
const CREDENTIALS: &str = "TRINE_CLUSTER_CREDENTIALS";
/// A file of root certificates.
const CERTIFICATES: &str = "TRINE_CLUSTER_CA";

/// What a worker process need not know of.
pub(crate) const VARIABLES: [&str; 3] = [CLUSTER, KEY, SERVE];

const WAIT_DEFAULT: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) addresses: Vec<String>,
    pub(crate) key: Key,
    pub(crate) wait: Duration,
    options: ConnectOptions,
    credentials: Option<PathBuf>,
}

impl Settings {
    /// `None` where no cluster is set.
    pub(crate) fn find() -> Option<Result<Self, String>> {
        let configured = config::cluster();
        let addresses = configured.address.clone().or_else(|| env::var(CLUSTER).ok())?;
        Some(Self::read(&addresses, configured))
    }

    fn read(addresses: &str, configured: &config::Cluster) -> Result<Self, String> {
        let addresses: Vec<String> = addresses
            .split(',')
            .map(|address| address.trim().to_owned())
            .filter(|address| !address.is_empty())
            .collect();
        if addresses.is_empty() {
            return Err(format!("{CLUSTER} names no broker: set it to nats://HOST:4222"));
        }
        let secret = configured.key.clone().or_else(|| env::var(KEY).ok().map(String::into_bytes));
        let secret = secret.ok_or_else(|| {
            format!("{CLUSTER} is set and {KEY} is not: set it to the secret of the machines")
        })?;
        let key = Key::new(&secret).map_err(|why| format!("{KEY} {why}"))?;
        let wait = match (configured.wait, env::var(WAIT)) {
            (Some(wait), _) => wait,
            (None, Ok(seconds)) => seconds
                .trim()
                .parse()
                .ok()
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .ok_or_else(|| format!("{WAIT} must be a number of seconds, and is {seconds:?}"))?,
            (None, Err(_)) => WAIT_DEFAULT,
        };
        let mut options = configured.options.clone().unwrap_or_default();
        if let Some(path) = env::var_os(CERTIFICATES) {
            options = options.add_root_certificates(path.into());
        }
        let credentials = env::var_os(CREDENTIALS).map(PathBuf::from);
        Ok(Self { addresses, key, wait, options, credentials })
    }

    /// How to connect, but for what is ours to say.
    pub(crate) async fn options(&self) -> Result<ConnectOptions, String> {
        match &self.credentials {
            None => Ok(self.options.clone()),
            Some(path) => self.options.clone().credentials_file(path).await.map_err(|error| {
                format!("{CREDENTIALS} is {}, which cannot be read: {error}", path.display())
            }),
        }
    }
}
