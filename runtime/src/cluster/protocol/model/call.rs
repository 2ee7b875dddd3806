//! What really became of a call, which only the world knows, and whether that was allowed.

use super::numbers::index_of;

/// An ending as a machine gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Done(u64),
    Killed,
    /// Not an end: the item with this number.
    Item(u64),
    /// Nor these: a value is there, or has to leave its machine.
    Made,
    Leaves,
}

/// How many items a call yields, if it does, and how many of them may be on the way.
pub(super) fn items_of(number: u64) -> Option<u64> {
    let index = if number < 256 { Some(number) } else { index_of(number) };
    index.filter(|index| index % 3 == 2)
}

pub(super) const AHEAD: u64 = 3;

impl super::super::Weight for Ending {
    fn weight(&self) -> usize {
        8
    }
}

impl super::super::Weight for u64 {
    fn weight(&self) -> usize {
        8
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Lost,
    Nobody,
}

#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) began: Vec<u64>,
    pub(super) answers: Vec<(u64, Answer)>,
    pub(super) cancelled: Option<u64>,
    /// How many items came, and how many of them were read.
    pub(super) items: u64,
    pub(super) read: u64,
    /// Its caller ended before it was answered.
    pub(super) orphaned: bool,
    pub(super) broken: Option<String>,
}

impl Truth {
    /// It begins to run.
    pub(super) fn begin(&mut self, now: u64) {
        if !self.began.is_empty() {
            self.broken = Some(format!("began again at {now}"));
        } else if let Some((then, answer)) = self.answers.first() {
            self.broken = Some(format!("began at {now}, but was {answer:?} at {then}"));
        }
        self.began.push(now);
    }

    /// A machine is about to send this item.
    pub(super) fn yields(&mut self, now: u64, item: u64) {
        if item >= self.read + AHEAD {
            self.broken = Some(format!("item {item} at {now}, with {} read", self.read));
        }
    }

    /// Its caller has this item.
    pub(super) fn take_item(&mut self, now: u64, item: u64) {
        if item != self.items {
            self.broken = Some(format!("item {item} at {now}, after {}", self.items));
        } else if self.is_over() {
            self.broken = Some(format!("item {item} at {now}, after an end"));
        } else if self.began.is_empty() {
            self.broken = Some(format!("item {item} at {now}, and it has not begun"));
        }
        self.items += 1;
    }

    /// Whether all items came, for a call with this number.
    pub(super) fn has_all(&self, number: u64) -> bool {
        items_of(number).is_none_or(|items| items == self.items)
    }

    /// Its caller has an answer. `runs` says whether a machine that is not stopped is running it.
    pub(super) fn answer(&mut self, now: u64, answer: Answer, runs: bool) {
        if !self.answers.is_empty() || self.cancelled.is_some() {
            self.broken = Some(format!("{answer:?} at {now}, after an end"));
        } else if answer == Answer::Nobody && !self.began.is_empty() {
            self.broken = Some(format!("has nobody at {now}, but it began"));
        } else if runs && answer != Answer::Done {
            self.broken = Some(format!("{answer:?} at {now}, and it runs"));
        }
        self.answers.push((now, answer));
    }

    pub(super) fn is_over(&self) -> bool {
        !self.answers.is_empty() || self.cancelled.is_some() || self.orphaned
    }

    pub(super) fn judge(&self, seen: &mut Seen) -> Result<(), String> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        if !self.is_over() {
            return Err(format!("has no answer: {self:?}"));
        }
        let (_, answer) = self.answers.first().copied().unzip();
        match answer {
            Some(Answer::Done) if self.items > 0 => seen.yielded += 1,
            Some(Answer::Done) => seen.done += 1,
            Some(Answer::Lost) if self.items > 0 => seen.lost_yielding += 1,
            Some(Answer::Lost) if self.began.is_empty() => seen.lost_unbegun += 1,
            Some(Answer::Lost) => seen.lost_begun += 1,
            Some(Answer::Nobody) => seen.nobody += 1,
            None => seen.cancelled += 1,
        }
        Ok(())
    }
}

/// How many calls ended in which way.
#[derive(Debug, Default)]
pub(super) struct Seen {
    done: u64,
    yielded: u64,
    lost_yielding: u64,
    lost_begun: u64,
    lost_unbegun: u64,
    nobody: u64,
    cancelled: u64,
    pub(super) moved: u64,
    /// How many workers with state had their value made anew after a loss, and because it had to
    /// leave its machine.
    pub(super) made_anew: u64,
    pub(super) left: u64,
    /// How many of the values were lost before they were made, and how many were not wanted any
    /// more by then.
    pub(super) unmade: u64,
    pub(super) called_off: u64,
}

impl Seen {
    pub(super) fn is_varied(&self) -> bool {
        let Self { done, yielded, lost_yielding, .. } = *self;
        let Self { lost_begun, lost_unbegun, nobody, cancelled, moved, made_anew, left, .. } =
            *self;
        let lost = [lost_yielding, lost_begun, lost_unbegun, self.unmade, self.called_off];
        let rare = [yielded, nobody, cancelled, moved, made_anew, left].into_iter().chain(lost);
        done > 0 && rare.min() > Some(10)
    }
}
