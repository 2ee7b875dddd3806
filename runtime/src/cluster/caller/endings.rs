//! How calls end at their caller.

use std::sync::Arc;
use std::time::Duration;

use super::event_loop::EventLoop;
use super::remote::Remote;
use crate::cluster::broker::envelope::{Body, Ending, Stored, Value};
use crate::cluster::protocol::{End, Why};
use crate::process::fault::Fault;

impl EventLoop {
    pub(super) fn finish(&mut self, number: u64, end: End<Body>) {
        let why = match end {
            End::Nobody(why) => self.say(number, why),
            End::Lost => return self.end(number, |call| call.fail(Fault::WorkerLost)),
            End::Ended(body) => return self.ended(number, &body),
            End::Unwanted(body) => {
                if let Some(Ending::Replied { value: Value::Stored(stored), .. }) = body.open() {
                    self.forget(Some(stored));
                }
                return;
            }
        };
        self.fail(number, why);
    }

    fn ended(&mut self, number: u64, body: &Body) {
        let broken =
            || Fault::Codec { message: "the machine's answer cannot be decoded".to_owned() };
        match body.open() {
            None => self.end(number, |call| call.fail(broken())),
            Some(Ending::Failed(fault)) => self.end(number, |call| call.fail(fault)),
            Some(Ending::Replied { status, value: Value::Here(parts) }) => {
                self.end(number, |call| call.reply(status, parts));
            }
            Some(Ending::Replied { status, value: Value::Stored(stored) }) => {
                let Some(broker) = self.broker.clone() else { return };
                self.end(number, |call| {
                    tokio::spawn(async move {
                        let parts = broker.collect(Value::Stored(stored.clone())).await;
                        // First, since this program may exit once it has the reply.
                        broker.forget(&stored).await;
                        match parts {
                            Ok(parts) => call.reply(status, parts),
                            Err(message) => call.fail(Fault::Codec { message }),
                        }
                    });
                });
            }
        }
    }

    pub(super) fn fail(&mut self, number: u64, message: String) {
        self.end(number, |call| call.fail(Fault::Worker { message }));
    }

    fn end(&mut self, number: u64, tell: impl FnOnce(Arc<dyn Remote>)) {
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
