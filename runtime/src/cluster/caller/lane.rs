//! What a machine says about one call, in order, where some of it is stored at the broker: nothing
//! overtakes what is still being fetched.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::remote::Remote;
use crate::cluster::broker::Broker;
use crate::cluster::broker::envelope::{Ending, Value};
use crate::process::fault::Fault;

#[derive(Clone)]
pub(super) struct Lane(mpsc::UnboundedSender<Ending>);

impl Lane {
    pub(super) fn open(broker: Broker, call: Arc<dyn Remote>) -> Self {
        let (sender, mut endings) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(ending) = endings.recv().await {
                fetch(&broker, &*call, ending).await;
            }
        });
        Self(sender)
    }

    pub(super) fn send(&self, ending: Ending) {
        let _ = self.0.send(ending);
    }
}

async fn fetch(broker: &Broker, call: &dyn Remote, mut ending: Ending) {
    let stored = ending.value().and_then(Value::stored).cloned();
    if let (Some(value), Some(stored)) = (ending.value_mut(), stored) {
        let is_wanted = !call.is_finished();
        let parts = match is_wanted {
            true => broker.collect(std::mem::take(value)).await,
            false => Ok(Default::default()),
        };
        // First, since this program may exit once it has the last of it.
        broker.forget(&stored).await;
        match parts {
            Ok(parts) => *value = Value::Here(parts),
            Err(message) => {
                call.give_up();
                ending = Ending::Failed(Fault::Codec { message });
            }
        }
    }
    give(call, ending);
}

/// Gives a call what its machine says.
pub(super) fn give(call: &dyn Remote, ending: Ending) {
    match ending {
        Ending::Yielded { is_run, value: Value::Here(parts) } => call.item(is_run, parts),
        Ending::Replied { status, value: Value::Here(parts) } => call.reply(status, parts),
        Ending::Failed(fault) => call.fail(fault),
        Ending::Noted(notice) => call.note(notice),
        // Only without a connection, over which it came.
        Ending::Yielded { .. } | Ending::Replied { .. } => call.fail(Fault::WorkerLost),
    }
}
