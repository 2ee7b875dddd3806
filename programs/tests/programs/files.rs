//! The programs that read files or nothing at all, each on small data.

use std::fs;

use crate::common::{check_manners, folder, run, run_with};
use image::{Rgb, RgbImage};

const THUMBNAILS: &str = env!("CARGO_BIN_EXE_thumbnails");
const UNTRUSTED: &str = env!("CARGO_BIN_EXE_untrusted");
const MONTECARLO: &str = env!("CARGO_BIN_EXE_montecarlo");
const SORT: &str = env!("CARGO_BIN_EXE_sort");
const SWEEP: &str = env!("CARGO_BIN_EXE_sweep");
const TIMELINE: &str = env!("CARGO_BIN_EXE_timeline");

#[test]
fn manners() {
    [THUMBNAILS, UNTRUSTED, MONTECARLO, SORT, SWEEP, TIMELINE].into_iter().for_each(check_manners);
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
    let folder = folder("thumbnails_broken");
    fs::write(folder.join("text.png"), "no picture").expect("saved");
    let broken = run(THUMBNAILS, &[&folder.to_string_lossy()]);
    assert_eq!(broken.code, 1, "{broken:?}");
    assert!(broken.err.starts_with("thumbnails: no picture in "), "{broken:?}");
    let size = run(THUMBNAILS, &["--size", "7", "."]);
    assert_eq!(size.code, 2);
    assert!(size.err.contains("--size is 7"), "{size:?}");
}

#[test]
fn untrusted_survives_every_file() {
    let folder = folder("untrusted");
    // A megabyte, repeated so often that one step goes over the limit: no race with the deadline.
    let (boom, often) = ("boom ".repeat(200_000), "$a ".repeat(2_000));
    let deep = "[".repeat(4_000_000);
    let files = [
        ("fine", "main = one $two three\ntwo = [zwei deux]\n".to_owned()),
        ("refused", "main = $nothing\n".to_owned()),
        ("deep", format!("main = {deep}\n")),
        ("endless", "main = $main\n".to_owned()),
        ("bomb", format!("main = {often}\na = {boom}\n")),
        ("also_fine", "main = words\n".to_owned()),
    ];
    let paths = files.map(|(name, text)| {
        let path = folder.join(name);
        fs::write(&path, text).expect("saved");
        path.to_string_lossy().into_owned()
    });

    let ran = run(UNTRUSTED, &paths.each_ref().map(String::as_str));
    assert_eq!(ran.code, 0, "{ran:?}");
    let rows: Vec<&str> = ran.out.lines().collect();
    let verdicts = [
        "ok        4 words",
        "refused   what is `$nothing`?",
        "crashed   task `parse` overflowed its stack",
        "hung      task `parse` timed out after 2s",
        "too big   task `parse` went over its memory limit",
        "ok        1 words",
    ];
    assert_eq!(rows.len(), verdicts.len(), "{ran:?}");
    for ((row, path), verdict) in rows.iter().zip(&paths).zip(verdicts) {
        assert!(row.starts_with(path.as_str()) && row.contains(verdict), "{row} / {verdict}");
    }
}

#[test]
fn untrusted_tells_what_it_cannot_read() {
    let ran = run(UNTRUSTED, &["/no/such/file"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.starts_with("/no/such/file  unread    "), "{ran:?}");
    assert_eq!(ran.err, "untrusted: 1 of 1 files cannot be read\n");
}

#[test]
fn a_wrong_number_is_told_with_its_option() {
    let wrong = [
        (THUMBNAILS, "--size", "big"),
        (MONTECARLO, "--tasks", "-3"),
        (SWEEP, "--target", "-1"),
        (SORT, "--numbers", "99999999999999"),
    ];
    for (program, option, value) in wrong {
        let ran = run(program, &[option, value]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(option) && ran.err.contains(value), "{ran:?}");
    }
}

#[test]
fn montecarlo_has_one_answer_in_all_modes() {
    let answers = ["threads", "process", "async"].map(|mode| {
        let ran = run(MONTECARLO, &["--mode", mode, "--tasks", "5", "--darts", "20000"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let (answer, report) = ran.out.split_once('\n').expect("two lines");
        assert!(report.starts_with(&format!("{mode}: ")), "{report}");
        answer.to_owned()
    });
    assert!(answers[0].starts_with("pi is about 3.1"), "{answers:?}");
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
}

#[test]
fn montecarlo_wants_a_mode() {
    let ran = run(MONTECARLO, &["--mode", "magic"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("no mode `magic`: threads, process or async"), "{ran:?}");
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

    // Nearly all settings reach that, so only a few are tried.
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
    assert!(ran.err.contains("broken.csv: line 42: `three` is not a number"), "{ran:?}");
}

#[test]
fn sort_sorts_the_lines_of_a_file() {
    let folder = folder("sort");
    // Many equal lines, and enough of them to split and share in every way.
    let lines: Vec<String> =
        (0..60_000_u64).map(|n| format!("line {}", n * 7919 % 20_011)).collect();
    let (file, out) = (folder.join("lines"), folder.join("sorted"));
    fs::write(&file, lines.join("\n")).expect("saved");

    let ran = run(SORT, &["--out", &out.to_string_lossy(), &file.to_string_lossy()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with("60000 items\n"), "{ran:?}");
    let mut expected = lines;
    expected.sort();
    assert_eq!(fs::read_to_string(&out).expect("written"), expected.join("\n") + "\n");
}

#[test]
fn sort_sorts_numbers() {
    for numbers in ["0", "1", "65", "100000"] {
        let ran = run(SORT, &["--numbers", numbers]);
        assert_eq!(ran.code, 0, "{ran:?}");
        for way in ["trine::join!", "trine::scope", "rayon::join", "rayon par_sort"] {
            assert!(ran.out.contains(way), "{ran:?}");
        }
    }
    let both = run(SORT, &["--numbers", "5", "file"]);
    assert_eq!(both.code, 2, "{both:?}");
}

#[test]
fn a_timeline_has_a_lane_for_each_thread_and_worker() {
    let folder = folder("timeline");
    for (mode, lane) in [("threads", "trine-worker"), ("process", "worker "), ("async", "async ")] {
        let (events, picture) = (folder.join("run.json"), folder.join("run.svg"));
        let arguments = ["--mode", mode, "--tasks", "20", "--darts", "20000"];
        let ran = run_with(&[("TRINE_TIMELINE", &events)], MONTECARLO, &arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        let ran = run(TIMELINE, &[&events.to_string_lossy()]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let picture = fs::read_to_string(picture).expect("the picture");
        let has_lane = picture.lines().any(|line| line.contains(&format!(">{lane}")));
        assert!(has_lane && picture.contains("ms: value</title>"), "{mode}: {picture}");
    }
    fs::write(folder.join("no.json"), "no timeline").expect("saved");
    let ran = run(TIMELINE, &[&folder.join("no.json").to_string_lossy()]);
    assert!(ran.code == 1 && ran.err.contains("no.json: this is not a timeline"), "{ran:?}");
}
