//! Large values to another machine and back by hand: put into the broker's object store, fetched
//! there, put back, and deleted.

use std::time::{Duration, Instant};

use async_nats::jetstream::object_store::{Config, ObjectStore};
use async_nats::{Client, Request, jetstream};
use futures_util::StreamExt;
use tokio::io::AsyncReadExt;
use tokio::time::sleep;

use crate::cluster::{HUGE, MEGA, MEGAS, client, runtime};
use crate::role::{self, Role};

const SUBJECT: &str = "bare.object";
const ARGUMENT: &str = "argument";
const RESULT: &str = "result";

/// What a child with one of these roles does.
pub(crate) fn play(role: Role) {
    match role {
        Role::ObjectMega => role::tell(runtime().block_on(send_back(MEGA, MEGAS))),
        Role::ObjectHuge => role::tell(runtime().block_on(send_back(HUGE, 1))),
        _ => runtime().block_on(machine()),
    }
}

async fn store() -> (Client, ObjectStore) {
    let client = client().await;
    let config = Config { bucket: "BARE".into(), ..Default::default() };
    let store = jetstream::new(client.clone()).create_object_store(config).await;
    (client, store.expect("a bucket"))
}

async fn machine() {
    let (client, store) = store().await;
    let mut requests = client.subscribe(SUBJECT).await.expect("a subject");
    while let Some(request) = requests.next().await {
        let bytes = fetch(&store, ARGUMENT).await;
        put(&store, RESULT, &bytes).await;
        let inbox = request.reply.expect("the caller waits");
        client.publish(inbox, "".into()).await.expect("the reply goes out");
    }
}

async fn send_back(length: usize, times: u64) -> Duration {
    let (client, store) = store().await;
    let once = async |length: usize| {
        put(&store, ARGUMENT, &vec![7; length]).await;
        // Fails while the machine is not there yet.
        while client.send_request(SUBJECT, Request::new().timeout(None)).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(fetch(&store, RESULT).await.len(), length);
        for name in [ARGUMENT, RESULT] {
            store.delete(name).await.expect("it is there");
        }
    };
    once(1).await;
    let start = Instant::now();
    for _ in 0..times {
        once(length).await;
    }
    start.elapsed()
}

async fn put(store: &ObjectStore, name: &str, bytes: &[u8]) {
    let mut bytes = bytes;
    store.put(name, &mut bytes).await.expect("there is room");
}

async fn fetch(store: &ObjectStore, name: &str) -> Vec<u8> {
    let mut object = store.get(name).await.expect("it is there");
    let mut bytes = Vec::with_capacity(object.info().size);
    object.read_to_end(&mut bytes).await.expect("it is whole");
    bytes
}
