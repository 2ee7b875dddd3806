//! Two async tasks, gathered.
//!
//! The same in Python:
//!
//! ```python
//! import asyncio
//!
//! async def task():
//!     print("the task runs")
//!
//! async def main():
//!     await asyncio.gather(task(), task())
//!
//! asyncio.run(main())
//! ```
//!
//! There is no runtime to set up: a program that has none, as this one, gets trine's.
use trine::{concurrent, gather};
fn task() -> ::trine::Task<()> {
    ::trine::asynchronous::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("task");
            &FUNCTION
        },
        (),
        |()| async move {
            println!("the task runs");
        },
    )
}
fn main() -> Result<(), trine::Error> {
    gather([task(), task()]).join()?;
    Ok(())
}
