//! The outcomes as an ordinary program, for profiles with which Cargo builds no tests.

fn main() {
    #[cfg(unix)]
    trine_tests::outcomes::main();
}
