//! Which broker, with which key, and how long to wait: from [`Config`](crate::Config) or the
//! environment.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use async_nats::ConnectOptions;

use super::address::Addresses;
use super::key::Key;
use crate::cluster::protocol::Terms;
use crate::config::cluster::{self, Chosen};
use crate::process::platform::SERVE;

/// The addresses of the broker, separated by commas.
pub(crate) const CLUSTER: &str = "TRINE_CLUSTER";
/// The secret that all machines share, or a file with it.
const KEY: &str = "TRINE_CLUSTER_KEY";
const KEY_FILE: &str = "TRINE_CLUSTER_KEY_FILE";
/// Seconds until a call fails because no machine is there to run it.
const WAIT: &str = "TRINE_CLUSTER_WAIT";
/// Seconds that a machine, or its connection, may be away without losing its calls.
const LEASE: &str = "TRINE_CLUSTER_LEASE";
/// A file of NATS credentials, and one of an nkey's seed.
const CREDENTIALS: &str = "TRINE_CLUSTER_CREDENTIALS";
const NKEY: &str = "TRINE_CLUSTER_NKEY";
/// A file of root certificates.
const CERTIFICATES: &str = "TRINE_CLUSTER_CA";
/// How many brokers keep what is stored, and how many bytes of it.
const REPLICAS: &str = "TRINE_CLUSTER_REPLICAS";
const STORE: &str = "TRINE_CLUSTER_STORE";
/// A machine's name, and the labels that calls may ask for.
const NAME: &str = "TRINE_NAME";
const LABELS: &str = "TRINE_LABELS";

/// Variables that worker processes do not inherit.
pub(crate) const VARIABLES: [&str; 5] = [CLUSTER, KEY, KEY_FILE, NKEY, SERVE];

const WAIT_DEFAULT: Duration = Duration::from_secs(30);
const LEASE_DEFAULT: Duration = Duration::from_secs(10);
const MIN_LEASE: Duration = Duration::from_secs(1);
/// How long answers are kept for a caller that is away.
const KEEP: Duration = Duration::from_secs(15 * 60);

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) addresses: Addresses,
    pub(crate) key: Key,
    pub(crate) terms: Terms,
    pub(crate) replicas: usize,
    pub(crate) store: Option<i64>,
    pub(crate) name: String,
    pub(crate) labels: Vec<String>,
    options: ConnectOptions,
    credentials: Option<PathBuf>,
}

impl Settings {
    /// `None` if no cluster is configured.
    pub(crate) fn find() -> Option<Result<Self, String>> {
        let chosen = cluster::chosen();
        let addresses = chosen.address.clone().or_else(|| env::var(CLUSTER).ok())?;
        Some(Self::read(&addresses, chosen))
    }

    fn read(addresses: &str, chosen: &Chosen) -> Result<Self, String> {
        let addresses = Addresses::read(addresses).map_err(|why| format!("{CLUSTER} {why}"))?;
        let (secret, from) = secret(chosen)?;
        let key = Key::new(&secret).map_err(|why| format!("{from} {why}"))?;
        let wait = chosen.wait.map_or_else(|| seconds(WAIT, WAIT_DEFAULT), Ok)?;
        let lease = seconds(LEASE, LEASE_DEFAULT)?;
        if lease < MIN_LEASE {
            return Err(format!("{LEASE} must be at least {MIN_LEASE:?}, but is {lease:?}"));
        }
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 4);
        let terms = Terms {
            lease: milliseconds(lease),
            keep: milliseconds(KEEP),
            wait: milliseconds(wait),
        };
        let mut options = chosen.options.clone().unwrap_or_default();
        if let Some((user, password)) = addresses.login()? {
            options = match password {
                Some(password) => options.user_and_password(user, password),
                None => options.token(user),
            };
        }
        if let Some(path) = file(CERTIFICATES)? {
            options = options.add_root_certificates(path);
        }
        if let Some(path) = file(NKEY)? {
            options = options.nkey(read(NKEY, &path)?.trim().to_owned());
        }
        Ok(Self {
            addresses,
            key,
            terms,
            replicas: number(REPLICAS)?.unwrap_or(1),
            store: number(STORE)?,
            name: name(),
            labels: labels()?,
            options,
            credentials: file(CREDENTIALS)?,
        })
    }

    /// The connection options, except for those that we set.
    pub(crate) async fn options(&self) -> Result<ConnectOptions, String> {
        match &self.credentials {
            None => Ok(self.options.clone()),
            Some(path) => self.options.clone().credentials_file(path).await.map_err(|error| {
                format!("{CREDENTIALS} is {}, which has no credentials: {error}", path.display())
            }),
        }
    }
}

