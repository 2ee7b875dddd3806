//! Nothing: the crates that the test names are too many for the tests of every day, so they have a
//! package of their own, which `.ci/run` tests.
