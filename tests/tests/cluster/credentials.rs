//! Brokers with an operator, whose accounts and users have signed tokens, made here.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use data_encoding::BASE64URL_NOPAD;
use nkeys::KeyPair;

use super::deployment::{machine, said};
use super::world::{Process, World};

pub(crate) const CHECKS: &[super::Check] = &[
    ("a file of credentials is used and never shown", credentials),
    ("what an account may not do is said", no_permission),
];

/// A token that says something about somebody.
fn token(issuer: &KeyPair, subject: &KeyPair, more: &str) -> String {
    let (issued, about) = (issuer.public_key(), subject.public_key());
    let (name, nats) = (r#""name":"trine""#, format!(r#""nats":{{{more},"version":2}}"#));
    let head = r#"{"typ":"JWT","alg":"ed25519-nkey"}"#;
    let body = format!(
        r#"{{"jti":"{about}","iat":1700000000,"iss":"{issued}","sub":"{about}",{name},{nats}}}"#
    );
    let text = [head, &body].map(|part| BASE64URL_NOPAD.encode(part.as_bytes())).join(".");
    let signature = BASE64URL_NOPAD.encode(&issuer.sign(text.as_bytes()).unwrap());
    format!("{text}.{signature}")
}

/// Everything that an account may use without a bound, except for the store.
const LIMITS: &str = r#""limits":{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,
    "wildcards":true,"conn":-1,"leaf":-1}"#;

/// A broker's operator, and an account.
struct Operator {
    account: KeyPair,
    settings: String,
}

impl Operator {
    fn new() -> Self {
        let (operator, account) = (KeyPair::new_operator(), KeyPair::new_account());
        let own = token(&operator, &operator, r#""type":"operator""#);
        let other = token(&operator, &account, &format!(r#""type":"account",{LIMITS}"#));
        let name = account.public_key();
        let settings =
            format!("operator: {own}\nresolver: MEMORY\nresolver_preload: {{ {name}: {other} }}");
        Self { account, settings }
    }

    /// The contents of a file of credentials.
    fn user(&self, permissions: &str) -> String {
        let user = KeyPair::new_user();
        let limits = r#""subs":-1,"data":-1,"payload":-1"#;
        let token = token(&self.account, &user, &format!(r#""type":"user",{permissions}{limits}"#));
        let seed = user.seed().unwrap();
        format!(
            "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    }
}

fn with(file: &str) -> [(&str, &str); 1] {
    [("TRINE_CLUSTER_CREDENTIALS", file)]
}

fn credentials() {
    let operator = Operator::new();
    let world = World::without_store_but(&operator.settings);
    let [right, wrong] = ["right.creds", "wrong.creds"].map(|name| world.folder.join(name));
    fs::write(&right, operator.user("")).unwrap();
    let stranger = Operator::new().user("");
    fs::write(&wrong, &stranger).unwrap();
    let right = with(right.to_str().unwrap());
    let _machine = machine(&world, &right);
    assert_eq!(said(&world, "one", &right), "8\n");
    for variables in [&[][..], &with(wrong.to_str().unwrap())] {
        let said = said(&world, "one", variables);
        assert!(said.contains("authorization violation"), "{said}");
        assert!(stranger.lines().filter(|line| line.len() > 40).all(|line| !said.contains(line)));
    }
}

/// Users who may not ask machines, hear their answers, or use the store; and a machine that may not
/// hear its callers.
fn no_permission() {
    let operator = Operator::new();
    let world = World::without_store_but(&operator.settings);
    let user = |name: &str, permissions: &str| {
        let file = world.folder.join(name);
        fs::write(&file, operator.user(permissions)).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let all = user("all.creds", "");
    let _machine = machine(&world, &with(&all));
    for (name, permissions) in [
        ("mute.creds", r#""pub":{"deny":["trine.>"]},"#),
        ("deaf.creds", r#""sub":{"deny":["trine.>"]},"#),
    ] {
        let said = said(&world, "one", &with(&user(name, permissions)));
        assert!(said.contains("no machine with this build"), "{said}");
        assert!(said.contains("the broker's last error: "), "{said}");
        assert!(said.to_lowercase().contains("permissions violation"), "{said}");
    }
    let poor = user("poor.creds", r#""pub":{"deny":["$JS.>"]},"#);
    let said = said(&world, "long", &with(&poor));
    assert!(said.to_lowercase().contains("permissions violation"), "{said}");
    let deaf = user("deaf.creds", r#""sub":{"deny":["trine.>"]},"#);
    let mut command = world.part("machine");
    command.env("TRINE_CLUSTER_CREDENTIALS", &deaf).env("TRINE_SERVE", "1").stderr(Stdio::piped());
    let mut serves = Process(command.spawn().unwrap());
    let mut lines = BufReader::new(serves.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let said = lines.find(|line| line.starts_with("trine has an error from the broker: "));
    assert!(said.unwrap().to_lowercase().contains("permissions violation"));
}
