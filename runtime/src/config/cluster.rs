//! The part of [`Config`] for `process` calls on other machines. What is not set here comes from
//! the environment, which the cluster reads itself.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use async_nats::ConnectOptions;

use super::Config;

#[derive(Clone, Default)]
pub(crate) struct Chosen {
    pub(crate) address: Option<String>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) wait: Option<Duration>,
    pub(crate) options: Option<ConnectOptions>,
}

impl fmt::Debug for Chosen {
    /// Without the key, and without the address, which may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("wait", &self.wait).finish_non_exhaustive()
    }
}

static CHOSEN: OnceLock<Chosen> = OnceLock::new();

/// Fixes the settings. Returns false if that was done before.
pub(super) fn choose(chosen: Chosen) -> bool {
    CHOSEN.set(chosen).is_ok()
}

pub(crate) fn chosen() -> &'static Chosen {
    CHOSEN.get_or_init(Chosen::default)
}

impl Config {
    /// Sends calls of `process` functions to the machines at this NATS broker; separate several
    /// addresses with commas. The default is `TRINE_CLUSTER`. See
    /// [`many_machines`](crate::guide::many_machines).
    pub fn cluster(mut self, address: impl Into<String>) -> Self {
        self.cluster.address = Some(address.into());
        self
    }

    /// The secret that the machines share, 32 bytes or more. The default is
    /// `TRINE_CLUSTER_KEY_FILE` or `TRINE_CLUSTER_KEY`.
    pub fn cluster_key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.cluster.key = Some(key.into());
        self
    }

    /// How long a call waits for a machine before it fails; zero to fail at once. The default is
    /// `TRINE_CLUSTER_WAIT`, in seconds, or 30 seconds.
    pub fn cluster_wait(mut self, wait: Duration) -> Self {
        self.cluster.wait = Some(wait);
        self
    }

    /// How to connect to the broker: TLS, credentials and any other options of its client.
    pub fn cluster_options(mut self, options: ConnectOptions) -> Self {
        self.cluster.options = Some(options);
        self
    }
}
