//! The calls that are here: from their messages to their workers, and back to their callers.

use std::collections::hash_map::Entry;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use tokio::sync::mpsc;

use super::Machine;
use super::hosted::{Hosted, Permission, Said, Tell};
use crate::cluster::broker::Broker;
use crate::cluster::broker::envelope::{Body, Ending, Parcel, Parts, Value};
use crate::process::fault::Fault;

/// A lease, and a call's number under it.
pub(super) type Key = (u64, u64);

/// News of a call here.
pub(super) enum Event {
    Collected(Key, Box<Parcel>, Result<Parts, String>),
    Said(Key, Said),
    /// What was said is in its place.
    Placed(Key, Ending),
}

/// A call that is here.
pub(super) struct Call {
    pub(super) hosted: Option<Arc<Hosted>>,
    /// It should stop, and had not started yet.
    pub(super) stops: bool,
    since: Instant,
    /// Where all goes that it says, in order, once some of that has to be stored.
    lane: Option<mpsc::UnboundedSender<Said>>,
    /// The call that keeps the value which it is about.
    pub(super) home: Option<u64>,
    /// It keeps a value.
    pub(super) is_kept: bool,
}

impl Machine {
    /// Until when calls of a lease may start.
    fn permission(&mut self, lease: u64) -> Permission {
        let until = self.core.until(lease).unwrap_or(0);
        let new = || Arc::new(AtomicU64::new(until));
        Arc::clone(self.permissions.entry(lease).or_insert_with(new))
    }

    pub(super) fn submit(&mut self, key: Key, parcel: &Body, home: Option<u64>) {
        let (since, is_kept) = (Instant::now(), false);
        let call = Call { hosted: None, stops: false, since, lane: None, home, is_kept };
        self.calls.insert(key, call);
        let Some(mut parcel) = parcel.open::<Parcel>() else {
            let message = "the call's message cannot be decoded".to_owned();
            return self.says(key, Ending::Failed(Fault::Codec { message }));
        };
        match mem::take(&mut parcel.value) {
            Value::Here(parts) => self.start(key, &parcel, Ok(parts)),
            stored => {
                let (broker, news) = (self.broker.clone(), self.news.clone());
                tokio::spawn(async move {
                    let parts = broker.collect(stored).await;
                    let _ = news.send(Event::Collected(key, Box::new(parcel), parts));
                });
            }
        }
    }

    fn start(&mut self, key: Key, parcel: &Parcel, parts: Result<Parts, String>) {
        match self.calls.get(&key) {
            None => return,
            Some(call) if call.stops || self.has_lost_home(key, call) => {
                return self.take_news(Event::Said(key, Said::Returned));
            }
            Some(_) => {}
        }
        let home = self.home_of(key).and_then(|home| self.calls.get(&home)?.hosted.clone());
        let permission = self.permission(key.0);
        let news = self.news.clone();
        let tell: Tell = Box::new(move |said| _ = news.send(Event::Said(key, said)));
        match parts
            .and_then(|parts| Hosted::start(parcel, &parts, permission, tell, home.as_deref()))
        {
            Ok(hosted) => {
                if let Some(call) = self.calls.get_mut(&key) {
                    call.hosted = Some(hosted);
                }
            }
            Err(message) => self.says(key, Ending::Failed(Fault::Codec { message })),
        }
    }

    /// So many items of a call are no longer on the way.
    pub(super) fn grant(&mut self, key: Key, done: u64) {
        let hosted = self.calls.get(&key).and_then(|call| call.hosted.as_ref());
        hosted.into_iter().for_each(|hosted| hosted.grant(done));
        self.note_pause(key);
    }

    fn note_pause(&mut self, key: Key) {
        let hosted = self.calls.get(&key).and_then(|call| call.hosted.as_ref());
        if let Some(pauses) = hosted.and_then(|hosted| hosted.waits_for_reader()) {
            self.core.pause(key.0, key.1, pauses);
        }
    }

