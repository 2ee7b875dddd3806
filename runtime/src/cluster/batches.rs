//! What waits while something like it is on its way, and then goes together.
//!
//! Alone it goes at once; under load a message to the broker carries what came while the one before
//! was under way, so a message each is the most, and a few for hundreds the usual.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use crate::sync::{Guard, Lock};

pub(crate) struct Batches<K, V>(Lock<HashMap<K, Vec<V>>>);

impl<K: Eq + Hash, V> Batches<K, V> {
    pub(crate) fn new() -> Self {
        Self(Lock::new(HashMap::new()))
    }

    fn lock(&self) -> Guard<'_, HashMap<K, Vec<V>>> {
        self.0.lock()
    }

    /// Adds one. True if nobody is at it: then the caller is, and takes batches until there is
    /// none.
    pub(crate) fn add(&self, key: K, value: V) -> bool {
        match self.lock().entry(key) {
            Entry::Occupied(mut waiting) => {
                waiting.get_mut().push(value);
                false
            }
            Entry::Vacant(vacant) => {
                vacant.insert(vec![value]);
                true
            }
        }
    }

    /// What has come, or `None`: then nobody is at it any more.
    pub(crate) fn next(&self, key: &K) -> Option<Vec<V>> {
        let mut all = self.lock();
        let waiting = std::mem::take(all.get_mut(key)?);
        if waiting.is_empty() {
            all.remove(key);
            return None;
        }
        Some(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_at_it_and_takes_what_comes_meanwhile() {
        let batches = Batches::new();
        assert!(batches.add('a', 1));
        assert_eq!(batches.next(&'a'), Some(vec![1]));
        assert!(!batches.add('a', 2) && !batches.add('a', 3) && batches.add('b', 4));
        assert_eq!(batches.next(&'a'), Some(vec![2, 3]));
        assert_eq!(batches.next(&'a'), None);
        assert!(batches.add('a', 5));
    }
}
