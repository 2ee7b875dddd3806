//! What crosses to worker processes: large values, borrowed values, and values that fail to cross.

use serde::{Deserialize, Serialize};
use trine::process::Shared;
use trine::{Error, concurrent, gather};
#[cfg(any(target_os = "linux", windows))]
use trine_tests::system;

#[concurrent(process)]
fn reversed(mut numbers: Vec<f64>) -> Vec<f64> {
    numbers.reverse();
    numbers
}

#[concurrent(process)]
fn length(text: &str) -> usize {
    text.len()
}

#[concurrent(process)]
fn filled(length: usize) -> Vec<u8> {
    vec![7; length]
}

#[test]
fn values_of_every_size_cross_both_ways() -> Result<(), Error> {
    // Around the limits of what goes through the ring, and of what a segment holds.
    for length in [0, 1, 6, 7, 100, 4094, 4095, 4096, 4097, 40_000, 131_072, 1 << 20, 3 << 20] {
        let numbers: Vec<f64> = (0..length).map(f64::from).collect();
        let back: Vec<f64> = numbers.iter().rev().copied().collect();
        assert!(reversed(numbers).join()? == back, "{length}");
    }
    Ok(())
}

#[test]
fn many_large_values_in_flight() -> Result<(), Error> {
    let text = "x".repeat(200_000);
    let lengths = gather((0..100).map(|n| length(&text[n..]))).join()?;
    assert!(lengths.into_iter().eq((0..100).map(|n| 200_000 - n)));
    let filled = gather((0..50).map(|n| filled(n * 10_000))).join()?;
    assert!(filled.iter().map(Vec::len).eq((0..50).map(|n| n * 10_000)));
    Ok(())
}

/// Makes several copies of a gibibyte, so this is for machines that have the memory.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs 6 GiB of memory"]
fn a_gibibyte_crosses_both_ways() -> Result<(), Error> {
    assert_eq!(length(&"x".repeat(1 << 30)).join()?, 1 << 30);
    assert_eq!(filled(1 << 30).join()?.len(), 1 << 30);
    let after = resident();
    assert!(after < 200 << 20, "{after} bytes are still there");
    Ok(())
}

#[cfg(target_os = "linux")]
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Image {
    size: (u32, u32),
    pixels: Vec<u8>,
    name: String,
}

#[concurrent(process)]
fn negative(image: &Image) -> Image {
    Image { pixels: image.pixels.iter().map(|pixel| 255 - pixel).collect(), ..image.clone() }
}

#[test]
fn a_borrowed_struct_crosses() -> Result<(), Error> {
    let image = Image { size: (2, 2), pixels: vec![0, 1, 2, 3], name: "a".into() };
    assert_eq!(negative(&image).join()?.pixels, [255, 254, 253, 252]);
    Ok(())
}

struct Fragile;

impl Serialize for Fragile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Fragile {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("it broke on the way")
    }
}

#[concurrent(process)]
fn fragile() -> Fragile {
    Fragile
}

#[test]
fn a_panic_while_a_result_is_decoded_stays_in_its_task() {
    assert!(fragile().join().err().is_some_and(|error| error.is_panic()));
}

#[concurrent(process)]
fn sum_of(numbers: Shared<[u64]>, others: &Shared<[u64]>) -> (u64, Shared<[u64]>) {
    (numbers.iter().chain(others.iter()).sum(), others.clone())
}

#[concurrent(threads)]
fn sum_in_thread(numbers: Shared<[u64]>) -> u64 {
    numbers.iter().sum()
}

#[test]
fn a_shared_slice_is_mapped_everywhere() -> Result<(), Error> {
    let numbers: Shared<[u64]> = (0..100_000).collect();
    let few = Shared::new(&[1_u64, 2]).unwrap();
    let none = Shared::<[u64]>::from(vec![]);
    for _ in 0..50 {
        let (sum, back) = sum_of(numbers.clone(), &few).join()?;
        assert_eq!((sum, back), (4_999_950_003, few.clone()));
    }
    assert_eq!(sum_of(none.clone(), &none).join()?, (0, none));
    assert_eq!(sum_in_thread(numbers).join()?, 4_999_950_000);
    Ok(())
}

/// How many bytes of shared slices are mapped.
#[cfg(any(target_os = "linux", windows))]
#[concurrent(process)]
fn mapped(at_least: usize) -> usize {
    let sizes = system::mapped().into_iter().map(|mapped| mapped.range.len());
    sizes.filter(|&size| size >= at_least).sum()
}

#[test]
fn a_worker_lets_go_of_the_slices_that_it_had() -> Result<(), Error> {
    // Larger than anything else that is mapped, and more slices than a worker remembers.
    const SIZE: usize = 100 << 20;
    for _ in 0..10 {
        let slice: Shared<[u8]> = Shared::new(&vec![1; SIZE]).unwrap();
        assert_eq!(pages_of(slice.clone()).join()?, SIZE / 4096);
        assert_eq!(pages_of(slice).join()?, SIZE / 4096);
    }
    // Each worker lets go of them once it has had nothing to do for a while, as some systems say.
    #[cfg(any(target_os = "linux", windows))]
    has_let_go(SIZE)?;
    Ok(())
}

#[cfg(any(target_os = "linux", windows))]
fn has_let_go(of: usize) -> Result<(), Error> {
    let workers = std::thread::available_parallelism().unwrap().get();
    let mut tries = 0;
    while gather((0..2 * workers).map(|_| mapped(of))).join()?.iter().any(|&size| size > 0) {
        assert!(tries < 50, "it stays mapped");
        tries += 1;
        std::thread::sleep(std::time::Duration::from_millis(700));
    }
    Ok(())
}

#[concurrent(process)]
fn pages_of(bytes: Shared<[u8]>) -> usize {
    bytes.iter().step_by(4096).map(|&byte| usize::from(byte)).sum()
}

#[test]
fn a_shared_slice_crosses_as_nothing_else() {
    let shared = Shared::new(&[1_u8]).unwrap();
    assert!(serde_json::to_string(&shared).unwrap_err().to_string().contains("process task"));
    assert!(serde_json::from_str::<Shared<[u8]>>("[0,1]").is_err());
}

/// A list that nests as deep as it is long.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Link {
    next: Option<Box<Self>>,
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut link) = next {
            next = link.next.take();
        }
    }
}

#[concurrent(process)]
fn chain(length: u32) -> Link {
    chain_here(length)
}

#[concurrent(process)]
fn take_chain(_link: Link) {}

fn chain_here(length: u32) -> Link {
    (0..length).fold(Link::default(), |link, _| Link { next: Some(Box::new(link)) })
}

#[test]
fn a_value_deeper_than_any_stack_is_an_error_both_ways() -> Result<(), Error> {
    for error in [
        chain(1_000_000).join().err(),
        take_chain(chain_here(1_000_000)).join().err(),
        trine::sequential(|| chain(1_000_000).join().err()),
    ] {
        let error = error.unwrap().to_string();
        assert!(error.contains("field `next` of `Link`: it is nested too deeply"), "{error}");
    }
    // What fits on the worker's stack may be too much for the thread that joins.
    for length in [3_000, 10_000, 30_000] {
        let joined = std::thread::spawn(move || chain(length).join().map(drop)).join().unwrap();
        let is_told = |error: Error| error.to_string().contains("nested too deeply");
        assert!(joined.map_or_else(is_told, |()| true), "{length}");
    }
    chain(100).join().map(drop)
}
