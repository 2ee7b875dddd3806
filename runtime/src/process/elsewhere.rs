//! Where there is no engine yet: every call is an error that says so.

use crate::cross::process::{Arguments, Output};
use crate::error::{Error, ErrorKind};
use crate::function::Function;
use crate::sequential;
use crate::task::Task;

pub(crate) fn spawn<A, B, T>(function: &'static Function, _: A, _: fn(B) -> T) -> Task<T>
where
    A: Arguments<B>,
    T: Output + 'static,
{
    let message = "worker processes need Linux, so far".to_owned();
    let error = Error::new(function.name(), ErrorKind::Worker { message });
    sequential::done(function.name(), Err(error))
}

#[cfg(feature = "cluster")]
pub(crate) fn serve(_: std::num::NonZeroUsize) -> std::io::Result<()> {
    Err(std::io::Error::other("worker processes need Linux, so far"))
}

pub(crate) fn spawn_retrying<A, B, T>(
    function: &'static Function,
    arguments: A,
    body: fn(B) -> T,
    _: fn(&T) -> bool,
) -> Task<T>
where
    A: Arguments<B>,
    T: Output + 'static,
{
    spawn(function, arguments, body)
}
