//! The outcomes as an ordinary program, for profiles with which Cargo builds no tests.

fn main() {
    #[cfg(target_os = "linux")]
    trine_tests::outcomes::main();
}
