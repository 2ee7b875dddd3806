//! The process of a value, as its worker sees it: where it is made and dropped, by calls that no
//! handle asks for.

use std::sync::{Arc, Weak};
use std::time::Duration;

use self::then::Then;
use crate::cell::{Claim, JobCell};
use crate::error::Error;
use crate::function::Function;
use crate::process::address::AtomicAddress;
use crate::process::code::{Code, round_trip};
use crate::process::job::{AnyCall, Job, Reply, codec_error};
use crate::process::launch::{encode, locate};
use crate::process::platform;
#[cfg(feature = "cluster")]
use crate::process::pool::residence::Far;
use crate::process::pool::residence::{Part, Residence, Value};
use crate::process::pool::{self, Pool};
use crate::process::value::files::What;
use crate::process::value::message::Message;
use crate::process::value::{kept, wire};
use crate::relay;
use crate::sync::Lock;
use crate::timer::Alarm;
use crate::worker::line::{Home, Making, Ticket, Turn};
use crate::worker::slot::failed;

#[cfg(test)]
mod tests;
mod then;

/// How long the destructor of a value may take before its process is killed.
const MAX_DROP: Duration = Duration::from_millis(if cfg!(test) { 100 } else { 10_000 });

static DROP: Function = Function::new("drop").timeout(MAX_DROP);

/// What goes to the process of a value. Nothing does if it is kept here.
pub(super) fn job(
    function: &'static str,
    value: Value,
    message: Message,
    (invoke, body): (usize, usize),
) -> Result<Job, Error> {
    if value.is_here {
        return Ok(Job { message, invoke: 0, body: 0 });
    }
    locate(function, message, invoke, body)
}

/// A value that is made in a process, and dropped there.
pub(super) struct Housing {
    constructor: &'static Function,
    /// The arguments of the constructor, or what calls are told if they could not be encoded.
    message: Result<Message, Arc<str>>,
    code: Code<Result<(), String>>,
    pool: &'static Pool,
    residence: Arc<Residence>,
    /// Where another value is made while this one serves, or waits to take its place.
    successor: Lock<Option<Arc<Residence>>>,
    /// What makes that one.
    preparing: Lock<Weak<Upkeep>>,
}

pub(super) struct Housed(pub(super) Arc<Housing>);

impl Home for Housed {
    fn make(&self, turn: Turn) {
        if self.0.is_occupied() {
            self.0.clear_own(turn, Then::Remake);
        } else {
            self.0.make(turn);
        }
    }

    fn clear(&self, turn: Turn, _is_last: bool) {
        // Nobody will want that one either.
        let preparing = self.0.preparing.lock().upgrade();
        preparing.into_iter().for_each(Making::interrupt);
        if self.0.is_occupied() {
            self.0.clear_own(turn, Then::Leave);
        } else {
            self.0.residence.vacate();
            turn.leave();
        }
    }

    fn is_lost(&self) -> bool {
        self.0.residence.is_lost()
    }

    fn takes_more(&self) -> bool {
        self.0.residence.takes_more()
    }

    fn is_worn(&self) -> bool {
        self.0.residence.is_worn() && self.0.successor.lock().is_none()
    }

    fn prepare(&self, turn: Turn) {
        self.0.prepare(turn);
    }

    fn renew(&self, turn: Turn, is_alive: bool) {
        let successor = self.0.successor.lock().take();
        if let Some(successor) = successor {
            if is_alive {
                self.0.residence.exchange(&successor);
            }
            self.0.clear(turn, successor, Then::Nothing);
        }
    }

    fn close(&self) {
        self.0.residence.close();
    }

    fn call_back(&self) {
        self.0.pool.call_back(&self.0.residence);
    }
}

impl Housing {
    pub(super) fn new(
        constructor: &'static Function,
        message: Result<Message, Arc<str>>,
        code: Code<Result<(), String>>,
        residence: Arc<Residence>,
    ) -> Self {
        let pool = pool::pool_of_values(constructor);
        let (successor, preparing) = (Lock::new(None), Lock::new(Weak::new()));
        Self { constructor, message, code, pool, residence, successor, preparing }
    }

