//! A call of another program, run by a worker process here.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::yielding::{self, Yielding};
use crate::cell::{Cell, Claim, JobCell};
use crate::cluster::broker::envelope::{Parcel, Parts};
use crate::cluster::clock;
use crate::error::{Error, ErrorKind};
use crate::function::Function;
use crate::options::Options;
use crate::process::address::AtomicAddress;
use crate::process::channel::ParentEnd;
use crate::process::fault::Fault;
use crate::process::job::{AnyCall, Job, Reply, status};
use crate::process::platform;
use crate::process::pool::residence::{Part, Residence, Value};
use crate::process::pool::{self, Pool};
use crate::process::value::message::{Bytes, Message};
use crate::process::value::wire::{self, Reader};
use crate::stream::ahead;
use crate::sync::Lock;
use crate::task::{Call, deadline};
use crate::timer::Alarm;

/// What is said of a hosted call: what it has yielded, and at last how it ended.
pub(crate) enum Said {
    /// An item, or several in one run.
    Yielded(bool, Parts),
    Replied(u32, Parts),
    /// Its constructor has answered so, and there is a value.
    Made(Parts),
    Failed(Fault),
    /// It was withdrawn before it started.
    Returned,
}

/// Until when calls of a lease may start, for all threads that start calls.
pub(crate) type Permission = Arc<AtomicU64>;

/// Who is told of a call.
pub(crate) type Tell = Box<dyn Fn(Said) + Send + Sync>;

pub(crate) struct Hosted {
    job: JobCell<Job, ()>,
    pool: &'static Pool,
    address: AtomicAddress,
    permission: Permission,
    yielding: Option<Yielding>,
    tell: Tell,
    /// What it does to the value of a worker with state, and where that is.
    stay: Option<(Arc<Residence>, Part)>,
    /// Such a call tells its end once its process serves another.
    end: Lock<Option<Said>>,
}

impl Hosted {
    /// Gives the call to a worker process.
    pub(crate) fn start(
        parcel: &Parcel,
        parts: &Parts,
        permission: Permission,
        tell: Tell,
        home: Option<&Self>,
    ) -> Result<Arc<Self>, String> {
        let files = parts.files.iter().map(|file| platform::freeze(&file.contents).map(Arc::new));
        let files = files.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        let message = Message { bytes: Bytes::new(&parts.bytes), files: files.into() };
        let job = Job { message, invoke: parcel.invoke, body: parcel.body };
        let function = function_of(parcel);
        let waits = if parcel.yields { pool::Waits::ForReader } else { pool::Waits::Never };
        let (pool, stay) = match (parcel.part, home.and_then(|home| home.home())) {
            (None, _) => (pool::pool_of(function, waits)?, None),
            (Some(Part::Makes), _) => {
                let residence = Residence::new(Value::new(false, false), function);
                (pool::pool_of_values(function), Some((residence, Part::Makes)))
            }
            (Some(part), Some((pool, residence))) => (pool, Some((residence, part))),
            (Some(_), None) => return Err("it is about a value that is not here".to_owned()),
        };
        let hosted = Arc::new(Self {
            job: JobCell::new(function, "process", job),
            pool,
            address: AtomicAddress::nowhere(),
            permission,
            yielding: parcel.yields.then(|| Yielding::new(ahead(function))),
            tell,
            stay,
            end: Lock::new(None),
        });
        pool.submit(hosted.clone());
        Ok(hosted)
    }

    /// Where the value is that it makes.
    fn home(&self) -> Option<(&'static Pool, Arc<Residence>)> {
        let (residence, _) = self.stay.as_ref()?;
        Some((self.pool, Arc::clone(residence)))
    }

    /// Whether it is a call of a worker with state.
    pub(crate) fn is_resident(&self) -> bool {
        self.stay.is_some()
    }

    /// Whether the value that it has made is gone.
    pub(crate) fn has_lost(&self) -> bool {
        self.stay.as_ref().is_some_and(|(residence, _)| !residence.is_occupied())
    }

    /// Whether the value that it has made has served for as long as `renew` says; once.
    pub(crate) fn is_worn(&self) -> bool {
        let worn = self.stay.as_ref().filter(|(residence, _)| residence.is_worn());
        worn.map(|(residence, _)| residence.serve_on()).is_some()
    }

    /// Ends the value that it has made.
    fn vacate(&self) {
        let made = self.stay.iter().filter(|(_, part)| *part == Part::Makes);
        made.for_each(|(residence, _)| residence.vacate());
    }

    /// Whether a worker has it.
    pub(crate) fn has_begun(&self) -> bool {
        !self.job.cell().is_queued()
    }

    /// Whether its end was told.
    pub(crate) fn is_over(&self) -> bool {
        self.job.cell().is_finished()
    }

    /// So many items are no longer on the way.
    pub(crate) fn grant(&self, done: u64) {
        self.yielding.iter().for_each(|yielding| yielding.grant(done));
    }

    /// Whether it waits for whoever reads what it yields; `None` if it yields nothing.
    pub(crate) fn waits_for_reader(&self) -> Option<bool> {
        self.yielding.as_ref().map(Yielding::is_full)
    }

