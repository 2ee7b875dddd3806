//! Which core a thread is on, and how it leaves one.

#![allow(unsafe_code, reason = "a call of the C library")]

use std::sync::OnceLock;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The core that this thread is on; `None` if unknown.
pub(crate) fn current() -> Option<u32> {
    // SAFETY: it takes nothing and touches nothing.
    u32::try_from(unsafe { libc::sched_getcpu() }).ok()
}

/// The cores that this program was allowed to use when it was started.
static PROGRAM: OnceLock<CpuSet> = OnceLock::new();

/// Records this thread's allowed cores as the program's, before anything has changed them.
pub(crate) fn note_program() {
    if let Ok(all) = sched_getaffinity(None) {
        let _ = PROGRAM.set(all);
    }
}

/// Runs a closure on a thread that may use all the program's cores, even if this thread is pinned
/// to some of them, so that processes started there are not pinned.
pub(crate) fn as_program<R>(run: impl FnOnce() -> R) -> R {
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

/// Moves this thread off a core without banning it from there.
pub(crate) fn leave(core: u32) {
    let Ok(all) = sched_getaffinity(None) else { return };
    let core = core as usize;
    if core >= CpuSet::MAX_CPU || all.count() < 2 {
        return;
    }
    let mut others = all;
    others.unset(core);
    if sched_setaffinity(None, &others).is_ok() {
        // These cores were allowed a moment ago; if they no longer are, the kernel refuses.
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
