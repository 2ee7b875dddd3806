//! The expansions in the documentation are what the macro makes of the function before them, or of
//! the one in the comment above.

use std::fs;
use std::path::{Path, PathBuf};

use quote::ToTokens;
use syn::visit_mut::VisitMut;
use syn::{Block, Item, Stmt};

use crate::golden::Expander;

#[test]
fn the_documentation_shows_what_the_macro_writes() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let docs = fs::read_dir(workspace.join("runtime/docs")).unwrap();
    let mut pages: Vec<PathBuf> = docs.map(|entry| entry.unwrap().path()).collect();
    pages.extend(["README.md", "runtime/src/expansion.rs"].map(|page| workspace.join(page)));
    let mut compared = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let mut before = String::new();
        for example in examples(&text) {
            if example.contains("static FUNCTION") {
                let source = commented(&example).unwrap_or_else(|| before.clone());
                let mut written = block(&source);
                Expander.visit_block_mut(&mut written);
                assert_eq!(functions(&block(&example)), functions(&written), "{}", page.display());
                compared += 1;
            }
            before = example;
        }
    }
    assert!(compared >= 6, "there are expansions to compare");
}

/// The examples of a page, without the lines that rustdoc hides.
fn examples(page: &str) -> Vec<String> {
    let lines = page.lines().map(|line| {
        let line = line.strip_prefix("//!").unwrap_or(line);
        line.strip_prefix(' ').filter(|_| page.starts_with("//!")).unwrap_or(line)
    });
    let mut examples = Vec::new();
    let mut inside = None;
    for line in lines {
        match (line.starts_with("```"), &mut inside) {
            (true, None) => inside = Some(String::new()),
            (true, Some(_)) => examples.extend(inside.take()),
            (false, Some(example)) if !line.starts_with("# ") => {
                example.push_str(line);
                example.push('\n');
            }
            (false, _) => {}
        }
    }
    examples
}

/// The function in the comment at the start of an example.
fn commented(example: &str) -> Option<String> {
    let lines = example.lines().map_while(|line| line.strip_prefix("// "));
    let source = lines.collect::<Vec<_>>().join("\n");
    source.contains("#[concurrent(").then_some(source)
}

fn block(text: &str) -> Block {
    syn::parse_str(&format!("{{{text}\n}}")).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The items that contain an expansion.
fn functions(block: &Block) -> String {
    let items = block.stmts.iter().filter_map(|statement| match statement {
        Stmt::Item(item) => Some(item),
        _ => None,
    });
    let is_expanded = |item: &&Item| item.to_token_stream().to_string().contains("Function :: new");
    let mut file = syn::parse_file("").expect("nothing is a file");
    file.items = items.filter(is_expanded).cloned().collect();
    prettyplease::unparse(&file)
}
