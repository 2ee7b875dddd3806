//! The programs that read files or nothing, each on small data.

use std::fs;

use crate::common::{check_manners, folder, run};
use image::{Rgb, RgbImage};

const THUMBNAILS: &str = env!("CARGO_BIN_EXE_thumbnails");
const SWEEP: &str = env!("CARGO_BIN_EXE_sweep");

#[test]
fn manners() {
    [THUMBNAILS, SWEEP].into_iter().for_each(check_manners);
}

#[test]
fn thumbnails_of_good_and_broken_pictures() {
    let folder = folder("thumbnails");
    let picture = |width, height| RgbImage::from_pixel(width, height, Rgb([200, 30, 30]));
    picture(300, 150).save(folder.join("wide.png")).expect("saved");
    picture(90, 180).save(folder.join("high.jpg")).expect("saved");
    fs::write(folder.join("text.png"), "no picture").expect("saved");
    let whole = fs::read(folder.join("wide.png")).expect("it was just saved");
    fs::write(folder.join("cut.png"), &whole[..whole.len() / 2]).expect("saved");

    let ran = run(THUMBNAILS, &["--size", "60", &folder.to_string_lossy()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("text.png: "), "{ran:?}");
    assert!(ran.out.contains("cut.png: "), "{ran:?}");
    assert!(ran.out.contains("2 thumbnails in "), "{ran:?}");
    assert!(ran.out.ends_with("2 broken\n"), "{ran:?}");
    let size_of =
        |name| image::image_dimensions(folder.join("thumbnails").join(name)).expect("a picture");
    assert_eq!(size_of("wide.png.png"), (60, 30));
    assert_eq!(size_of("high.jpg.png"), (30, 60));
    assert_eq!(size_of("contact-sheet.png"), (120, 60));
}

#[test]
fn thumbnails_says_what_is_wrong() {
    let none = run(THUMBNAILS, &["/no/such/folder"]);
    assert_eq!((none.code, none.out.as_str()), (1, ""));
    assert!(none.err.starts_with("thumbnails: cannot read /no/such/folder: "), "{none:?}");
    let size = run(THUMBNAILS, &["--size", "7", "."]);
    assert_eq!(size.code, 2);
    assert!(size.err.contains("--size is 7"), "{size:?}");
}

/// A table of `3a - 2b + 5`.
fn plane() -> String {
    let rows = (0..40).map(|n| {
        let (a, b) = (f64::from(n % 7), f64::from(n % 11) * 10.0);
        format!("{a},{b},{}\n", 3.0 * a - 2.0 * b + 5.0)
    });
    std::iter::once("a,b,value\n".to_owned()).chain(rows).collect()
}

#[test]
fn sweep_finds_the_best_settings() {
    let file = folder("sweep").join("plane.csv");
    fs::write(&file, plane()).expect("saved");
    let file = file.to_string_lossy();

    let all = run(SWEEP, &[&file]);
    assert_eq!(all.code, 0, "{all:?}");
    assert!(all.out.starts_with("best: rate "), "{all:?}");
    assert!(all.out.contains("decay 0: error 0.0000\n"), "{all:?}");
    assert!(all.out.contains("\n54 of 54 settings tried"), "{all:?}");

    // Nearly all settings reach that, so the first few do.
    let first = run(SWEEP, &["--target", "50", &file]);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(!first.out.contains("54 of 54"), "{first:?}");
}

#[test]
fn sweep_says_which_line_is_wrong() {
    let file = folder("sweep_broken").join("broken.csv");
    fs::write(&file, plane() + "1,2,three\n").expect("saved");
    let ran = run(SWEEP, &[&file.to_string_lossy()]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("broken.csv: line 42: "), "{ran:?}");
}
