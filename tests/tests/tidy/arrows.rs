//! What each file of a crate uses of the others. It is read from the file's tokens, so that
//! comments and strings do not count, and `super::`, groups and inline modules mean what they mean
//! to the compiler.
//!
//! An arrow ends where a name is declared: a module that only re-exports it (`pub use`) is looked
//! through.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::sources;

/// From each file to the files that it uses, all without `.rs`.
pub(crate) type Arrows = BTreeMap<String, BTreeSet<String>>;

type Path = Vec<String>;

/// The arrows between the files below `folder`, which is a crate's `src`. `lib` has none: it may
/// name everything.
pub(crate) fn arrows(folder: &str) -> Arrows {
    let read = |(path, text): (String, String)| {
        let name = path[folder.len() + 1..].trim_end_matches(".rs").to_owned();
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        let home = if name == "lib" { Path::new() } else { split(&name) };
        (name, File::read(tokens, home))
    };
    let files: BTreeMap<String, File> = sources(folder).into_iter().map(read).collect();
    let used = |name: &String, file: &File| -> BTreeSet<String> {
        let paths = file.uses.iter().chain(file.passed_on_and_used());
        let used = paths.map(|path| declared_in(&files, path));
        used.filter(|used| used != name && used != "lib").collect()
    };
    let inside = files.iter().filter(|(name, _)| *name != "lib");
    inside.map(|(name, file)| (name.clone(), used(name, file))).collect()
}

fn split(name: &str) -> Path {
    name.split('/').map(str::to_owned).collect()
}

/// The file that declares what an absolute path names.
fn declared_in(files: &BTreeMap<String, File>, path: &[String]) -> String {
    let mut path = path.to_vec();
    // No chain of `pub use` is longer than this.
    for _ in 0..8 {
        let is_file = |depth: &usize| files.contains_key(&path[..*depth].join("/"));
        let depth = (1..=path.len()).rev().find(is_file).unwrap_or(0);
        let name = if depth == 0 { "lib".to_owned() } else { path[..depth].join("/") };
        match path.get(depth).and_then(|item| files[&name].passed_on.get(item)) {
            Some(target) => path = [target, &path[depth + 1..]].concat(),
            None => return name,
        }
    }
    panic!("`pub use` in a circle: {path:?}");
}

/// What one file says, as far as arrows are concerned.
#[derive(Default)]
struct File {
    home: Path,
    children: BTreeSet<String>,
    /// Absolute paths of everything that it names.
    uses: Vec<Path>,
    /// Names that a `pub use` re-exports, and what they stand for.
    passed_on: BTreeMap<String, Path>,
    /// The identifiers outside `use`, except the names of methods and functions.
    words: BTreeSet<String>,
}

impl File {
    fn read(tokens: TokenStream, home: Path) -> Self {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let is_child =
            |at: &usize| word(&tokens, at - 1) == "mod" && is_punct(&tokens, at + 1, ';');
        let children = (1..tokens.len()).filter(is_child).map(|at| word(&tokens, at)).collect();
        let mut file = Self { home: home.clone(), children, ..Self::default() };
        file.walk(&tokens, &home);
        file
    }

    fn passed_on_and_used(&self) -> impl Iterator<Item = &Path> {
        let used = self.passed_on.iter().filter(|(name, _)| self.words.contains(*name));
        used.map(|(_, path)| path)
    }

    /// Reads the tokens of one group, which is in the module `here`.
    fn walk(&mut self, tokens: &[TokenTree], here: &[String]) {
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            if let TokenTree::Group(group) = token {
                let inner: Vec<_> = group.stream().into_iter().collect();
                let is_module = at > 1 && word(tokens, at - 2) == "mod";
                if is_module && group.delimiter() == Delimiter::Brace {
                    self.walk(&inner, &[here, &[word(tokens, at - 1)]].concat());
                } else {
                    self.walk(&inner, here);
                }
                at += 1;
            } else if word(tokens, at) == "use" {
                let length = tokens[at..].iter().position(|token| is(token, ';')).unwrap_or(1);
                let is_public = at > 0 && word(tokens, at - 1) == "pub"
                    || at > 1 && word(tokens, at - 2) == "pub";
                for (path, name) in use_tree(&tokens[at + 1..at + length], &[]) {
                    match self.absolute(&path, here) {
                        Some(path) if is_public => drop(self.passed_on.insert(name, path)),
                        Some(path) => self.uses.push(path),
                        None => {}
                    }
                }
                at += length;
            } else {
                let (path, next) = path_at(tokens, at);
                if path.len() > 1
                    && let Some(path) = self.absolute(&path, here)
                {
                    self.uses.push(path);
                }
                let is_declared =
                    at > 0 && (is(&tokens[at - 1], '.') || word(tokens, at - 1) == "fn");
                if !is_declared {
                    self.words.extend(path);
                }
                at = next.max(at + 1);
            }
        }
    }

    /// A path from the crate's root; `None` for names of other crates and of this module.
    fn absolute(&self, path: &[String], here: &[String]) -> Option<Path> {
        let parents = path.iter().take_while(|word| *word == "super").count();
        if parents > 0 {
            let parent = &here[..here.len().checked_sub(parents)?];
            return Some([parent, &path[parents..]].concat());
        }
        match &*path[0] {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([here, &path[1..]].concat()),
            first if here == self.home && self.children.contains(first) => {
                Some([here, path].concat())
            }
            _ => None,
        }
    }
}

/// The word at this position, or nothing if there is something else.
fn word(tokens: &[TokenTree], at: usize) -> String {
    match tokens.get(at) {
        Some(TokenTree::Ident(word)) => word.to_string(),
        _ => String::new(),
    }
}

fn is(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn is_punct(tokens: &[TokenTree], at: usize, character: char) -> bool {
    tokens.get(at).is_some_and(|token| is(token, character))
}

/// The words joined by `::` from this position on, and where they end.
fn path_at(tokens: &[TokenTree], mut at: usize) -> (Path, usize) {
    let mut path = Path::new();
    while let Some(TokenTree::Ident(word)) = tokens.get(at) {
        path.push(word.to_string());
        at += 1;
        if !(is_punct(tokens, at, ':') && is_punct(tokens, at + 1, ':')) {
            break;
        }
        at += 2;
    }
    (path, at)
}

/// Each path of the tree after `use`, with the name that it gets.
fn use_tree(tokens: &[TokenTree], before: &[String]) -> Vec<(Path, String)> {
    let mut found = Vec::new();
    for tree in tokens.split(|token| is(token, ',')) {
        let (path, end) = path_at(tree, 0);
        let mut path = [before, &path].concat();
        match tree.get(end) {
            Some(TokenTree::Group(group)) => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                found.extend(use_tree(&inner, &path));
            }
            _ if path.is_empty() => {}
            renamed => {
                if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                    path.pop();
                }
                let last = path.last().cloned().unwrap_or_default();
                let name = if renamed.is_some() { word(tree, end + 1) } else { last };
                found.push((path, name));
            }
        }
    }
    found
}

/// Whether there is `unsafe` code, including types of unsafe functions. `unsafe` attributes, such
/// as `#[unsafe(no_mangle)]`, do not count.
pub(crate) fn has_unsafe(tokens: TokenStream) -> bool {
    let tokens: Vec<_> = tokens.into_iter().collect();
    (0..tokens.len()).any(|at| match &tokens[at] {
        TokenTree::Group(group) => has_unsafe(group.stream()),
        _ if word(&tokens, at) == "unsafe" => !matches!(
            tokens.get(at + 1),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis
        ),
        _ => false,
    })
}
