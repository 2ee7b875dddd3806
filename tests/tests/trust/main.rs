//! What trine promises when things go wrong: no failure of one task harms another, and every call
//! has one answer.

mod threads_that_serve;
mod waits;
