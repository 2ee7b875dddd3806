//! What really became of a call, which only the world knows, and whether that was allowed.

/// An ending as a machine gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Done(u64),
    Killed,
}

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
            Some(Answer::Done) => seen.done += 1,
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
    lost_begun: u64,
    lost_unbegun: u64,
    nobody: u64,
    cancelled: u64,
    pub(super) moved: u64,
}

impl Seen {
    pub(super) fn is_varied(&self) -> bool {
        let Self { done, lost_begun, lost_unbegun, nobody, cancelled, moved } = *self;
        done > 0 && [lost_begun, lost_unbegun, nobody, cancelled, moved].iter().all(|n| *n > 10)
    }
}
