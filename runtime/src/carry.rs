//! What is current where a call is made, and is to be current where its body runs:
//! [`Config::carry`](crate::Config::carry).
//!
//! It is captured at the call and travels with the job, so that whoever claims a call has it; and
//! where a closure is given that is to follow a task or may run on another thread. Both closures of
//! the hook are code of users: a panic in them is the call's error, and one in the drop of what
//! they made ends nothing. Calls that they make carry nothing, or there would be no end to it.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, OnceLock};

use crate::panic::drop_quietly;
use crate::sync::Lock;

type Value = Arc<dyn Any + Send + Sync>;
type Within = dyn Fn(&dyn Any, &mut dyn FnMut()) + Send + Sync;

/// How to capture and to restore.
#[derive(Clone)]
pub(crate) struct Hook {
    capture: Arc<dyn Fn() -> Value + Send + Sync>,
    /// Runs a body with the value restored.
    within: Arc<Within>,
}

static HOOK: OnceLock<Hook> = OnceLock::new();

thread_local! {
    /// Whether this thread is inside of users' code that belongs to the hook.
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
}

fn inside<R>(run: impl FnOnce() -> R) -> R {
    struct Leave(bool);
    impl Drop for Leave {
        fn drop(&mut self) {
            IS_INSIDE.set(self.0);
        }
    }
    let _leave = Leave(IS_INSIDE.replace(true));
    run()
}

impl Hook {
    pub(crate) fn new<V, G>(
        capture: impl Fn() -> V + Send + Sync + 'static,
        restore: impl Fn(&V) -> G + Send + Sync + 'static,
    ) -> Self
    where
        V: Send + Sync + 'static,
    {
        let within = move |value: &dyn Any, body: &mut dyn FnMut()| {
            let value: Option<&Quiet<V>> = value.downcast_ref();
            let restored = |value| Quiet(Some(inside(|| restore(value))));
            let _guard = value.and_then(|value| value.0.as_ref()).map(restored);
            body();
        };
        let capture = move || -> Value { Arc::new(Quiet(Some(capture()))) };
        Self { capture: Arc::new(capture), within: Arc::new(within) }
    }

    /// Has all calls carry this from now on.
    pub(crate) fn set(self) {
        let _ = HOOK.set(self);
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").finish_non_exhaustive()
    }
}

/// What users made and others drop.
struct Quiet<T>(Option<T>);

impl<T> Drop for Quiet<T> {
    fn drop(&mut self) {
        inside(|| drop_quietly(self.0.take()));
    }
}

/// What was captured where a call was made.
#[derive(Clone)]
pub(crate) struct Carried(Arc<Captured>);

struct Captured {
    hook: &'static Hook,
    /// Or the payload of the panic, for whoever comes first.
    value: Result<Value, Lock<Option<Box<dyn Any + Send>>>>,
}

/// Whether calls carry anything.
#[inline]
pub(crate) fn is_set() -> bool {
    HOOK.get().is_some()
}

/// Captures what is current here.
#[cold]
pub(crate) fn capture() -> Option<Carried> {
    let hook = HOOK.get()?;
    if IS_INSIDE.get() {
        return None;
    }
    let value = catch_unwind(AssertUnwindSafe(|| inside(|| (hook.capture)())));
    let value = value.map_err(|payload| Lock::new(Some(payload)));
    Some(Carried(Arc::new(Captured { hook, value })))
}

/// Runs a body where what was captured is current.
///
/// # Panics
/// When the body does, or what restores, or what captured did.
#[inline]
pub(crate) fn within<R>(carried: Option<&Carried>, body: impl FnOnce() -> R) -> R {
    let Some(Carried(captured)) = carried else { return body() };
    let value = match &captured.value {
        Ok(value) => value,
        Err(payload) => resume_unwind(payload.lock().take().unwrap_or_else(|| Box::new(NO_VALUE))),
    };
    let (mut body, mut result) = (Some(body), None);
    (captured.hook.within)(&**value, &mut || result = body.take().map(|body| body()));
    result.unwrap_or_else(|| unreachable!("a hook runs the body once"))
}

/// A closure that runs, wherever and whenever, with what is current here.
pub(crate) fn along<T, R>(run: impl FnOnce(T) -> R) -> impl FnOnce(T) -> R {
    let carried = if is_set() { capture() } else { None };
    move |value| within(carried.as_ref(), || run(value))
}

const NO_VALUE: &str = "the hook of `Config::carry` panicked when it captured";
