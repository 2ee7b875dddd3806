//! Coverage counts the lines of a body as if the attribute were not there.

use std::fs;

use trine_tests::rustc::{rustc, scratch};

/// Each of these lines may be missed by a run.
const BODY: &str = "{
    if number > 3 {
        number += 1;
        return number;
    }
    number -= 1;
    number
}
";

#[test]
fn every_line_of_a_body_is_counted() {
    for kind in [
        "#[concurrent(threads)] fn work(mut number: u8, _: u8) -> u8",
        "#[concurrent(threads)] async fn work(mut number: u8) -> u8",
        "#[concurrent(async)] async fn work(mut number: u8) -> u8",
        "#[concurrent(async)] async fn work(mut number: u8, (_, _): (u8, String)) -> u8",
        "#[concurrent(process)] fn work(mut number: u8, _text: &str) -> u8",
        "#[concurrent(process)] async fn work(mut number: u8, _: &str) -> u8",
        "#[concurrent(threads, scoped, retries = 2)] fn work(mut number: u8, _: &str) -> u8",
        "impl Type { #[concurrent(threads)] fn work(self, mut number: u8) -> u8",
        "impl Type { #[concurrent(process)] fn work(&self, mut number: u8, _: &str) -> u8",
        "impl Type { #[concurrent(process)] pub async fn work(self, mut number: u8) -> u8",
        "impl Type { #[concurrent(process)] async fn work(&self, mut number: u8, _: &str) -> u8",
        "impl Type { #[concurrent(async, scoped)] async fn work(&self, mut number: u8) -> u8",
        "impl Type { #[concurrent(async)] async fn work(self, mut number: u8) -> u8",
        "#[concurrent(threads)] fn work(mut number: u8) -> impl Iterator<Item = u8>",
        "#[concurrent(process)] fn work(mut number: u8, _: &str) -> impl Iterator<Item = u8>",
        "impl Type { #[concurrent(threads)] fn work(self, mut number: u8) \
         -> impl Iterator<Item = u8>",
        "impl Type { #[concurrent(process)] fn work(self, mut number: u8) \
         -> impl Iterator<Item = u8>",
        "#[concurrent(threads)] impl Type { pub fn new() -> Self { Type } \
         pub fn work(&self, mut number: u8) -> u8",
        "#[concurrent(async)] impl Type { pub async fn new() -> Self { Type } \
         pub async fn work(&mut self, mut number: u8) -> u8",
        "#[concurrent(process)] impl Type { pub fn new() -> Self { Type } \
         pub fn work(&self, mut number: u8, _: &str) -> u8",
    ] {
        let end = if kind.contains("impl Type") { "}" } else { "" };
        let yields = [
            ("return number", "return Some(number).into_iter()"),
            ("    number\n", "    Some(number).into_iter()\n"),
        ];
        let yields = yields.into_iter().filter(|_| kind.ends_with('>'));
        let body = yields.fold(BODY.to_owned(), |body, (value, items)| body.replace(value, items));
        let source = format!(
            "use trine::concurrent; #[derive(serde::Serialize, serde::Deserialize)] \
             pub struct Type; fn main() {{}}\n{kind} {body}{end}"
        );
        let folder = scratch().join("coverage");
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("main.rs");
        fs::write(&file, source).unwrap();
        let (output, dumps) = (folder.join("main.mir"), folder.join("dumps"));
        let output = rustc(
            &file,
            &[
                "--emit=mir",
                "-Cinstrument-coverage",
                "-Zdump-mir=InstrumentCoverage",
                &format!("-Zdump-mir-dir={}", dumps.display()),
                "-o",
                output.to_str().unwrap(),
            ],
        );
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let counted: String = fs::read_dir(dumps)
            .unwrap()
            .filter_map(|dump| fs::read_to_string(dump.unwrap().path()).ok())
            .flat_map(|dump| dump.lines().map(str::to_owned).collect::<Vec<_>>())
            .filter(|line| line.contains("coverage Code"))
            .collect();
        // The lines from the condition to the last expression; closing braces do not count.
        for line in [3, 4, 5, 7, 8] {
            let place = format!("main.rs:{line}:");
            assert!(counted.contains(&place), "{kind}: line {line} is not counted: {counted}");
        }
    }
}