    /// Whether there is a value that this process may drop.
    fn is_occupied(&self) -> bool {
        self.residence.is_occupied() && (self.residence.is_here() || !platform::is_forked_child())
    }

    fn make(self: &Arc<Self>, turn: Turn) {
        match self.job() {
            Ok(job) => _ = self.begin(&self.residence, turn, job, (Part::Makes, Then::Leave)),
            Err(why) => {
                turn.made(Err(why));
                turn.leave();
            }
        }
    }

    /// Has another value made, while this one serves on.
    fn prepare(self: &Arc<Self>, turn: Turn) {
        // What could be encoded once can be sent.
        let Ok(job) = self.job() else { return self.residence.serve_on() };
        let successor = Residence::new(self.residence.value(), self.constructor);
        *self.successor.lock() = Some(Arc::clone(&successor));
        let preparing = self.begin(&successor, turn, job, (Part::Makes, Then::Succeed));
        *self.preparing.lock() = Arc::downgrade(&preparing);
    }

    /// What makes a value.
    fn job(&self) -> Result<Job, Arc<str>> {
        let name = self.constructor.name();
        let job = job(name, self.residence.value(), self.message.clone()?, self.code.at());
        job.map_err(|error| failed(name, &error))
    }

    fn clear_own(self: &Arc<Self>, turn: Turn, then: Then) {
        self.clear(turn, Arc::clone(&self.residence), then);
    }

    /// Has the value there dropped.
    fn clear(self: &Arc<Self>, turn: Turn, residence: Arc<Residence>, then: Then) {
        let value = residence.value();
        let code = Code::new::<(u64,), (u64,)>(|(number,)| kept::clear(number));
        let message = encode(DROP.name(), What::Other, (value.number,));
        match message.and_then(|message| job(DROP.name(), value, message, code.at())) {
            Ok(job) => _ = self.begin(&residence, turn, job, (Part::Drops, then)),
            Err(_) => {
                residence.vacate();
                match then {
                    Then::Remake => self.make(turn),
                    Then::Leave => turn.leave(),
                    Then::Succeed | Then::Nothing => {}
                }
            }
        }
    }

    fn begin(
        self: &Arc<Self>,
        residence: &Arc<Residence>,
        turn: Turn,
        job: Job,
        (part, then): (Part, Then),
    ) -> Arc<Upkeep> {
        let function = if part == Part::Makes { self.constructor } else { &DROP };
        let job = match then.has_turn() {
            true => JobCell::in_line(function, "process", job, Ticket::from(&turn)),
            false => JobCell::new(function, "process", job),
        };
        job.cell().abandon();
        let (housing, residence) = (Arc::clone(self), Arc::clone(residence));
        let address = AtomicAddress::nowhere();
        let upkeep = Arc::new(Upkeep { job, housing, residence, turn, part, then, address });
        Arc::clone(&upkeep).begin();
        upkeep
    }
}

/// A call that makes a value or drops it. Usually it has the turn, and passes it on when it has
/// ended.
struct Upkeep {
    job: JobCell<Job, ()>,
    housing: Arc<Housing>,
    residence: Arc<Residence>,
    turn: Turn,
    part: Part,
    then: Then,
    address: AtomicAddress,
}

impl Upkeep {
    fn begin(self: Arc<Self>) {
        if self.then.has_turn() && !self.job.admit() {
            return self.leave();
        }
        if self.residence.is_here() {
            return relay::run(move || self.run_inline());
        }
        let makes = self.part == Part::Makes && self.then.has_turn();
        let is_wanted = !makes || self.turn.make(self.clone());
        self.clone().submit();
        if !is_wanted {
            self.interrupt();
        }
    }

    /// Sends it where its value is, or will be.
    fn submit(self: Arc<Self>) {
        #[cfg(feature = "cluster")]
        if self.residence.value().is_far {
            return crate::cluster::submit(self);
        }
        self.housing.pool.submit(self);
    }

    /// Makes or drops the value in this process.
    fn run_inline(&self) {
        let Some(Claim { job, place, .. }) = self.job.claim() else { return };
        place.keep();
        if self.part == Part::Makes {
            let made = round_trip(self.name(), &job.message, self.housing.code);
            if matches!(made, Ok(Ok(()))) {
                self.residence.settle_here();
            }
            self.made(made);
        } else {
            kept::clear(self.residence.value().number);
            self.dropped();
        }
        self.leave();
    }

