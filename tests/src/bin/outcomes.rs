//! The outcomes as an ordinary program, for the profiles that Cargo does not build tests with.

fn main() {
    trine_tests::outcomes::main();
}
