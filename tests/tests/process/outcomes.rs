//! Every way in which a process task can end. No test harness: it plays the parents too.

fn main() {
    trine_tests::outcomes::main();
}
