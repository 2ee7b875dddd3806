//! The process of a value, as its worker sees it: where it is made and dropped, by calls that no
//! handle asks for.

use std::sync::Arc;
use std::time::Duration;

use crate::cell::{Claim, JobCell};
use crate::error::Error;
use crate::function::Function;
use crate::process::address::AtomicAddress;
use crate::process::code::{Code, round_trip};
use crate::process::job::{AnyCall, Job, Reply, codec_error};
use crate::process::launch::{encode, locate};
use crate::process::platform;
use crate::process::pool::residence::{Part, Residence, Value};
use crate::process::pool::{self, Pool};
use crate::process::value::files::What;
use crate::process::value::message::Message;
use crate::process::value::{kept, wire};
use crate::relay;
use crate::timer::Alarm;
use crate::worker::line::{Home, Ticket, Turn};
use crate::worker::slot::failed;

/// How long the destructor of a value may take before its process is killed.
const MAX_DROP: Duration = Duration::from_secs(10);

static DROP: Function = Function::new("drop").timeout(MAX_DROP);

/// What goes to the process of a value. Nothing does if it is kept here.
pub(super) fn job<R>(
    function: &'static str,
    value: Value,
    message: Message,
    code: &Code<R>,
) -> Result<Job, Error> {
    if value.is_here {
        return Ok(Job { message, invoke: 0, body: 0 });
    }
    locate(function, message, code.invoke as usize, code.body)
}

/// A value that is made in a process, and dropped there.
pub(super) struct Housing {
    constructor: &'static Function,
    /// The arguments of the constructor, or what calls are told if they could not be encoded.
    message: Result<Message, Arc<str>>,
    code: Code<Result<(), String>>,
    pub(super) pool: &'static Pool,
    pub(super) residence: Arc<Residence>,
}

pub(super) struct Housed(pub(super) Arc<Housing>);

impl Home for Housed {
    fn make(&self, turn: Turn) {
        if self.0.is_occupied() {
            self.0.clear(turn, true);
        } else {
            self.0.make(turn);
        }
    }

    fn clear(&self, turn: Turn, _is_last: bool) {
        if self.0.is_occupied() {
            self.0.clear(turn, false);
        } else {
            self.0.residence.vacate();
            turn.leave();
        }
    }

    fn is_lost(&self) -> bool {
        self.0.residence.is_lost()
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
        Self { constructor, message, code, pool, residence }
    }

    /// Whether there is a value that this process may drop.
    fn is_occupied(&self) -> bool {
        self.residence.is_occupied() && (self.residence.is_here() || !platform::is_forked_child())
    }

    fn make(self: &Arc<Self>, turn: Turn) {
        let name = self.constructor.name();
        let job = self.message.clone().and_then(|message| {
            let job = job(name, self.residence.value(), message, &self.code);
            job.map_err(|error| failed(name, &error))
        });
        match job {
            Ok(job) => Upkeep::make(self, turn, job).begin(),
            Err(why) => {
                turn.made(Err(why));
                turn.leave();
            }
        }
    }

    /// Has the value dropped, and another one made if it `is_renewed`.
    fn clear(self: &Arc<Self>, turn: Turn, is_renewed: bool) {
        let number = self.residence.value().number;
        let code = Code::new::<(u64,), (u64,)>(|(number,)| kept::clear(number));
        let message = encode(DROP.name(), What::Other, (number,));
        let job =
            message.and_then(|message| job(DROP.name(), self.residence.value(), message, &code));
        match job {
            Ok(job) => Upkeep::clear(self, turn, job, is_renewed).begin(),
            Err(_) => {
                self.residence.vacate();
                if is_renewed { self.make(turn) } else { turn.leave() }
            }
        }
    }
}

/// A call that has the turn, and passes it on when it has ended.
struct Upkeep {
    job: JobCell<Job, ()>,
    housing: Arc<Housing>,
    turn: Turn,
    part: Part,
    /// The value is made anew afterwards.
    is_renewed: bool,
    address: AtomicAddress,
}

impl Upkeep {
    fn make(housing: &Arc<Housing>, turn: Turn, job: Job) -> Arc<Self> {
        Self::new(housing.constructor, housing, turn, job, (Part::Makes, false))
    }

    fn clear(housing: &Arc<Housing>, turn: Turn, job: Job, is_renewed: bool) -> Arc<Self> {
        Self::new(&DROP, housing, turn, job, (Part::Drops, is_renewed))
    }

    fn new(
        function: &'static Function,
        housing: &Arc<Housing>,
        turn: Turn,
        job: Job,
        (part, is_renewed): (Part, bool),
    ) -> Arc<Self> {
        let job = JobCell::in_line(function, "process", job, Ticket::from(&turn));
        job.cell().abandon();
        let (housing, address) = (Arc::clone(housing), AtomicAddress::nowhere());
        Arc::new(Self { job, housing, turn, part, is_renewed, address })
    }

    fn begin(self: Arc<Self>) {
        if !self.job.admit() {
            return self.leave();
        }
        if self.housing.residence.is_here() {
            self.run_inline();
        } else {
            self.housing.pool.submit(self);
        }
    }

    /// Makes or drops the value in this process.
    fn run_inline(&self) {
        let Some(Claim { job, place, .. }) = self.job.claim() else { return };
        place.keep();
        let housing = &self.housing;
        if self.part == Part::Makes {
            let made = round_trip(self.name(), &job.message, housing.code);
            if matches!(made, Ok(Ok(()))) {
                housing.residence.settle_here();
            }
            self.made(made);
        } else {
            kept::clear(housing.residence.value().number);
            self.dropped();
        }
        self.leave();
    }

    fn name(&self) -> &'static str {
        self.job.function().name()
    }

    /// The constructor has ended, wherever it ran.
    fn made(&self, made: Result<Result<(), String>, Error>) {
        let made = match made {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(failed(self.name(), &why)),
            Err(error) => Err(failed(self.name(), &error)),
        };
        if made.is_err() {
            self.housing.residence.vacate();
        }
        self.turn.made(made);
        self.job.cell().finish(Ok(()));
    }

    fn dropped(&self) {
        self.housing.residence.vacate();
        self.job.cell().finish(Ok(()));
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
        Some((&self.housing.residence, self.part))
    }

    fn start_clock(self: Arc<Self>) -> Option<Alarm> {
        // The worker's death ends this call.
        let kill = move || self.housing.residence.vacate();
        Some(Alarm::after(MAX_DROP, kill))
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
        if self.is_renewed {
            let (housing, turn) = (Arc::clone(&self.housing), self.turn.clone());
            relay::run(move || housing.make(turn));
        } else {
            drop(self.job.place());
        }
    }
}