    fn name(&self) -> &'static str {
        self.job.function().name()
    }

    /// The constructor has ended, wherever it ran, unless it was called off.
    fn made(&self, made: Result<Result<(), String>, Error>) {
        if !self.job.cell().finish(Ok(())) {
            return;
        }
        let made = match made {
            Ok(Ok(())) => Ok(()),
            // As one that is lost later: it may be made anew elsewhere.
            Err(error) if error.is_worker_lost() && self.then.has_turn() => {
                self.residence.vacate();
                Ok(())
            }
            Ok(Err(why)) => Err(failed(self.name(), &why)),
            Err(error) => Err(failed(self.name(), &error)),
        };
        let is_made = made.is_ok();
        if self.then.has_turn() {
            self.turn.made(made);
        }
        if !is_made {
            self.residence.vacate();
            self.come_to_nothing();
        }
    }

    /// There is no value.
    fn come_to_nothing(&self) {
        if !self.then.has_turn() {
            // The one that there is stays, for as many calls again.
            *self.housing.successor.lock() = None;
            self.housing.residence.serve_on();
        }
    }

    fn dropped(&self) {
        self.residence.vacate();
        self.job.cell().finish(Ok(()));
    }
}

impl Making for Upkeep {
    fn interrupt(self: Arc<Self>) {
        // Once it has ended, the next one may be on its way to a process, which is another.
        if self.job.revoke(Error::cancelled(self.name())).is_ok() {
            return self.come_to_nothing();
        }
        // Whoever claims it says where it goes before the next one has the books.
        self.housing.pool.settle();
        let settled = self.residence.settled();
        if self.job.cell().finish(Ok(())) {
            self.residence.vacate_of(settled);
            self.come_to_nothing();
        }
    }
}

impl AnyCall for Upkeep {
    fn claim(&self) -> Option<Claim<Job>> {
        self.job.claim()
    }

    fn function(&self) -> &'static Function {
        self.job.function()
    }

    fn is_finished(&self) -> bool {
        self.job.cell().is_finished()
    }

    fn address(&self) -> &AtomicAddress {
        &self.address
    }

    fn goes_to(&self, worker: u32) {
        self.job.cell().goes_to(worker);
    }

    fn stay(&self) -> Option<(&Residence, Part)> {
        Some((&self.residence, self.part))
    }

    fn start_clock(self: Arc<Self>) -> Option<Alarm> {
        // The worker's death ends this call.
        let allowed = self.job.function().options().timeout?;
        let end = move || match self.part {
            Part::Makes => self.made(Err(Error::timed_out(self.name(), allowed))),
            _ => self.residence.vacate(),
        };
        Some(Alarm::after(allowed, end))
    }

    #[cfg(feature = "cluster")]
    fn has_to_leave(&self, far: &Arc<Far>) {
        // Unless another one has its place already.
        if self.housing.residence.far().is_some_and(|own| Arc::ptr_eq(&own, far)) {
            self.turn.relocate();
        }
    }

    fn complete(&self, reply: Reply) {
        if self.part == Part::Drops {
            return self.dropped();
        }
        // Its own types: no code of users runs.
        let made = match reply.failure(self.name()) {
            Some(error) => Err(error),
            None => wire::decode(reply.bytes.reader())
                .map_err(|error| codec_error(self.name(), &format!("its result: {error}"))),
        };
        self.made(made);
    }

    fn fail(&self, error: Error) {
        match self.part {
            Part::Drops => self.dropped(),
            _ => self.made(Err(error)),
        }
    }

    fn leave(&self) {
        match self.then {
            Then::Leave => drop(self.job.place()),
            Then::Remake => {
                let (housing, turn) = (Arc::clone(&self.housing), self.turn.clone());
                relay::run(move || housing.make(turn));
            }
            Then::Succeed if self.residence.is_occupied() => self.turn.clone().prepared(),
            Then::Succeed | Then::Nothing => {}
        }
    }
}
