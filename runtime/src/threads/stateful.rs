//! Workers with state on the pool. They have no thread of their own: whoever ends a call queues the
//! next one, and a joiner runs those before its own that nobody has begun.

use std::sync::Arc;

use super::call::ThreadCall;
use crate::cell::JobCell;
use crate::cross::{Arguments, RepeatableArguments};
use crate::function::Function;
use crate::limit::Admit;
use crate::retry::{self, Retry};
use crate::stream::flow::Flow;
use crate::stream::{self, Stream};
use crate::task::{Call, Task};
use crate::worker::construction::{Construction, Made};
use crate::worker::line::{Home, Ticket, Turn};
use crate::worker::slot::{Kept, Slot, Slots, failed};
use crate::worker::{Constructed, Outlet, Worker};
use crate::{panic, sequential, tokio};

/// Starts a worker whose value `body` makes on the pool; what a constructor expands to in an `impl`
/// with `#[concurrent(threads)]`.
///
/// The arguments are kept, and copied each time that the value is made.
///
/// ```
/// static NEW: trine::Function = trine::Function::new("new");
/// static PUSH: trine::Function = trine::Function::new("push");
/// let list = trine::threads::worker(&NEW, (1,), |(first,): (u32,)| vec![first]);
/// let push = |list: &mut Vec<u32>, (number,): (u32,)| list.push(number);
/// trine::threads::call_mut(&list, &PUSH, (2,), push).join()?;
/// let sum = |list: &Vec<u32>, ()| list.iter().sum::<u32>();
/// assert_eq!(trine::threads::call(&list, &PUSH, (), sum).join()?, 3);
/// # Ok::<(), trine::Error>(())
/// ```
pub fn worker<T, A, B, M>(
    constructor: &'static Function,
    arguments: A,
    body: fn(B) -> M,
) -> Worker<T>
where
    T: Send + 'static,
    A: RepeatableArguments<B> + 'static,
    B: 'static,
    M: Constructed<T> + 'static,
{
    let makers = Kept::each(constructor, arguments, |arguments: A| -> Maker<T> {
        Box::new(move || {
            let arguments = arguments.clone();
            Box::new(move || body(arguments.values()).constructed())
        })
    });
    let places = makers.map(|maker| {
        let slot = Slot::new();
        let home: Box<dyn Home> = Box::new(Pooled { constructor, slot: Arc::clone(&slot), maker });
        (slot, home)
    });
    let (slots, homes): (Vec<_>, Vec<_>) = places.unzip();
    Worker::start(constructor, Arc::new(slots.into_boxed_slice()), homes.into())
}

/// Starts `body` on the pool when it is its turn at this worker; what a method with `&self` expands
/// to.
pub fn call<T, A, B, R>(
    worker: &Worker<T>,
    function: &'static Function,
    arguments: A,
    body: fn(&T, B) -> R,
) -> Task<R>
where
    T: Send + 'static,
    A: Arguments<B> + 'static,
    B: 'static,
    R: Send + 'static,
{
    enter(worker, function, (arguments, body), look)
}

/// The same for a method with `&mut self`: if it panics, the value is gone.
pub fn call_mut<T, A, B, R>(
    worker: &Worker<T>,
    function: &'static Function,
    arguments: A,
    body: fn(&mut T, B) -> R,
) -> Task<R>
where
    T: Send + 'static,
    A: Arguments<B> + 'static,
    B: 'static,
    R: Send + 'static,
{
    enter(worker, function, (arguments, body), change)
}

/// The same for a method with `&self` and `retries`. Each try waits for its turn.
pub fn call_retrying<T, A, B, R>(
    worker: &Worker<T>,
    function: &'static Function,
    arguments: A,
    body: fn(&T, B) -> R,
    again: Retry<R>,
) -> Task<R>
where
    T: Send + 'static,
    A: RepeatableArguments<B> + 'static,
    B: 'static,
    R: Send + 'static,
{
    let worker = worker.clone();
    let attempt = move |arguments| call(&worker, function, arguments, body);
    retry::spawn(function, tokio::hold_clock(), arguments, attempt, move |outcome| {
        again.wants(outcome)
    })
}

