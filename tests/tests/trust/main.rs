//! What trine promises when things go wrong: no failure of one task harms another, and every call
//! has one answer.

mod apart;
mod bystanders;
mod carried;
mod deadlines;
mod hooks;
mod hostile;
mod nested;
mod retries;
mod surroundings;
mod threads_that_serve;
mod waits;
mod wakers;