    pub(super) fn take_news(&mut self, news: Event) {
        match news {
            Event::Collected(key, parcel, parts) => self.start(key, &parcel, parts),
            Event::Placed(key, ending) => self.says(key, ending),
            Event::Said(key, Said::Returned) => {
                self.home_of(key).into_iter().for_each(|home| self.look_after(home));
                self.calls.remove(&key);
                self.core.returned(key.0, key.1);
            }
            Event::Said(key, Said::Made(parts)) => self.keep(key, parts),
            Event::Said(key, said) => {
                // Before anybody hears of the end of what it was about.
                self.home_of(key).into_iter().for_each(|home| self.look_after(home));
                self.pass_on(key, said);
            }
        }
    }

    /// Tells the caller of a call what is said of it, or has it stored first if it is long.
    pub(super) fn pass_on(&mut self, key: Key, said: Said) {
        let Entry::Occupied(mut call) = self.calls.entry(key) else { return };
        let lane = &mut call.get_mut().lane;
        if lane.is_none() {
            let length = match &said {
                Said::Yielded(_, parts) | Said::Replied(_, parts) => parts.length(),
                Said::Failed(_) | Said::Returned | Said::Made(_) => 0,
            };
            if length == 0 || length + 1024 <= self.broker.longest() {
                let ending = ending_of(said, Value::Here);
                return self.says(key, ending);
            }
            let (sender, says) = mpsc::unbounded_channel();
            let name = format!("{:016x}-{:x}-{:x}-result", self.id, key.0, key.1);
            let news = self.news.clone();
            tokio::spawn(store(self.broker.clone(), name, says, move |ending| {
                let _ = news.send(Event::Placed(key, ending));
            }));
            *lane = Some(sender);
        }
        let _ = lane.as_ref().map(|lane| lane.send(said));
    }

    /// The caller of a call is told how it goes on, or how it has ended.
    pub(super) fn says(&mut self, key: Key, ending: Ending) {
        let about = ending.value().map_or(256, Value::length);
        let body = Body::of(&ending, about).unwrap_or_default();
        if !ending.is_end() {
            self.core.yielded(key.0, key.1, body);
            return self.note_pause(key);
        }
        if let Some(Call { hosted: Some(hosted), since, .. }) = self.calls.remove(&key) {
            match hosted.waits_for_reader() {
                _ if hosted.is_resident() => {}
                // It has a worker to itself, and delays no others.
                Some(_) if hosted.is_over() => {}
                // What it yielded could not be stored.
                Some(_) => hosted.stop(true),
                None => self.depth.took(since.elapsed(), self.core.calls()),
            }
        }
        self.ended += 1;
        self.core.ended(key.0, key.1, body);
    }
}

fn ending_of(said: Said, place: impl FnOnce(Parts) -> Value) -> Ending {
    match said {
        Said::Yielded(is_run, parts) => Ending::Yielded { is_run, value: place(parts) },
        Said::Replied(status, parts) => Ending::Replied { status, value: place(parts) },
        Said::Failed(fault) => Ending::Failed(fault),
        Said::Made(parts) => Ending::Yielded { is_run: false, value: place(parts) },
        Said::Returned => Ending::Failed(Fault::WorkerLost),
    }
}

/// Stores what is said of one call where it is long, and passes all of it on in order.
async fn store(
    broker: Broker,
    name: String,
    mut says: mpsc::UnboundedReceiver<Said>,
    pass_on: impl Fn(Ending),
) {
    let mut count = 0_u64;
    while let Some(mut said) = says.recv().await {
        count += 1;
        let placed = match &mut said {
            Said::Yielded(_, parts) | Said::Replied(_, parts) => {
                broker.place(format!("{name}-{count:x}"), mem::take(parts)).await
            }
            Said::Failed(_) | Said::Returned | Said::Made(_) => Ok(Value::default()),
        };
        pass_on(match placed {
            Ok(value) => ending_of(said, |_| value),
            Err(message) => Ending::Failed(Fault::Codec { message }),
        });
    }
}
