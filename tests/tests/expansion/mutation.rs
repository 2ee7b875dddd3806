//! Mutated attributes and functions. Whatever an editor passes while somebody is typing, the macro
//! returns items, does not panic, and reports an error exactly if there is one. The signature is
//! kept as long as it can be parsed.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// What is mutated: an attribute and an item.
const SEEDS: [(&str, &str); 14] = [
    (
        "threads",
        "pub fn a(path: PathBuf, size: u32) -> io::Result<Image> { open(path)?; Ok(size) }",
    ),
    ("threads, limit = 4, timeout = 1.5s", "fn a((x, _): (u8, u8), mut y: u8, _: u8) { y += x; }"),
    ("process, memory = 512MiB, fresh", "fn a<'a>(text: &'a str, list: &[u8]) -> Vec<u8> { v![] }"),
    (
        "process, retries = 3, backoff = 100ms",
        "async fn a(text: &str) -> Result<u8, E> { f().await }",
    ),
    ("async", "pub(crate) async fn a(mut url: String, _: u8) -> Box<dyn Any> { return b(url); }"),
    ("async, scoped", "async fn a<'a, T: 'a>(x: &'a T, y: &mut [T]) -> &'a T where T: Ord { x }"),
    (
        "threads, scoped",
        "fn a(&mut self, text: &str, f: &dyn Fn(&str) -> &str) -> Cow<'_, str> { t }",
    ),
    ("threads", "#[expect(unused)] fn a(mut self: Arc<Self>, x: impl Into<u8>) -> ! { loop {} }"),
    (
        "threads, crate = a::b",
        "#[must_use] fn a<const N: usize>(#[cfg(unix)] x: [u8; N]) -> u8 { 1 }",
    ),
    ("async", "async fn a(self, #[cfg_attr(x, allow(y))] z: u8) { #![allow(w)] }"),
    ("threads", "const unsafe extern \"C\" fn a(x: u8, ...) -> impl Sized { x }"),
    ("process", "fn a(&self, x: &mut u8, y: Option<&str>) -> &str;"),
    ("threads, timeout = LIMIT * 2, limit = count::<u8, 2>()", "fn r#fn(r#type: u8) { r#type; }"),
    (
        "threads",
        "fn a(a1: A, a2: A, a3: A, a4: A, a5: A, a6: A, a7: A, a8: A, a9: A, b1: A, b2: A, \
      b3: A, b4: A, b5: A, b6: A, b7: A, b8: A, b9: A) {}",
    ),
];

/// What is inserted: tokens that mean something somewhere.
const INSERTED: &str = "threads process async scoped timeout limit retries crate = , ; : :: -> # ! \
    & &mut 'a '_ _ self Self mut ref fn const unsafe extern impl dyn where for < > ( ) { } [ ] \
    5s 0 512MiB -1 \"text\" 'c' x: |x| .. ... @ ? $ #[cfg(x)] #![y] r#type static mod struct";

/// Few enough for the normal test run. The seed is fixed, so a failure can be reproduced.
const ROUNDS: u32 = 2_000;

#[test]
fn mutated_input_never_panics_and_always_gives_items() {
    let inserted: Vec<TokenTree> = INSERTED
        .split_whitespace()
        .filter_map(|text| text.parse::<TokenStream>().ok())
        .flatten()
        .collect();
    let mut random = Random(0x5eed);
    for round in 0..ROUNDS {
        let (arguments, item) = SEEDS[random.below(SEEDS.len())];
        let mut arguments = tokens(arguments);
        let mut item = tokens(item);
        for _ in 0..=random.below(3) {
            if random.below(3) == 0 {
                arguments = mutated(arguments, &inserted, &mut random);
            } else {
                item = mutated(item, &inserted, &mut random);
            }
        }
        hold(&arguments, &item, &format!("round {round}"));
    }
}