/// Starts `body` on the pool when it is its turn at this worker, and gives the items that it puts
/// out; what a method with `&self` expands to that yields. It has its turn until it has ended.
pub fn call_stream<T, A, B, R>(
    worker: &Worker<T>,
    function: &'static Function,
    arguments: A,
    body: fn(&T, B, Outlet<'_, R>) -> bool,
) -> Stream<R>
where
    T: Send + 'static,
    A: Arguments<B> + 'static,
    B: 'static,
    R: Send + 'static,
{
    let flow = stream::flow(function);
    let yielding = (body, Arc::clone(&flow), function);
    let ticket = Ticket::yielding(Arc::clone(worker.line()));
    let task = enter_with(ticket, worker, function, (arguments, yielding), look_through);
    Stream::new(flow, task, stream::as_they_are)
}

/// The same for a method with `&mut self`: if it panics, the value is gone.
pub fn call_stream_mut<T, A, B, R>(
    worker: &Worker<T>,
    function: &'static Function,
    arguments: A,
    body: fn(&mut T, B, Outlet<'_, R>) -> bool,
) -> Stream<R>
where
    T: Send + 'static,
    A: Arguments<B> + 'static,
    B: 'static,
    R: Send + 'static,
{
    let flow = stream::flow(function);
    let yielding = (body, Arc::clone(&flow), function);
    let ticket = Ticket::yielding(Arc::clone(worker.line()));
    let task = enter_with(ticket, worker, function, (arguments, yielding), change_through);
    Stream::new(flow, task, stream::as_they_are)
}

/// What a call carries: where the values are, the arguments, and the method.
type Method<T, A, F> = (Arc<Slots<T>>, A, F);

fn look<T, A, B, R>(method: Method<T, A, fn(&T, B) -> R>, copy: usize) -> R
where
    A: Arguments<B>,
{
    let (slots, arguments, body) = method;
    body(&slots[copy].hold(false), arguments.values())
}

fn change<T, A, B, R>(method: Method<T, A, fn(&mut T, B) -> R>, copy: usize) -> R
where
    A: Arguments<B>,
{
    let (slots, arguments, body) = method;
    let mut held = slots[copy].hold(true);
    let result = body(&mut held, arguments.values());
    held.give_back();
    result
}

/// The same of one that yields, with where its items go.
type Yielding<T, A, F, R> = Method<T, A, (F, Arc<Flow<R>>, &'static Function)>;
type Look<T, B, R> = fn(&T, B, Outlet<'_, R>) -> bool;
type Change<T, B, R> = fn(&mut T, B, Outlet<'_, R>) -> bool;

fn look_through<T, A, B, R>(method: Yielding<T, A, Look<T, B, R>, R>, copy: usize) -> bool
where
    A: Arguments<B>,
    R: Send + 'static,
{
    let (slots, arguments, (body, flow, function)) = method;
    let held = slots[copy].hold(false);
    drive(function, &flow, |outlet| body(&held, arguments.values(), outlet))
}

/// Runs a body that puts its items there.
fn drive<R: Send + 'static>(
    function: &'static Function,
    flow: &Arc<Flow<R>>,
    body: impl FnOnce(Outlet<'_, R>) -> bool,
) -> bool {
    let _alarm = stream::stop_in_time(function, flow);
    body(Outlet::new(&mut |item| stream::push(flow, item)))
}

fn change_through<T, A, B, R>(method: Yielding<T, A, Change<T, B, R>, R>, copy: usize) -> bool
where
    A: Arguments<B>,
    R: Send + 'static,
{
    let (slots, arguments, (body, flow, function)) = method;
    let mut held = slots[copy].hold(true);
    let values = arguments.values();
    let is_all = drive(function, &flow, |outlet| body(&mut held, values, outlet));
    held.give_back();
    is_all
}

fn enter<T, A, F, R>(
    worker: &Worker<T>,
    function: &'static Function,
    method: (A, F),
    run: fn(Method<T, A, F>, usize) -> R,
) -> Task<R>
where
    T: Send + 'static,
    A: Send + 'static,
    F: Send + 'static,
    R: Send + 'static,
{
    enter_with(Ticket::new(Arc::clone(worker.line())), worker, function, method, run)
}

fn enter_with<T, A, F, R>(
    ticket: Ticket,
    worker: &Worker<T>,
    function: &'static Function,
    (arguments, body): (A, F),
    run: fn(Method<T, A, F>, usize) -> R,
) -> Task<R>
where
    T: Send + 'static,
    A: Send + 'static,
    F: Send + 'static,
    R: Send + 'static,
{
    if let Some(refusal) = worker.refusal(function.name()) {
        panic::drop_quietly((arguments, body));
        return sequential::done(function.name(), Err(refusal));
    }
    let job = JobCell::in_line(function, "threads", (worker.place(), arguments, body), ticket);
    let call = Arc::new(ThreadCall { job, body: run });
    worker.line().enter(call.clone());
    let task = Task::new(call);
    if sequential::is_on() {
        task.help();
    }
    task
}

/// Copies the arguments, for each run of the constructor.
type Maker<T> = Box<dyn FnMut() -> Box<dyn FnOnce() -> Result<T, String>> + Send>;

/// What making a value takes.
type Making<T> = (&'static str, Arc<Slot<T>>, Arc<Kept<Maker<T>>>);

/// A value that the pool makes, and drops.
struct Pooled<T> {
    constructor: &'static Function,
    slot: Arc<Slot<T>>,
    maker: Arc<Kept<Maker<T>>>,
}

impl<T: Send + 'static> Home for Pooled<T> {
    fn make(&self, turn: Turn) {
        let (name, slot) = (self.constructor.name(), Arc::clone(&self.slot));
        let body: fn(Making<T>) -> Made<T> = |(name, slot, maker)| {
            slot.clear();
            let making = maker.run(name, |maker| maker())?;
            // Without what it is made by, which another run may need meanwhile.
            let made = panic::catch(name, making).map_err(|error| failed(name, &error))?;
            made.map_err(|why| failed(name, &why))
        };
        let job = (name, slot, Arc::clone(&self.maker));
        let job = JobCell::in_line(self.constructor, "threads", job, Ticket::making(&turn));
        Construction::begin(turn, &self.slot, Arc::new(ThreadCall { job, body }));
    }

    fn clear(&self, turn: Turn, is_last: bool) {
        static DROP: Function = Function::new("drop");
        let (name, maker) = (self.constructor.name(), is_last.then(|| Arc::clone(&self.maker)));
        run(&turn, &DROP, (Arc::clone(&self.slot), name, maker), |(slot, name, maker)| {
            slot.clear();
            maker.into_iter().for_each(|maker| maker.clear(name));
        });
    }

    fn is_lost(&self) -> bool {
        self.slot.is_lost()
    }
}

/// Runs something on the pool that has the turn.
fn run<A: Send + 'static>(turn: &Turn, function: &'static Function, job: A, body: fn(A)) {
    let job = JobCell::in_line(function, "threads", job, Ticket::from(turn));
    let call = Arc::new(ThreadCall { job, body });
    turn.hold(call.clone());
    call.cell().abandon();
    call.admit();
}
