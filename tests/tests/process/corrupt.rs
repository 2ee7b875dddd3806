//! A worker that writes nonsense where its parent reads. In a process of its own, since it may be
//! any call of its worker that pays.

use trine::{Error, ErrorKind, concurrent};
use trine_tests::process::double;
use trine_tests::programs::alone;

/// Writes over everything that the engine shares with its parent and that a worker may write, for
/// long enough to be seen.
#[concurrent(process)]
fn scribble(mut seed: u64) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let is_shared = |map: &&str| map.contains("memfd:trine") && map.contains(" rw-s ");
    for map in std::iter::repeat_n(&maps, 20).flat_map(|maps| maps.lines().filter(is_shared)) {
        let (range, _) = map.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|end| usize::from_str_radix(end, 16).unwrap());
        for address in (start..end).step_by(8) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            // SAFETY: mapped and writable, as the system says; that others read it is the point.
            unsafe { std::ptr::with_exposed_provenance_mut::<u64>(address).write_volatile(seed) };
        }
    }
}

#[test]
fn a_corrupt_worker_is_found_out_and_nothing_hangs() {
    alone(a_corrupt_worker_is_found_out_and_nothing_hangs, &[], || scribbles().unwrap());
}

fn scribbles() -> Result<(), Error> {
    let mut found = 0;
    for seed in 1..=20 {
        let before: Vec<_> = (0..50).map(double).collect();
        let corrupt = scribble(seed);
        let after: Vec<_> = (0..50).map(double).collect();
        // Whose fault it was nobody can tell from what such a worker says. But every call ends.
        let others = before.into_iter().chain(after).map(|task| task.join().map(drop));
        for result in std::iter::once(corrupt.join()).chain(others) {
            if let Err(error) = result {
                let is_told = error.is_crash()
                    || error.to_string().contains("worker is corrupt")
                    || matches!(error.kind(), ErrorKind::Codec { .. });
                assert!(is_told, "{error}");
                found += 1;
            }
        }
        assert_eq!(double(4).join()?, 8);
    }
    assert!(found > 0);
    Ok(())
}
