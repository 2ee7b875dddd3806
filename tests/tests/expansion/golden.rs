//! The expansions of the functions in `tests/expand/` and `examples/`, each stored next to its
//! source as `NAME.expanded.rs`, so that every reviewer sees when the expansion changes.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, File, ImplItem, Item, Stmt, TraitItem};

const RENEW: &str = "renew with: TRINE_UPDATE=1 cargo test -p trine-tests --test expansion";

#[test]
fn every_expansion_is_as_written_down() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let update = std::env::var_os("TRINE_UPDATE").is_some();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for source in sources(&workspace) {
        seen += 1;
        let golden = source.with_extension("expanded.rs");
        let expanded = expand_file(&source);
        if update {
            fs::write(&golden, &expanded).expect("the golden file can be written");
        } else if fs::read_to_string(&golden).ok().as_deref() != Some(&*expanded) {
            wrong.push(golden);
        }
    }
    assert!(seen > 0, "there are files to expand");
    assert!(wrong.is_empty(), "not what the macro makes now: {wrong:#?}\n{RENEW}");
}

/// A golden file without a source is stale.
#[test]
fn every_golden_file_has_a_source() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for folder in ["tests/expand", "examples"] {
        for file in rust_files(&workspace.join(folder)) {
            if is_golden(&file) {
                let source = file.with_extension("").with_extension("rs");
                assert!(source.exists(), "{} has no source", file.display());
            }
        }
    }
}

/// The files that contain concurrent functions.
pub(crate) fn sources(workspace: &Path) -> Vec<PathBuf> {
    let mut files = rust_files(&workspace.join("tests/expand"));
    files.extend(rust_files(&workspace.join("examples")));
    files.retain(|file| !is_golden(file) && read(file).contains("#[concurrent("));
    files
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.expect("an entry can be read").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    files
}

fn is_golden(file: &Path) -> bool {
    file.to_string_lossy().ends_with(".expanded.rs")
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("the source can be read")
}

fn expand_file(source: &Path) -> String {
    let mut file = syn::parse_file(&read(source)).expect("the source parses");
    Expander.visit_file_mut(&mut file);
    prettyplease::unparse(&file)
}

/// Replaces each concurrent function by its expansion, wherever items can stand.
pub(crate) struct Expander;

impl VisitMut for Expander {
    fn visit_file_mut(&mut self, file: &mut File) {
        expand_items(&mut file.items);
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            expand_items(items);
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, block: &mut syn::ItemImpl) {
        block.items = std::mem::take(&mut block.items)
            .into_iter()
            .flat_map(|item| match item {
                ImplItem::Fn(function) if find(&function.attrs).is_some() => {
                    parsed::<Members<_>>(expansion(function.attrs.clone(), &function)).0
                }
                item => vec![item],
            })
            .collect();
        visit_mut::visit_item_impl_mut(self, block);
    }

    fn visit_item_trait_mut(&mut self, declared: &mut syn::ItemTrait) {
        declared.items = std::mem::take(&mut declared.items)
            .into_iter()
            .flat_map(|item| match item {
                TraitItem::Fn(function) if find(&function.attrs).is_some() => {
                    parsed::<Members<_>>(expansion(function.attrs.clone(), &function)).0
                }
                item => vec![item],
            })
            .collect();
        visit_mut::visit_item_trait_mut(self, declared);
    }

    fn visit_block_mut(&mut self, block: &mut syn::Block) {
        block.stmts = std::mem::take(&mut block.stmts)
            .into_iter()
            .flat_map(|statement| match statement {
                Stmt::Item(item) => {
                    let mut items = vec![item];
                    expand_items(&mut items);
                    items.into_iter().map(Stmt::Item).collect()
                }
                statement => vec![statement],
            })
            .collect();
        visit_mut::visit_block_mut(self, block);
    }
}

/// The items of an impl block or a trait without what is around them.
struct Members<T>(Vec<T>);

impl<T: syn::parse::Parse> syn::parse::Parse for Members<T> {
    fn parse(input: syn::parse::ParseStream<'_>) -> syn::Result<Self> {
        let mut items = Vec::new();
        while !input.is_empty() {
            items.push(input.parse()?);
        }
        Ok(Members(items))
    }
}

fn expand_items(items: &mut Vec<Item>) {
    *items = std::mem::take(items)
        .into_iter()
        .flat_map(|item| match item {
            Item::Fn(function) if find(&function.attrs).is_some() => {
                let mut items = parsed::<File>(expansion(function.attrs.clone(), &function)).items;
                // A `cfg` on a parameter leaves the attribute on each variant of the function.
                expand_items(&mut items);
                items
            }
            // Its methods have options of their own, which go with it.
            Item::Impl(block) if find(&block.attrs).is_some() => {
                parsed::<File>(expansion(block.attrs.clone(), &block)).items
            }
            item => vec![item],
        })
        .collect();
}

fn find(attributes: &[Attribute]) -> Option<usize> {
    attributes.iter().position(|attribute| {
        attribute.path().segments.last().is_some_and(|segment| segment.ident == "concurrent")
    })
}

/// `cargo expand` does not show the line of documentation that only rustdoc sees.
fn without_docs_for_rustdoc(tokens: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut kept = Vec::new();
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        match (first, after) {
            (TokenTree::Punct(hash), [TokenTree::Group(group), after @ ..])
                if hash.as_char() == '#'
                    && group.stream().to_string().starts_with("cfg_attr (doc ,") =>
            {
                rest = after;
            }
            _ => {
                kept.push(first.clone());
                rest = after;
            }
        }
    }
    kept.into_iter().collect()
}

/// The expansion of `function` with these attributes.
fn expansion(attributes: Vec<Attribute>, function: &(impl ToTokens + Clone)) -> TokenStream {
    let position = find(&attributes).expect("it is concurrent");
    let arguments = match &attributes[position].meta {
        syn::Meta::List(list) => list.tokens.clone(),
        _ => TokenStream::new(),
    };
    without_docs_for_rustdoc(crate::expand(arguments, without(&attributes[position], function)))
}

/// The item without that attribute.
fn without(attribute: &Attribute, function: &impl ToTokens) -> TokenStream {
    let unwanted: Vec<String> =
        attribute.to_token_stream().into_iter().map(|token| token.to_string()).collect();
    let tokens: Vec<_> = function.to_token_stream().into_iter().collect();
    let text: Vec<String> = tokens.iter().map(ToString::to_string).collect();
    let start = text.windows(unwanted.len()).position(|window| window == unwanted);
    let start = start.expect("the attribute is among the tokens");
    let kept = tokens.iter().enumerate();
    kept.filter(|(index, _)| !(start..start + unwanted.len()).contains(index))
        .map(|(_, token)| token.clone())
        .collect()
}

fn parsed<T: syn::parse::Parse>(tokens: TokenStream) -> T {
    let text = tokens.to_string();
    match syn::parse2(tokens) {
        Ok(items) => items,
        Err(error) => panic!("the expansion is not an item: {error}\n{text}"),
    }
}
