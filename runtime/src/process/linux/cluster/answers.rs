//! How calls end: what a machine tells a caller, of as many calls as have ended meanwhile.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::batches::Batches;
use super::broker::Broker;
use super::envelope::{Answer, Ending};
use super::subject::CallId;

/// The most that values may make a message longer than the first of them does.
const TOGETHER_MAX: usize = 128 << 10;

/// An answer, what is behind it, and who waits for it to be stored.
type Waiting = (Answer, Vec<u8>, oneshot::Sender<()>);

pub(super) struct Answers {
    broker: Arc<Broker>,
    waiting: Batches<u64, Waiting>,
}

impl Answers {
    pub(super) fn new(broker: Arc<Broker>) -> Self {
        Self { broker, waiting: Batches::new() }
    }

    /// Answers a call; when this returns the broker has it.
    pub(super) async fn give(self: &Arc<Self>, id: CallId, ending: Ending, behind: Vec<u8>) {
        let (sender, stored) = oneshot::channel();
        let answer = Answer { number: id.number, ending };
        if self.waiting.add(id.caller, (answer, behind, sender)) {
            let answers = Arc::clone(self);
            tokio::spawn(async move { answers.work(id.caller).await });
        }
        let _ = stored.await;
    }

    async fn work(&self, caller: u64) {
        while let Some(waiting) = self.waiting.next(&caller) {
            let mut batch = Batch::default();
            for (answer, behind, sender) in waiting {
                if !batch.behind.is_empty() && batch.behind.len() + behind.len() > TOGETHER_MAX {
                    self.send(caller, std::mem::take(&mut batch)).await;
                }
                batch.answers.push(answer);
                batch.behind.extend_from_slice(&behind);
                batch.senders.push(sender);
            }
            self.send(caller, batch).await;
        }
    }

    async fn send(&self, caller: u64, batch: Batch) {
        let subject = self.broker.build.answers(caller);
        // They encode, as each did alone.
        let sealed = self.broker.seal(&subject, &batch.answers, &batch.behind).unwrap_or_default();
        self.broker.append(&subject, &sealed).await;
        batch.senders.into_iter().for_each(|sender| _ = sender.send(()));
    }
}

#[derive(Default)]
struct Batch {
    answers: Vec<Answer>,
    behind: Vec<u8>,
    senders: Vec<oneshot::Sender<()>>,
}
