//! A panic's location is known, whatever the program does with the panic hook.

use std::panic::{set_hook, take_hook};

use trine::{ErrorKind, concurrent};
use trine_tests::programs::alone;

#[concurrent(threads)]
fn panics() {
    panic!("on purpose");
}

#[track_caller]
fn has_its_place() {
    let error = panics().join().unwrap_err();
    let ErrorKind::Panicked { location: Some(location), .. } = error.kind() else {
        panic!("{error}");
    };
    assert!(location.contains("hooks.rs"), "{location}");
}

#[test]
fn a_hook_that_is_set_later_loses_no_place() {
    alone(a_hook_that_is_set_later_loses_no_place, &[], || {
        has_its_place();
        set_hook(Box::new(|_| {}));
        has_its_place();
        drop(take_hook());
        has_its_place();
        let before = take_hook();
        set_hook(Box::new(move |info| before(info)));
        has_its_place();
        set_hook(Box::new(|_| {}));
        has_its_place();
    });
}
