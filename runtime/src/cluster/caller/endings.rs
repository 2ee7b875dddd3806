//! How calls end at their caller, and what they yield before.

use std::sync::Arc;
use std::time::Duration;

use super::event_loop::EventLoop;
use super::lane::{Lane, give};
use super::remote::Remote;
use crate::cluster::broker::envelope::{Body, Ending, Stored, Value};
use crate::cluster::protocol::{End, Why};
use crate::process::fault::Fault;

impl EventLoop {
    pub(super) fn finish(&mut self, number: u64, end: End<Body>) {
        match end {
            End::Nobody(why) => {
                let why = self.say(number, why);
                self.fail(number, why);
            }
            End::Returned => self.end(number, |call| call.return_it()),
            End::Lost => self.tell(number, Ending::Failed(Fault::WorkerLost)),
            End::Ended(body) | End::Unwanted(body) => self.hear_of(number, &body),
        }
    }

    /// Its machine says how a call goes on, or has ended.
    pub(super) fn hear_of(&mut self, number: u64, body: &Body) {
        let broken = || {
            let message = "the machine's answer cannot be decoded".to_owned();
            Ending::Failed(Fault::Codec { message })
        };
        self.tell(number, body.open().unwrap_or_else(broken));
    }

    fn tell(&mut self, number: u64, ending: Ending) {
        let stored = ending.value().and_then(Value::stored).cloned();
        let Some(open) = self.open.get_mut(&number) else { return self.forget(stored) };
        if let (None, Some(_), Some(broker)) = (&open.lane, stored, &self.broker) {
            open.lane = Some(Lane::open(broker.clone(), Arc::clone(&open.call)));
        }
        if ending.is_end() {
            let lane = open.lane.take();
            self.end(number, |call| pass(lane.as_ref(), &*call, ending));
        } else {
            pass(open.lane.as_ref(), &*open.call, ending);
        }
    }

    pub(super) fn fail(&mut self, number: u64, message: String) {
        self.end(number, |call| call.fail(Fault::Worker { message }));
    }

    pub(super) fn end(&mut self, number: u64, tell: impl FnOnce(Arc<dyn Remote>)) {
        let Some(open) = self.open.remove(&number) else { return };
        self.forget(open.arguments);
        drop(open.place);
        tell(open.call);
    }

    /// Stored arguments are no longer needed.
    pub(super) fn forget(&self, arguments: Option<Stored>) {
        if let (Some(stored), Some(broker)) = (arguments, self.broker.clone()) {
            tokio::spawn(async move { broker.forget(&stored).await });
        }
    }

    /// There will never be a connection.
    pub(super) fn refuse(&mut self, why: String) {
        let numbers: Vec<_> = self.open.keys().copied().collect();
        numbers.into_iter().for_each(|number| self.fail(number, why.clone()));
        self.refusal = Some(why);
    }

    fn say(&self, number: u64, why: Why) -> String {
        let address = &self.settings.addresses;
        let wait = Duration::from_millis(self.settings.terms.wait);
        match why {
            Why::NoMachine => {
                let label =
                    self.open.get(&number).and_then(|open| open.call.function().options().on);
                let with = label.map_or(" and this key".to_owned(), |on| {
                    format!(", this key and the label `{on}`")
                });
                self.last_error.after(format!(
                    "no machine with this build of the program{with} was found at {address} within \
                     {wait:?}"
                ))
            }
            Why::NoBroker => {
                let last = self.last_error.get().unwrap_or_else(|| "it does not answer".to_owned());
                format!("the broker at {address} cannot be reached: {last}")
            }
        }
    }
}

/// Gives a call what its machine says, after what is still on its way there.
fn pass(lane: Option<&Lane>, call: &dyn Remote, ending: Ending) {
    match lane {
        Some(lane) => lane.send(ending),
        None => give(call, ending),
    }
}
