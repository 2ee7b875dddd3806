//! The service that renders templates of whoever asks: what each end of a template is answered
//! with, and that no client suffers from another's.

use std::thread;

use crate::common::check_manners;
use crate::running::{Running, answer, answered};

const SERVE: &str = env!("CARGO_BIN_EXE_serve");

/// Ten thousand times itself, five times over.
const LOOPS: &str = "{% macro again(depth) %}{% for _ in range(10000) %}\
                     {% if depth %}{{ again(depth - 1) }}{% endif %}\
                     {% endfor %}{% endmacro %}{{ again(5) }}";
/// Twice as long forty times.
const GROWS: &str = "{% set all = namespace(text='grows') %}{% for _ in range(40) %}\
                     {% set all.text = all.text ~ all.text %}{% endfor %}{{ all.text }}";

#[test]
fn manners() {
    check_manners(SERVE);
}

#[test]
fn each_end_of_a_template_has_a_status() {
    let service = Running::start(SERVE);
    let page = "<p>&lt;you&gt; &amp; you</p>";
    assert_eq!(service.ask("/render/%3Cyou%3E", "{{ name }} &amp; you"), answered(200, page));
    let (status, why) = service.ask("/render/you", "\n{{ 1 + }}").expect("an answer");
    assert_eq!(status, 400);
    assert!(why.starts_with("syntax error: ") && why.contains(":2)"), "{why}");
    let (status, why) = service.ask("/render/you", "{{ 1 // 0 }}").expect("an answer");
    assert_eq!(status, 400);
    assert!(why.contains("unable to calculate 1 // 0"), "{why}");
    let late = "task `render` timed out after 1s\n";
    assert_eq!(service.ask("/render/you", LOOPS), answered(504, late));
    let large = "task `render` went over its memory limit\n";
    assert_eq!(service.ask("/render/you", GROWS), answered(422, large));
    assert_eq!(service.ask("/render/you", "{{ name }}"), answered(200, "<p>you</p>"));
    service.stop();
}

#[test]
fn who_asks_for_little_is_answered_whatever_others_ask_for() {
    let service = Running::start(SERVE);
    thread::scope(|scope| {
        let hostile = [(LOOPS, 504), (GROWS, 422), (LOOPS, 504), ("{{", 400)];
        for (template, status) in hostile {
            let service = &service;
            scope.spawn(move || {
                let ended = service.ask("/render/you", template).expect("an answer");
                assert_eq!(ended.0, status, "{}", ended.1);
            });
        }
        for client in 0..4 {
            let service = &service;
            scope.spawn(move || {
                for number in 0..50 {
                    let name = format!("/render/{client}-{number}");
                    let page = format!("<p>{client}-{number}</p>");
                    assert_eq!(service.ask(&name, "{{ name }}"), answered(200, &page));
                }
            });
        }
    });
    // Who leaves takes what runs along.
    let left: Vec<_> = (0..8).map(|_| service.send("/render/you", LOOPS)).collect();
    left.iter().for_each(|stream| _ = stream.shutdown(std::net::Shutdown::Both));
    assert_eq!(answer(service.send("/render/you", "{{ name }}")), answered(200, "<p>you</p>"));
    service.stop();
}
