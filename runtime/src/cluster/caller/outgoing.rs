//! Preparing a call for sending: encoding its arguments, storing them if they are long, and getting
//! a place if its function has a limit.

use std::collections::HashMap;

use tokio::sync::mpsc;

use super::Command;
use super::event_loop::EventLoop;
use super::remote::parts_of;
use crate::cluster::broker::Broker;
use crate::cluster::broker::envelope::{Body, Parcel, Stored, Value};
use crate::cluster::broker::limits::{Place, Places};
use crate::cluster::clock;
use crate::function::Function;
use crate::process::job::Job;
use crate::process::pool::residence::Part;

/// A call that is ready to be sent.
pub(crate) struct Ready {
    parcel: Body,
    stored: Option<Stored>,
    place: Option<Place>,
}

/// The queues of calls that wait for a place, by the code of their function.
pub(super) type Limits = HashMap<i64, mpsc::UnboundedSender<(u64, Ready)>>;

impl EventLoop {
    /// Makes a call wait for the broker as if it waited for a machine.
    pub(super) fn wait(&mut self, number: u64, job: Job) {
        self.waiting.push((number, job));
        // Nothing of it is sent: it exists only to time out.
        let nothing = Body::default();
        self.core.submit(clock::now(), number, nothing, "");
    }

    /// Makes a call ready, here or in a separate task.
    pub(super) fn prepare(&mut self, number: u64, job: Job) {
        self.core.cancel(number);
        let (Some(open), Some(broker)) = (self.open.get(&number), self.broker.clone()) else {
            return;
        };
        let (function, kind) = (open.call.function(), (open.call.yields(), open.call.part()));
        let Job { message, invoke, body } = job;
        let parts = match parts_of(message) {
            Ok(parts) => parts,
            Err(error) => return self.fail(number, error.to_string()),
        };
        let fits = parts.length() + 1024 <= broker.longest();
        let name = format!("{:016x}-{number:x}-arguments", self.id);
        if fits {
            match ready(function, kind, (invoke, body), Value::Here(parts)) {
                Ok(ready) => self.limited(number, function, body, ready),
                Err(why) => self.fail(number, why),
            }
            return;
        }
        let sender = self.sender.clone();
        tokio::spawn(async move {
            let value = broker.place(name, parts).await;
            let ready = value.and_then(|value| ready(function, kind, (invoke, body), value));
            let _ = sender.send(Command::Ready(number, ready));
        });
    }

    /// Sends a call that needs no place; makes the others wait for one.
    fn limited(&mut self, number: u64, function: &'static Function, body: i64, ready: Ready) {
        let Some(limit) = function.options().limit else { return self.submit(number, ready) };
        let (Some(broker), sender) = (self.broker.clone(), self.sender.clone()) else { return };
        let queue = self.limits.entry(body).or_insert_with(|| {
            let (queue, waiting) = mpsc::unbounded_channel();
            tokio::spawn(hand_out(broker, format!("{body:016x}-{limit}"), limit, waiting, sender));
            queue
        });
        let _ = queue.send((number, ready));
    }

    /// Gives a call to whichever machine has room.
    pub(super) fn submit(&mut self, number: u64, ready: Ready) {
        let Ready { parcel, stored, place } = ready;
        let Some(open) = self.open.get_mut(&number) else { return self.forget(stored) };
        let function = open.call.function();
        open.arguments = stored.or(open.arguments.take());
        if place.is_none() && function.options().limit.is_some() {
            // Its arguments were stored first; now it needs a place.
            let stored = open.arguments.clone();
            let Some(body) = parcel.open::<Parcel>().map(|parcel| parcel.body) else { return };
            return self.limited(number, function, body, Ready { parcel, stored, place });
        }
        open.place = place;
        if let Some(home) = open.home {
            if open.call.is_finished() {
                return self.end(number, |call| call.return_it());
            }
            let is_last = open.call.part() == Some(Part::Drops);
            return self.core.submit_home(number, parcel, home, is_last);
        }
        let label = function.options().on.unwrap_or_default();
        match open.call.part() {
            Some(Part::Makes) => self.core.submit_keeper(clock::now(), number, parcel, label),
            _ => self.core.submit(clock::now(), number, parcel, label),
        }
    }
}

fn ready(
    function: &Function,
    (yields, part): (bool, Option<Part>),
    (invoke, body): (i64, i64),
    value: Value,
) -> Result<Ready, String> {
    let (stored, about) = (value.stored().cloned(), value.length());
    let parcel = Parcel {
        name: function.name().to_owned(),
        invoke,
        body,
        options: function.options().clone(),
        yields,
        part,
        value,
    };
    Ok(Ready { parcel: Body::of(&parcel, about)?, stored, place: None })
}

/// Gives places to the calls of a function as they become available.
async fn hand_out(
    broker: Broker,
    function: String,
    limit: usize,
    mut waiting: mpsc::UnboundedReceiver<(u64, Ready)>,
    sender: mpsc::UnboundedSender<Command>,
) {
    let mut places = Places::new(broker, function, limit);
    while let Some((number, ready)) = waiting.recv().await {
        let place = places.take().await;
        let ready = place.map(|place| Ready { place: Some(place), ..ready });
        let _ = sender.send(Command::Ready(number, ready));
    }
}
