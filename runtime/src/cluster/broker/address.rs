//! The addresses of the broker, and the passwords in them, which are never shown.

use async_nats::ServerAddr;

/// Addresses without their logins.
#[derive(Clone)]
pub(crate) struct Addresses {
    pub(crate) servers: Vec<ServerAddr>,
    shown: String,
    login: Option<(String, Option<String>)>,
}

impl Addresses {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let addresses = text.split(',').map(str::trim).filter(|address| !address.is_empty());
        let (mut servers, mut shown, mut login) = (Vec::new(), Vec::new(), None);
        for address in addresses {
            let (bare, found) = apart(address);
            login = login.or(found);
            let server = bare.parse::<ServerAddr>().map_err(|error| {
                format!("contains {bare:?}, which is not a broker's address: {error}")
            })?;
            servers.push(server);
            shown.push(bare);
        }
        if servers.is_empty() {
            return Err("names no broker: set it to nats://HOST:4222".to_owned());
        }
        Ok(Self { servers, shown: shown.join(","), login })
    }

    /// The user and the password, or a token.
    pub(crate) fn login(&self) -> Result<Option<(String, Option<String>)>, String> {
        let Some((user, password)) = &self.login else { return Ok(None) };
        let plain = |text: &str| {
            decoded(text).ok_or("the login in the broker's address has an invalid %-sequence")
        };
        Ok(Some((plain(user)?, password.as_deref().map(plain).transpose()?)))
    }
}

impl std::fmt::Display for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Splits an address into itself without the login, and the login.
fn apart(address: &str) -> (String, Option<(String, Option<String>)>) {
    let (scheme, rest) = address.split_once("://").map_or(("", address), |(s, r)| (s, r));
    // A password may contain an `@`, a host cannot.
    let Some((login, host)) = rest.rsplit_once('@') else { return (address.to_owned(), None) };
    let bare = if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") };
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(password.to_owned())),
        None => (login, None),
    };
    (bare, Some((user.to_owned(), password)))
}

/// Decodes %-sequences.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first == b'%' {
            let (digits, behind) = rest.split_first_chunk::<2>()?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = behind;
        } else {
            bytes.push(first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_taken_out_and_never_shown() {
        let both = "nats://me:p%40ss@a:4222, tls://me:p%40ss@b";
        let addresses = Addresses::read(both).unwrap();
        assert_eq!(addresses.to_string(), "nats://a:4222,tls://b");
        let login = addresses.login().unwrap();
        assert_eq!(login, Some(("me".to_owned(), Some("p@ss".to_owned()))));
        assert!(addresses.servers.iter().all(|server| !server.has_user_pass()));
        let token = Addresses::read("nats://t0ken@a").unwrap().login().unwrap();
        assert_eq!(token, Some(("t0ken".to_owned(), None)));
        let raw = Addresses::read("me:p@ss@a:1").unwrap();
        assert_eq!(raw.to_string(), "a:1");
        assert_eq!(raw.login().unwrap().unwrap().1.as_deref(), Some("p@ss"));
        assert!(Addresses::read("nats://me:%x@a").unwrap().login().is_err());
        assert!(Addresses::read(" , ").is_err_and(|why| why.contains("names no broker")));
    }
}
