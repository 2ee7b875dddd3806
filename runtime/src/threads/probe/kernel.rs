//! `/proc/self/task/TID/stat` and `schedstat`: the thread's state, and its CPU time in nanoseconds.
//! The ticks in `stat` are too coarse to resolve a millisecond.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::Reading;

/// The files of the threads that were examined last.
pub(in crate::threads) struct Files {
    threads: HashMap<u32, Thread>,
}

struct Thread {
    stat: File,
    /// Not every kernel provides it.
    schedstat: Option<File>,
    read: bool,
}

impl Files {
    /// `None` if the kernel does not say.
    pub(in crate::threads) fn open() -> Option<Self> {
        let mut files = Self { threads: HashMap::new() };
        files.read(crate::threads::clock::thread_id())?;
        Some(files)
    }

    pub(in crate::threads) fn read(&mut self, thread: u32) -> Option<Reading> {
        if let Some(known) = self.threads.get_mut(&thread) {
            known.read = true;
            let reading = known.reading();
            if reading.is_none() {
                self.threads.remove(&thread);
            }
            return reading;
        }
        let opened = Thread::open(thread)?;
        let reading = opened.reading();
        self.threads.insert(thread, opened);
        reading
    }

    /// So that there are few more open files than permits.
    pub(in crate::threads) fn close_unread(&mut self) {
        self.threads.retain(|_, thread| std::mem::take(&mut thread.read));
    }
}

impl Thread {
    fn open(thread: u32) -> Option<Self> {
        let stat = File::open(format!("/proc/self/task/{thread}/stat")).ok()?;
        let schedstat = File::open(format!("/proc/self/task/{thread}/schedstat")).ok();
        Some(Self { stat, schedstat, read: true })
    }

    fn reading(&self) -> Option<Reading> {
        let mut buffer = [0; 512];
        let length = self.stat.read_at(&mut buffer, 0).ok()?;
        let sleeps = is_asleep(&buffer[..length])?;
        let computed = match &self.schedstat {
            Some(file) => {
                let length = file.read_at(&mut buffer, 0).ok()?;
                first_number(&buffer[..length])
            }
            None => Duration::ZERO,
        };
        Some(Reading { sleeps, computed })
    }
}

/// The state is the letter after the name, which is in parentheses and may contain any byte.
fn is_asleep(stat: &[u8]) -> Option<bool> {
    let end_of_name = stat.iter().rposition(|&byte| byte == b')')?;
    let state = stat.get(end_of_name + 2)?;
    Some(matches!(state, b'S' | b'D'))
}

fn first_number(schedstat: &[u8]) -> Duration {
    let digits = schedstat.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits
        .fold(0u64, |number, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')));
    Duration::from_nanos(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_read_behind_any_name() {
        assert_eq!(is_asleep(b"7 (cat) R 1 7 7"), Some(false));
        assert_eq!(is_asleep(b"7 (cat) S 1 7 7"), Some(true));
        assert_eq!(is_asleep(b"7 (a) R (b) D 1 7 7"), Some(true));
        assert_eq!(is_asleep(b"7 (cat)"), None);
        assert_eq!(is_asleep(b""), None);
    }

    #[test]
    fn the_time_on_a_core_is_the_first_number() {
        assert_eq!(first_number(b"109755 84357 2\n"), Duration::from_nanos(109_755));
        assert_eq!(first_number(b""), Duration::ZERO);
    }

    #[test]
    fn this_thread_computes() {
        let thread = crate::threads::clock::thread_id();
        let mut files = Files::open().expect("this system has /proc");
        assert!(!files.read(thread).expect("this thread exists").sleeps);
        files.close_unread();
        files.close_unread();
        assert!(files.threads.is_empty());
    }

    #[test]
    fn a_thread_that_has_ended_cannot_be_seen() {
        let thread = std::thread::spawn(crate::threads::clock::thread_id).join().unwrap();
        // The kernel may take a moment to remove it.
        while std::path::Path::new(&format!("/proc/self/task/{thread}")).exists() {
            std::thread::yield_now();
        }
        assert!(Files::open().unwrap().read(thread).is_none());
    }
}
