//! Chance, and what it does to messages and nodes.

/// SplitMix64.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// True this often in a thousand.
    pub(super) fn often(&mut self, thousandths: u64) -> bool {
        self.below(1000) < thousandths
    }

    /// Mostly short, rarely as long as `most`.
    pub(super) fn length(&mut self, most: u64) -> u64 {
        let bits = self.below(1 + u64::from(most.ilog2()));
        self.below((2 << bits).min(most)) + 1
    }
}

/// What becomes of messages, for the whole of a schedule.
pub(super) struct Net {
    lost: u64,
    doubled: u64,
    late: u64,
    refused: u64,
}

impl Net {
    pub(super) fn new(random: &mut Random) -> Self {
        let fair = random.often(300);
        let mut rate = |most: u64| if fair { 0 } else { random.below(most) };
        Self { lost: rate(200), doubled: rate(200), late: rate(100), refused: rate(5) }
    }

    /// Whether a message is longer than the broker now accepts, as its sender learns.
    pub(super) fn refuses(&self, random: &mut Random) -> bool {
        random.often(self.refused)
    }

    /// When copies of a message arrive, from now on.
    pub(super) fn arrivals(&self, random: &mut Random) -> Vec<u64> {
        let copies = 1 + u64::from(random.often(self.doubled));
        let mut arrivals = Vec::new();
        for _ in 0..copies {
            if !random.often(self.lost) {
                let late = random.often(self.late);
                arrivals.push(1 + if late { random.length(60_000) } else { random.below(3) });
            }
        }
        arrivals
    }
}

/// A clock that started at any time and is a little wrong.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    offset: u64,
    thousandths: u64,
}

impl Clock {
    pub(super) fn new(random: &mut Random) -> Self {
        Self { offset: random.below(10_000_000), thousandths: 960 + random.below(80) }
    }

    pub(super) fn at(&self, now: u64) -> u64 {
        self.offset + now * self.thousandths / 1000
    }
}

/// What is wrong with a node at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing goes out, or comes in, and the node does not know.
    Mute,
    Deaf,
    /// There is no connection, and the node knows.
    Cut,
    /// It does not run; its workers do.
    Stopped,
}

impl Trouble {
    pub(super) fn any(random: &mut Random) -> Self {
        [Self::Mute, Self::Deaf, Self::Cut, Self::Stopped][random.below(4) as usize]
    }
}
