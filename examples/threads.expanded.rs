//! Two tasks on threads: both started, both joined.
//!
//! The same in Python:
//!
//! ```python
//! from threading import Thread
//!
//! def task():
//!     print("the task runs")
//!
//! first = Thread(target=task)
//! second = Thread(target=task)
//! first.start()
//! second.start()
//! first.join()
//! second.join()
//! ```
use trine::concurrent;
fn task() -> ::trine::Task<()> {
    ::trine::threads::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("task");
            &FUNCTION
        },
        (),
        |()| {
            println!("the task runs");
        },
    )
}
fn main() -> Result<(), trine::Error> {
    let first = task();
    let second = task();
    first.join()?;
    second.join()
}
