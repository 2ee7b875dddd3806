//! What goes out: calls, and word of those that nobody wants any more.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::broker::Broker;
use super::caller::{Caller, Command, OnBroker, TICK, nobody};
use super::envelope::{self, Task};
use super::objects::Placed;
use super::remote::{Remote, parts_of};
use super::subject::{ANY, CallId};
use crate::process::job::Job;

impl Caller {
    pub(crate) async fn obey(
        &'static self,
        broker: &Arc<Broker>,
        mut commands: mpsc::UnboundedReceiver<Command>,
    ) {
        while let Some(command) = commands.recv().await {
            match command {
                Command::Call(number, call, job) => {
                    tokio::spawn(self.publish(Arc::clone(broker), number, call, job));
                }
                Command::Cancel(number, sent) => {
                    let broker = Arc::clone(broker);
                    tokio::spawn(async move { self.withdraw(&broker, number, sent.placed).await });
                }
            }
        }
    }

    async fn publish(
        &'static self,
        broker: Arc<Broker>,
        number: u64,
        call: Arc<dyn Remote>,
        job: Job,
    ) {
        if call.is_finished() {
            self.books().withdrawn.remove(&number);
            return;
        }
        if self.wait.is_zero() && !Box::pin(self.somebody_is_there(&broker)).await {
            return self.give_up_one(number, &nobody(&self.address, self.wait));
        }
        let limit = call.function().options().limit;
        let queue = queue_of(limit, job.body);
        if limit.is_some() {
            Box::pin(self.make_queue(&broker, &*call, &queue, limit)).await;
        }
        match self.send_out(&broker, number, &*call, &queue, job).await {
            Err(why) => self.give_up_one(number, &why),
            Ok(placed) => {
                if let Some(placed) = self.note_place(number, placed) {
                    Box::pin(self.withdraw(&broker, number, Some(placed))).await;
                }
            }
        }
    }

    /// Makes the queue of a function with a limit, and has the machines look for it.
    async fn make_queue(
        &self,
        broker: &Broker,
        call: &dyn Remote,
        queue: &str,
        limit: Option<usize>,
    ) {
        while !call.is_finished() && !self.books().queues.contains(queue) {
            if broker.make_queue(queue, limit).await.is_some() {
                self.books().queues.insert(queue.to_owned());
                broker.tell(broker.build.queues(), &()).await;
            } else {
                sleep(TICK).await;
            }
        }
    }

    /// Notes where a call lies; gives it back if the call was cancelled meanwhile, when it was not
    /// there to be withdrawn.
    fn note_place(&self, number: u64, placed: OnBroker) -> Option<OnBroker> {
        let mut books = self.books();
        match books.calls.get_mut(&number) {
            Some(sent) => {
                sent.placed = Some(placed);
                None
            }
            None => books.withdrawn.remove(&number).then_some(placed),
        }
    }

    /// Sends a call; it is where this says.
    async fn send_out(
        &self,
        broker: &Broker,
        number: u64,
        call: &dyn Remote,
        queue: &str,
        job: Job,
    ) -> Result<OnBroker, String> {
        let id = CallId { caller: self.id, number };
        let subject = broker.build.queue(queue);
        let Job { message, invoke, body } = job;
        let parts = parts_of(message).map_err(|error| error.to_string())?;
        let name = || format!("{:016x}-{number:x}-arguments", self.id);
        let Placed { value, behind } = broker.place(name, parts).await?;
        let function = call.function();
        let seal = || {
            let task = Task {
                id,
                issued: envelope::now(),
                name: function.name().to_owned(),
                invoke,
                body,
                timeout: function.options().timeout,
                memory: function.options().memory,
                fresh: function.options().fresh,
                value: value.clone(),
            };
            broker.seal(&subject, &task, &behind)
        };
        let number = broker.send_task(&subject, seal, || !call.is_finished()).await?;
        Ok(OnBroker { number, value })
    }

    /// Takes a call back that has not started, and has it killed if it has.
    async fn withdraw(&self, broker: &Broker, number: u64, placed: Option<OnBroker>) {
        let id = CallId { caller: self.id, number };
        broker.tell(broker.build.cancel(), &id).await;
        let Some(OnBroker { number, value }) = placed else { return };
        if let (Some(number), Some(tasks)) = (number, broker.tasks().await) {
            // A machine that has it knows by the word that it is not wanted.
            let _ = tasks.delete_message(number).await;
        }
        broker.forget(&value).await;
    }
}

/// Functions with a limit have a queue of their own, by their code.
fn queue_of(limit: Option<usize>, body: i64) -> String {
    limit.map_or_else(|| ANY.to_owned(), |limit| format!("{body:016x}-{limit}"))
}
