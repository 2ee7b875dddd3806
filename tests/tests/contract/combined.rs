//! Outcomes, sets and streams of tasks: mode × who calls.

use std::time::Duration;

use futures::{Stream, StreamExt};
use trine::{Elapsed, TaskIterator, TaskSet, gather};
use trine_tests::gate::Gate;

use crate::calls::{check_panic, everywhere, hold, must_not_block, result};

#[test]
fn an_outcome_has_the_failure_as_its_value() {
    everywhere(|mode, caller| async move {
        let outcome = result((mode.value)(1).outcome(), mode, caller).await.unwrap();
        assert_eq!(outcome.unwrap(), 2);
        let outcome = result((mode.panics)(1).outcome(), mode, caller).await.unwrap();
        check_panic(&outcome.unwrap_err());
        let gate = Gate::new();
        let hung = (mode.polite)(gate.port()).timeout(Duration::from_millis(10)).outcome();
        assert!(result(hung, mode, caller).await.unwrap().unwrap_err().is_timeout());
    });
}

#[test]
fn a_gathering_of_outcomes_loses_nothing() {
    everywhere(|mode, caller| async move {
        let keyed = [0, 1, 2, 3].map(|key| {
            let task = if key % 2 == 0 { (mode.value)(key) } else { (mode.panics)(key) };
            task.outcome().map(move |outcome| (key, outcome))
        });
        for (place, (key, outcome)) in (0..).zip(result(gather(keyed), mode, caller).await.unwrap())
        {
            assert_eq!(key, place);
            match outcome {
                Ok(value) => assert!(key % 2 == 0 && value == key + 1),
                Err(error) => assert!(key % 2 == 1 && error.is_panic()),
            }
        }
    });
}

#[test]
fn an_outcome_passes_a_cancel_on() {
    everywhere(|mode, caller| async move {
        let gate = Gate::new();
        let task = (mode.polite)(gate.port()).outcome();
        let body = hold(&gate, mode, caller).await;
        task.cancel();
        assert!(result(task, mode, caller).await.unwrap_err().is_cancelled());
        crate::calls::gone(body, mode, caller).await;
    });
}

#[test]
fn a_set_takes_more_while_it_runs() {
    everywhere(|mode, caller| async move {
        let mut set = TaskSet::from_iter((0..3).map(mode.value));
        let mut values = Vec::new();
        loop {
            let next = match must_not_block(mode, caller) {
                true => set.next().await,
                false => set.join_next(),
            };
            let Some(value) = next else { break };
            let value = value.unwrap();
            values.push(value);
            if value < 20 {
                set.add((mode.value)(value + 2));
            }
        }
        values.sort_unstable();
        assert_eq!(values, Vec::from_iter(1..23));
        assert!(set.is_empty());
    });
}

#[test]
fn a_set_gives_what_has_ended_while_others_run() {
    everywhere(|mode, caller| async move {
        let gate = Gate::new();
        let mut set = TaskSet::new();
        set.add((mode.gated)(gate.port()));
        let body = hold(&gate, mode, caller).await;
        set.add((mode.panics)(1));
        check_panic(&set.next().await.unwrap().unwrap_err());
        if !must_not_block(mode, caller) {
            assert_eq!(set.next_timeout(Duration::from_millis(1)).unwrap_err(), Elapsed);
        }
        assert_eq!(set.len(), 1);
        drop(body);
        assert_eq!(set.next().await.unwrap().unwrap(), 7);
        assert!(set.next().await.is_none());
    });
}

#[test]
fn a_set_that_is_cancelled_or_dropped_cancels() {
    everywhere(|mode, caller| async move {
        let gate = Gate::new();
        let mut set = TaskSet::from_iter([(mode.polite)(gate.port())]);
        let body = hold(&gate, mode, caller).await;
        set.cancel();
        let ended = set.next().await.unwrap();
        assert!(
            ended.is_ok_and(|value| value == 8 && mode.name == "threads") || mode.name != "threads"
        );
        crate::calls::gone(body, mode, caller).await;

        set.add((mode.polite)(gate.port()));
        let body = hold(&gate, mode, caller).await;
        drop(set);
        crate::calls::gone(body, mode, caller).await;
    });
}

#[test]
fn windows_are_streams() {
    everywhere(|mode, _| async move {
        let ordered = (0..).map(mode.value).buffered(3).into_stream();
        let ordered: Vec<_> = ordered.take(10).map(Result::unwrap).collect().await;
        assert_eq!(ordered, Vec::from_iter(1..11));
        let unordered = (0..10).map(mode.value).buffer_unordered(3).into_stream();
        assert_eq!(unordered.size_hint(), (10, Some(10)));
        let mut unordered: Vec<_> = unordered.map(Result::unwrap).collect().await;
        unordered.sort_unstable();
        assert_eq!(unordered, Vec::from_iter(1..11));
    });
}

#[test]
fn a_window_can_be_left_and_waited_for_again() {
    everywhere(|mode, caller| async move {
        if must_not_block(mode, caller) {
            return;
        }
        let short = Duration::from_millis(1);
        let long = Duration::from_secs(600);
        let gate = Gate::new();
        let port = gate.port();
        let mut ordered = std::iter::once_with(|| (mode.gated)(port)).buffered(2);
        assert_eq!(ordered.next_timeout(short).unwrap_err(), Elapsed);
        drop(gate.entered());
        assert_eq!(ordered.next_timeout(long).unwrap().unwrap().unwrap(), 7);
        assert!(ordered.next_timeout(short).unwrap().is_none());

        let mut unordered = std::iter::once_with(|| (mode.gated)(port)).buffer_unordered(2);
        assert_eq!(unordered.next_timeout(short).unwrap_err(), Elapsed);
        drop(gate.entered());
        assert_eq!(unordered.next_timeout(long).unwrap().unwrap().unwrap(), 7);
        assert!(unordered.next_timeout(short).unwrap().is_none());
    });
}
