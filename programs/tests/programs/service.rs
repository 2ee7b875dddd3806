//! The service: under load, while it crashes, when too many come, and when it is told to stop.

use std::sync::mpsc::channel;
use std::thread;

use crate::common::{check_manners, run};
use crate::running::{Running, answer, answered};

const SERVICE: &str = env!("CARGO_BIN_EXE_service");

#[test]
fn manners() {
    check_manners(SERVICE);
}

#[test]
fn everybody_is_answered_while_workers_crash() {
    for connections in ["16", "200"] {
        let arguments = ["--load", "1000", "--connections", connections, "--crash-every", "100"];
        let ran = run(SERVICE, &arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.out.contains("\n200: 990\n422: 10\nhalf within "), "{ran:?}");
    }
}

#[test]
fn each_end_of_a_call_has_a_status() {
    let service = Running::start(SERVICE);
    assert_eq!(service.ask("/count", "four words in all"), answered(200, "4\n"));
    let crashed = "task `words` crashed: killed by SIGABRT\n";
    assert_eq!(service.ask("/count", "!crash"), answered(422, crashed));
    assert_eq!(service.ask("/count", "!hang"), answered(504, "task `words` timed out after 1s\n"));
    service.stop();
}

/// More hang than it has places, which refuses the rest; they leave, which frees the places.
#[test]
fn who_finds_no_place_is_sent_away_until_others_leave() {
    let service = Running::start(SERVICE);
    let (tell, told) = channel();
    let hung: Vec<_> = (0..400).map(|_| service.send("/count", "!hang")).collect();
    for stream in &hung {
        let (stream, tell) = (stream.try_clone().expect("a handle"), tell.clone());
        thread::spawn(move || answer(stream).map(|answer| tell.send(answer)));
    }
    drop(tell);
    let refused = told.iter().find(|(status, _)| *status != 504);
    assert_eq!(refused, answered(503, "task `words` was refused: its queue is full\n"));
    hung.iter().for_each(|stream| _ = stream.shutdown(std::net::Shutdown::Both));
    let busy = |answer: &Option<(u16, String)>| matches!(answer, Some((503, _)));
    // Behind those that hang it would be minutes later.
    let answer =
        std::iter::repeat_with(|| service.ask("/count", "two words")).find(|answer| !busy(answer));
    assert_eq!(answer, Some(answered(200, "2\n")));
    service.stop();
}
