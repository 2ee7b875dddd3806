//! What `cargo expand` shows is the same as the golden files.
//!
//! It also expands the macros in the body, so the golden file is expanded beside the source. The
//! test asks the compiler as `cargo expand` does; if `TRINE_EXPANDED` names a folder, it compares
//! what the tool itself wrote there for each example.

use std::path::Path;

use quote::ToTokens;
use trine_tests::rustc::rustc;

#[test]
fn the_golden_files_are_what_cargo_expand_shows() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let by_tool = std::env::var_os("TRINE_EXPANDED");
    let mut compared = 0;
    for source in crate::golden::sources(&workspace) {
        let name = source.file_name().unwrap();
        let shown = match &by_tool {
            Some(_) if !source.parent().is_some_and(|folder| folder.ends_with("examples")) => {
                continue;
            }
            Some(folder) => match std::fs::read_to_string(Path::new(folder).join(name)) {
                Ok(shown) => shown,
                Err(_) => continue,
            },
            None => unfolded(&source),
        };
        let golden = unfolded(&source.with_extension("expanded.rs"));
        let (shown, golden) = (laid_out(&shown), laid_out(&golden));
        for (shown, golden) in shown.lines().zip(golden.lines()) {
            assert_eq!(shown, golden, "{}", source.display());
        }
        assert_eq!(shown.lines().count(), golden.lines().count(), "{}", source.display());
        compared += 1;
    }
    assert!(compared > 0, "there are files to compare");
}

/// The file as the compiler sees it after all macros.
fn unfolded(source: &Path) -> String {
    let output = rustc(source, &["-Zunpretty=expanded", "--crate-name=shown"]);
    let text = String::from_utf8(output.stdout).expect("rustc writes UTF-8");
    assert!(!text.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The items that contain an expansion.
fn laid_out(text: &str) -> String {
    let mut file = syn::parse_file(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    file.attrs.clear();
    file.items.retain(|item| item.to_token_stream().to_string().contains("Function :: new"));
    prettyplease::unparse(&file)
}
