//! Every way in which a process task can end. No test harness: this program plays the parents too.

fn main() {
    #[cfg(unix)]
    trine_tests::outcomes::main();
}