/// Every prefix of every seed, like code that is being typed.
#[test]
fn half_typed_input_gives_items() {
    for (arguments, item) in SEEDS {
        let all: Vec<TokenTree> = tokens(item).into_iter().collect();
        for length in 0..=all.len() {
            let prefix = all[..length].iter().cloned().collect();
            hold(&tokens(arguments), &prefix, "prefix of the item");
        }
        let all: Vec<TokenTree> = tokens(arguments).into_iter().collect();
        for length in 0..=all.len() {
            let prefix = all[..length].iter().cloned().collect();
            hold(&prefix, &tokens(item), "prefix of the attribute");
        }
    }
}

/// What holds for any input.
fn hold(arguments: &TokenStream, item: &TokenStream, place: &str) {
    let place = format!("{place}: #[concurrent({arguments})] {item}");
    let expanded = std::panic::catch_unwind(|| crate::expand(arguments.clone(), item.clone()));
    assert!(expanded.is_ok(), "the macro panicked, {place}");
    // The body passes through unchanged, broken or not; so look at what is around it.
    let item = &without_body(item);
    let expanded = crate::expand(arguments.clone(), item.clone());
    let text = expanded.to_string();
    let complains = text.contains("compile_error");
    let items = parses_as_items(&expanded);
    // An item becomes items, or an error is reported. What is no item has been reported by the
    // compiler, and its broken tokens are kept for that.
    let was_item = parses_as_items(item);
    assert!(items || complains || !was_item, "no items and no complaint, {place}\n{text}");
    if complains && was_item {
        assert!(items, "an item was broken, {place}\n{text}");
    }
    if let Some(name) = name(item)
        && was_item
    {
        let kept = format!("fn {name}");
        assert!(text.contains(&kept), "`{kept}` is gone, {place}\n{text}");
    }
}

fn parses_as_items(tokens: &TokenStream) -> bool {
    let mut block = tokens.clone();
    if syn::parse2::<syn::File>(block.clone()).is_ok() {
        return true;
    }
    // A method can only be an item of an `impl` block.
    block = quote::quote!(impl Type { #block });
    syn::parse2::<syn::ItemImpl>(block.clone()).is_ok()
        || syn::parse2::<syn::ItemTrait>(quote::quote!(trait Trait { #tokens })).is_ok()
}

fn without_body(item: &TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = item.clone().into_iter().collect();
    if let Some(TokenTree::Group(body)) = tokens.last_mut()
        && body.delimiter() == Delimiter::Brace
    {
        *body = Group::new(Delimiter::Brace, TokenStream::new());
    }
    tokens.into_iter().collect()
}

/// The name after the first `fn`.
fn name(item: &TokenStream) -> Option<String> {
    let mut tokens = item.clone().into_iter();
    tokens.find(|token| token.to_string() == "fn")?;
    tokens.next().map(|name| name.to_string())
}

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("a seed is made of tokens")
}

/// The same tokens with one change at some depth: a token removed, doubled, replaced, moved or
/// inserted; a group opened, emptied, or wrapped in the invisible delimiters of `macro_rules!`.
fn mutated(stream: TokenStream, inserted: &[TokenTree], random: &mut Random) -> TokenStream {
    let mut tokens: Vec<TokenTree> = stream.into_iter().collect();
    if tokens.is_empty() {
        return inserted[random.below(inserted.len())].clone().into();
    }
    let at = random.below(tokens.len());
    if let TokenTree::Group(group) = &tokens[at]
        && random.below(3) > 0
    {
        let inside = mutated(group.stream(), inserted, random);
        tokens[at] = Group::new(group.delimiter(), inside).into();
        return tokens.into_iter().collect();
    }
    match random.below(8) {
        0 => drop(tokens.remove(at)),
        1 => tokens.insert(at, tokens[at].clone()),
        2 => tokens[at] = inserted[random.below(inserted.len())].clone(),
        3 => tokens.insert(at, inserted[random.below(inserted.len())].clone()),
        4 => {
            let other = random.below(tokens.len());
            tokens.swap(at, other);
        }
        5 => tokens.truncate(at),
        6 => {
            let stream = tokens[at].clone().into();
            tokens[at] = Group::new(Delimiter::None, stream).into();
        }
        _ => {
            if let TokenTree::Group(group) = &tokens[at] {
                let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                tokens.splice(at..=at, inside);
            }
        }
    }
    tokens.into_iter().collect()
}

/// xorshift: random enough for this, and the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }
}
