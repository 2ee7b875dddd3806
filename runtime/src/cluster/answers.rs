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
type Waiting = (u64, Vec<u8>, oneshot::Sender<()>);

pub(crate) struct Answers {
    broker: Arc<Broker>,
    waiting: Batches<u64, Waiting>,
}

impl Answers {
    pub(crate) fn new(broker: Arc<Broker>) -> Self {
        Self { broker, waiting: Batches::new() }
    }

    /// Answers a call; when this returns the broker has it.
    pub(crate) async fn give(self: &Arc<Self>, id: CallId, ending: Ending, behind: Vec<u8>) {
        let (sender, stored) = oneshot::channel();
        let frame = self.frame(id.number, ending, &behind);
        if self.waiting.add(id.caller, (id.number, frame, sender)) {
            let answers = Arc::clone(self);
            tokio::spawn(async move { answers.work(id.caller).await });
        }
        let _ = stored.await;
    }

    /// An answer, encoded, with its length before it.
    fn frame(&self, number: u64, ending: Ending, behind: &[u8]) -> Vec<u8> {
        let most = self.most();
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

    /// How long a message may be.
    fn most(&self) -> usize {
        self.broker.client.max_payload().saturating_sub(MESSAGE)
    }

    async fn work(&self, caller: u64) {
        while let Some(waiting) = self.waiting.next(&caller) {
            let together = TOGETHER_MAX.min(self.most());
            let (mut frames, mut senders) = (Vec::new(), Vec::new());
            for (number, frame, sender) in waiting {
                if !frames.is_empty() && frames.len() + frame.len() > together {
                    self.send(caller, &frames, std::mem::take(&mut senders)).await;
                    frames.clear();
                }
                frames.extend_from_slice(&frame);
                senders.push((number, sender));
            }
            self.send(caller, &frames, senders).await;
        }
    }

    async fn send(&self, caller: u64, frames: &[u8], senders: Vec<(u64, oneshot::Sender<()>)>) {
        let subject = self.broker.build.answers(caller);
        let seal = |frames: &[u8]| self.broker.settings.key.seal(&subject, frames).into();
        if !self.broker.append(&subject, &seal(frames)).await {
            // The broker takes less than it did when they were encoded.
            for (number, _) in &senders {
                let message = "its result is longer than what the broker takes now".into();
                let frame = self.frame(*number, Ending::Failed(Fault::Codec { message }), &[]);
                self.broker.append(&subject, &seal(&frame)).await;
            }
        }
        senders.into_iter().for_each(|(_, sender)| _ = sender.send(()));
    }
}

/// The answers of a message, and what is behind each.
pub(crate) fn answers_in(mut frames: &[u8]) -> impl Iterator<Item = (Answer, &[u8])> {
    std::iter::from_fn(move || {
        let (length, rest) = frames.split_first_chunk()?;
        let (frame, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        frames = rest;
        envelope::decode(frame)
    })
}
