//! Which core a thread is on, and how it leaves one.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The core that this thread is on; `None` where the system does not say.
pub(crate) fn current() -> Option<u32> {
    // SAFETY: it takes nothing and touches nothing.
    u32::try_from(unsafe { libc::sched_getcpu() }).ok()
}

/// Moves this thread off a core, without keeping it from there.
pub(crate) fn leave(core: u32) {
    let Ok(all) = sched_getaffinity(None) else { return };
    let core = core as usize;
    if core >= CpuSet::MAX_CPU || all.count() < 2 {
        return;
    }
    let mut others = all;
    others.unset(core);
    if sched_setaffinity(None, &others).is_ok() {
        // Of what was allowed a moment ago; and if not any more, the kernel knows better.
        let _ = sched_setaffinity(None, &all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_a_core_leaves_the_allowed_ones_as_they_were() {
        let before = sched_getaffinity(None).unwrap();
        let mut moved = false;
        for _ in 0..1000 {
            let core = current().unwrap();
            leave(core);
            moved |= current() != Some(core);
            assert_eq!(sched_getaffinity(None).unwrap(), before);
        }
        assert!(moved || before.count() == 1);
    }
}
