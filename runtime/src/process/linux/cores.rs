//! Which core a thread is on, and how it leaves one.

use std::sync::OnceLock;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The core that this thread is on; `None` where the system does not say.
pub(crate) fn current() -> Option<u32> {
    // SAFETY: it takes nothing and touches nothing.
    u32::try_from(unsafe { libc::sched_getcpu() }).ok()
}

/// The cores that this program may use, as it was started.
static PROGRAM: OnceLock<CpuSet> = OnceLock::new();

/// Notes what this thread may use as what the program may. Before anybody has changed that.
pub(super) fn note_program() {
    if let Ok(all) = sched_getaffinity(None) {
        let _ = PROGRAM.set(all);
    }
}

/// Runs something on a thread that may use the cores of the program, though this one may be kept to
/// some of them: what is started here is as free as the program.
pub(super) fn as_program<R>(run: impl FnOnce() -> R) -> R {
    struct Restore(CpuSet);
    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = sched_setaffinity(None, &self.0);
        }
    }
    let (Some(all), Ok(own)) = (PROGRAM.get(), sched_getaffinity(None)) else { return run() };
    let is_narrow = own != *all && sched_setaffinity(None, all).is_ok();
    let _restore = is_narrow.then(|| Restore(own));
    run()
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
