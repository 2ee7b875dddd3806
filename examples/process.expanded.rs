//! Two tasks in worker processes: both started, both joined.
//!
//! The same in Python:
//!
//! ```python
//! from multiprocessing import Process
//!
//! def task():
//!     print("the task runs")
//!
//! if __name__ == "__main__":
//!     first = Process(target=task)
//!     second = Process(target=task)
//!     first.start()
//!     second.start()
//!     first.join()
//!     second.join()
//! ```
use trine::concurrent;
fn task() -> ::trine::Task<()> {
    ::trine::process::spawn(
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