/// The secret, and where it came from.
fn secret(chosen: &Chosen) -> Result<(Vec<u8>, &'static str), String> {
    if let Some(key) = &chosen.key {
        return Ok((key.clone(), KEY));
    }
    if let Some(path) = env::var_os(KEY_FILE) {
        let path = PathBuf::from(path);
        let mut secret = fs::read(&path).map_err(|error| unreadable(KEY_FILE, &path, &error))?;
        // Without the final newline that an editor or a shell leaves.
        while secret.last().is_some_and(|byte| byte.is_ascii_whitespace()) {
            secret.pop();
        }
        return Ok((secret, KEY_FILE));
    }
    match env::var(KEY) {
        Ok(key) => Ok((key.into_bytes(), KEY)),
        Err(_) => Err(format!(
            "{CLUSTER} is set but {KEY} is not: set it to the machines' secret, or {KEY_FILE} to \
             a file that contains it"
        )),
    }
}

/// The file that a variable names, if set; an error if it cannot be read.
fn file(variable: &str) -> Result<Option<PathBuf>, String> {
    let Some(path) = env::var_os(variable).map(PathBuf::from) else { return Ok(None) };
    match fs::File::open(&path) {
        Ok(_) => Ok(Some(path)),
        Err(error) => Err(unreadable(variable, &path, &error)),
    }
}

fn read(variable: &str, path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| unreadable(variable, path, &error))
}

fn unreadable(variable: &str, path: &Path, error: &std::io::Error) -> String {
    format!("{variable} is {}, which cannot be read: {error}", path.display())
}

fn seconds(variable: &str, or: Duration) -> Result<Duration, String> {
    let Some(text) = env::var_os(variable) else { return Ok(or) };
    text.to_str()
        .and_then(|text| Duration::try_from_secs_f64(text.trim().parse().ok()?).ok())
        .ok_or_else(|| format!("{variable} must be a number of seconds, but is {text:?}"))
}

/// A number of at least 1, if the variable is set.
fn number<N: FromStr + PartialOrd + From<u8>>(variable: &str) -> Result<Option<N>, String> {
    let Some(text) = env::var_os(variable) else { return Ok(None) };
    let number: Option<N> = text.to_str().and_then(|text| text.trim().parse().ok());
    let number = number.filter(|number| *number >= N::from(1));
    let odd = || format!("{variable} must be a whole number of at least 1, but is {text:?}");
    number.ok_or_else(odd).map(Some)
}

/// This machine's name: as configured, or else its host name.
fn name() -> String {
    let named = env::var_os(NAME).or_else(|| env::var_os("HOSTNAME"));
    let system = || fs::read("/proc/sys/kernel/hostname").or_else(|_| fs::read("/etc/hostname"));
    let name = named.map(OsString::into_encoded_bytes).or_else(|| system().ok());
    let name = String::from_utf8_lossy(&name.unwrap_or_default()).trim().to_owned();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

fn labels() -> Result<Vec<String>, String> {
    let text = env::var(LABELS).unwrap_or_default();
    let labels = text.split(',').map(str::trim).filter(|label| !label.is_empty());
    let labels: Vec<_> = labels.map(str::to_owned).collect();
    let is_odd = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
    match labels.iter().find(|label| label.contains(is_odd)) {
        None => Ok(labels),
        Some(odd) => Err(format!(
            "{LABELS} has the label {odd:?}: use letters, digits, `-` and `_`, and commas between \
             labels"
        )),
    }
}
