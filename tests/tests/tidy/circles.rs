//! Cycles of arrows: sets of files each of which leads to all others.

use std::collections::BTreeSet;

use crate::arrows::Arrows;

/// All circles, each as its files' names in order.
pub(crate) fn circles(arrows: &Arrows) -> Vec<Vec<&str>> {
    let reached = |from| -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(name) = open.pop() {
            let next = arrows.get_key_value(name).into_iter().flat_map(|(_, used)| used);
            open.extend(next.map(String::as_str).filter(|name| reached.insert(*name)));
        }
        reached
    };
    let mut circles = Vec::new();
    let mut seen = BTreeSet::new();
    for name in arrows.keys().map(String::as_str) {
        let forward = reached(name);
        if !forward.contains(name) || seen.contains(name) {
            continue;
        }
        let circle: Vec<_> =
            forward.into_iter().filter(|other| reached(other).contains(name)).collect();
        seen.extend(circle.iter().copied());
        circles.push(circle);
    }
    circles
}
