//! How calls end: what a machine tells a caller, of as many calls as have ended meanwhile.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::batches::Batches;
use super::broker::Broker;
use super::envelope::{self, Answer, Ending, Fault};
use super::objects::MESSAGE;
use super::subject::CallId;

/// How long a message gets that has more than one of them.
const TOGETHER_MAX: usize = 128 << 10;

/// An answer as it goes, and who waits for it to be stored.
type Waiting = (Vec<u8>, oneshot::Sender<()>);

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
        let frame = self.frame(id.number, ending, &behind);
        if self.waiting.add(id.caller, (frame, sender)) {
            let answers = Arc::clone(self);
            tokio::spawn(async move { answers.work(id.caller).await });
        }
        let _ = stored.await;
    }

    /// An answer, encoded, with its length before it.
    fn frame(&self, number: u64, ending: Ending, behind: &[u8]) -> Vec<u8> {
        let most = self.broker.client.max_payload() - MESSAGE;
        let framed = |ending, behind| {
            let frame = envelope::encode(&Answer { number, ending }, behind).ok()?;
            (frame.len() <= most).then_some(frame)
        };
        let frame = framed(ending, behind).or_else(|| {
            let message = "what is to be said of it is longer than the broker's messages".into();
            framed(Ending::Failed(Fault::Codec { message }), &[])
        });
        let frame = frame.unwrap_or_default();
        [&(frame.len() as u32).to_le_bytes(), &*frame].concat()
    }

    async fn work(&self, caller: u64) {
        while let Some(waiting) = self.waiting.next(&caller) {
            let (mut together, mut senders) = (Vec::new(), Vec::new());
            for (frame, sender) in waiting {
                if !together.is_empty() && together.len() + frame.len() > TOGETHER_MAX {
                    self.send(caller, &together, std::mem::take(&mut senders)).await;
                    together.clear();
                }
                together.extend_from_slice(&frame);
                senders.push(sender);
            }
            self.send(caller, &together, senders).await;
        }
    }

    async fn send(&self, caller: u64, frames: &[u8], senders: Vec<oneshot::Sender<()>>) {
        let subject = self.broker.build.answers(caller);
        let sealed = self.broker.settings.key.seal(&subject, frames).into();
        self.broker.append(&subject, &sealed).await;
        senders.into_iter().for_each(|sender| _ = sender.send(()));
    }
}

/// The answers of a message, and what is behind each.
pub(super) fn answers_in(mut frames: &[u8]) -> impl Iterator<Item = (Answer, &[u8])> {
    std::iter::from_fn(move || {
        let (length, rest) = frames.split_first_chunk()?;
        let (frame, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        frames = rest;
        envelope::decode(frame)
    })
}