    /// Withdraws it, if it has not started.
    pub(crate) fn recall(&self) -> bool {
        let recalled = self.job.revoke(Error::cancelled(self.function().name())).is_ok();
        if recalled {
            (self.tell)(Said::Returned);
        }
        recalled
    }

    /// Withdraws it, or ends what runs: kills its worker, but one that yields for somebody who
    /// wants no more may drop its iterator first.
    pub(crate) fn stop(self: &Arc<Self>, cancelled: bool) {
        if self.recall() {
            return;
        }
        if self.is_over() {
            // It may have made a value.
            return self.vacate();
        }
        let kind = if cancelled { ErrorKind::Cancelled } else { ErrorKind::WorkerLost };
        let why = Error::new(self.function().name(), kind);
        if cancelled && self.yielding.is_some() {
            let fault = Fault::of(&why);
            self.pool.wind_up(|| self.address.load(), || self.finish(Said::Failed(fault)));
        } else {
            self.kill(&why);
        }
    }

    fn kill(self: &Arc<Self>, why: &Error) {
        if self.yielding.is_some() {
            // What it has yielded until now comes before its end.
            self.pool.take_in(self.address.load());
        }
        let fault = Fault::of(why);
        self.pool.recall(|| self.address.load(), || self.finish(Said::Failed(fault)));
    }

    fn finish(&self, ended: Said) {
        if !self.job.cell().finish(Ok(())) {
            return;
        }
        match &self.stay {
            Some((_, Part::Uses | Part::Drops)) => *self.end.lock() = Some(ended),
            _ => (self.tell)(ended),
        }
    }
}

impl Call<()> for Hosted {
    fn cell(&self) -> &Cell<()> {
        self.job.cell()
    }

    fn name(&self) -> &'static str {
        self.job.function().name()
    }

    fn cancel(self: Arc<Self>, why: Error) {
        self.kill(&why);
    }
}

impl AnyCall for Hosted {
    /// The only place where a call starts; refuses if its caller may have given it up by now.
    fn claim(&self) -> Option<Claim<Job>> {
        if clock::now() >= self.permission.load(Ordering::Acquire) {
            self.recall();
            return None;
        }
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

    fn ahead(&self) -> u32 {
        self.yielding.as_ref().map_or(0, Yielding::ahead)
    }

    fn has_yielded(&self) -> bool {
        self.yielding.as_ref().is_some_and(Yielding::has_begun)
    }

    fn take_item(&self, channel: &Arc<ParentEnd>, number: u64, item: Reply) -> bool {
        let Some(yielding) = &self.yielding else { return false };
        if !yielding.take(channel, number, &item) {
            return false;
        }
        if self.is_finished() {
            return true;
        }
        match yielding::parts_of(item) {
            Ok(items) => {
                let tell = |(is_run, parts)| (self.tell)(Said::Yielded(is_run, parts));
                items.into_iter().for_each(tell);
            }
            Err(error) => {
                // It ends at its next yield.
                channel.stop(number);
                let message = format!("an item: {error}");
                self.finish(Said::Failed(Fault::Codec { message }));
            }
        }
        true
    }

    fn start_clock(self: Arc<Self>) -> Option<Alarm> {
        self.function().options().timeout.map(|allowed| deadline(&self, allowed))
    }

    fn complete(&self, reply: Reply) {
        let bytes = reply.bytes.reader().into_vec();
        if let Some((residence, Part::Makes)) = &self.stay {
            let is_made = reply.status == status::DONE
                && matches!(wire::decode(Reader::new(&bytes)), Ok(Ok::<(), String>(())));
            if is_made {
                return self.finish(Said::Made(Parts { bytes, files: Vec::new() }));
            }
            residence.vacate();
        }
        self.finish(match yielding::contents(&reply.handles) {
            Ok(files) => Said::Replied(reply.status, Parts { bytes, files }),
            Err(error) => Said::Failed(Fault::Codec { message: format!("its result: {error}") }),
        });
    }

    fn fail(&self, error: Error) {
        self.finish(Said::Failed(Fault::of(&error)));
    }

    fn stay(&self) -> Option<(&Residence, Part)> {
        self.stay.as_ref().map(|(residence, part)| (&**residence, *part))
    }

    fn withdraw(&self) {
        self.finish(Said::Returned);
    }

    fn leave(&self) {
        let end = self.end.lock().take();
        end.into_iter().for_each(|end| (self.tell)(end));
    }
}

/// The function's data for the pool, leaked once per function. Their number is bounded by the
/// program, and only holders of the key can name one.
fn function_of(parcel: &Parcel) -> &'static Function {
    static KNOWN: Lock<Option<HashMap<(i64, Options), &'static Function>>> = Lock::new(None);
    // Its caller enforces the limit, across all machines.
    let options = Options { limit: None, ..parcel.options.clone() };
    let mut known = KNOWN.lock();
    known
        .get_or_insert_default()
        .entry((parcel.body, options.clone()))
        .or_insert_with(|| Box::leak(Box::new(Function::with(parcel.name.clone().leak(), options))))
}
