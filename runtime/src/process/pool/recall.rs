//! The end of a call that somebody has begun and nobody wants any more.

use std::sync::Arc;
use std::time::Duration;

use super::books::{Chore, Chores, Pool};
use super::chance::Chance;
use super::link::Link;
use super::outbox::Outbox;
use crate::process::address::Address;
use crate::process::platform;
use crate::timer::Alarm;

/// What is said of a worker whose words about its calls cannot be right.
pub(super) const CORRUPT: &str = "its worker is corrupt: it lies about what it runs";

/// How long a body may have the chance to come to its next yield when nobody reads on.
const MAX_TO_YIELD: Duration = Duration::from_millis(100);
/// How often one looks whether it has.
const LOOK: Duration = Duration::from_millis(20);

impl Pool {
    /// Waits until whoever has the books is done with them.
    pub(crate) fn settle(&self) {
        drop(self.lock());
    }

    /// Ends a claimed call: withdraws it, or kills the worker that runs it.
    pub(crate) fn recall(&'static self, at: impl Fn() -> Address, finish: impl FnOnce()) {
        if platform::is_forked_child() {
            // In a forked child: worker and call belong to the parent process.
            return finish();
        }
        let (before, chores) = self.take_back(&at, None);
        finish();
        self.run(chores);
        // Until it had ended it could be sent to another worker. Whoever comes to it now sees that
        // it has.
        let (_, chores) = self.take_back(&at, Some(before));
        self.run(chores);
        // Requeue what was behind it, once the kill is on its way.
        self.change(|state, chores| self.hand_out(state, chores));
    }

    /// Has a call not run, or its worker killed, unless it is where it was before. Returns where it
    /// is, which changes under the lock, and what is left to do.
    fn take_back(&self, at: impl Fn() -> Address, before: Option<Address>) -> (Address, Chores) {
        let mut chores = Chores::default();
        let mut state = self.lock();
        let address = at();
        if before == Some(address) {
            return (address, chores);
        }
        if let Some(outbox) = state.outbox(address.worker()) {
            let number = address.number_from(outbox.first);
            let runs = |outbox: &Outbox| outbox.link.channel.running() == number * 2 + 1;
            if outbox.withdraw(number) {
                // Its answer is still to come, but nobody waits for it any more.
                let request = outbox.sent(number).and_then(|sent| sent.request.take());
                request.into_iter().for_each(|request| chores.add(Chore::Drop(Box::new(request))));
            } else if outbox.sent(number).is_some() && runs(outbox) {
                // First withdraw what is behind it, or the kill could hit a call that has just
                // started.
                let behind = outbox.withdraw_from(number + 1, usize::MAX);
                if runs(outbox) {
                    outbox.link.doom();
                    chores.add(Chore::Kill(Arc::clone(&outbox.link)));
                }
                state.put_back(behind);
            } else if outbox.is_corrupt() {
                let behind = outbox.withdraw_from(number + 1, usize::MAX);
                outbox.link.doom();
                chores.add(Chore::Condemn(Arc::clone(&outbox.link), CORRUPT));
                state.put_back(behind);
            }
        }
        (address, chores)
    }

    /// Ends a call that yields: takes it back, or has it end at its next yield. If it does not
    /// come to one, its worker is killed.
    pub(crate) fn wind_up(&'static self, at: impl Fn() -> Address, finish: impl FnOnce()) {
        if platform::is_forked_child() {
            return finish();
        }
        let mut state = self.lock();
        let address = at();
        let stopped = state.outbox(address.worker()).and_then(|outbox| {
            let number = address.number_from(outbox.first);
            let runs = outbox.link.channel.running() == number * 2 + 1;
            if runs && outbox.sent(number).is_some() {
                outbox.link.channel.stop(number);
            }
            runs.then(|| Arc::clone(&outbox.link))
        });
        drop(state);
        let Some(link) = stopped else { return self.recall(at, finish) };
        finish();
        let chance = Chance::new(&link.process, LOOK);
        self.await_yield(address, link, chance);
    }

    /// Kills a worker whose call does not come to a yield, although it could have.
    fn await_yield(&'static self, address: Address, link: Arc<Link>, mut chance: Chance) {
        let alarm = Alarm::after(LOOK, move || match chance.look(&link.process) >= MAX_TO_YIELD {
            true => self.recall(|| address, || {}),
            false => self.await_yield(address, link, chance),
        });
        let mut state = self.lock();
        let request = state.outbox(address.worker()).and_then(|outbox| {
            let number = address.number_from(outbox.first);
            outbox.sent(number)?.request.as_mut()
        });
        let left = match request {
            Some(request) => request.set_alarm(Some(alarm)),
            None => Some(alarm),
        };
        drop(state);
        drop(left);
    }
}
