//! The outcomes as an ordinary program, for profiles with which Cargo builds no tests.

fn main() {
    trine_tests::outcomes::main();
}
