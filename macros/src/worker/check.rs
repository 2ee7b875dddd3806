//! What of an `impl` cannot be a worker: each mistake at its token, with a reason and a remedy.
use super::super::args::{Args, Given};
use super::super::check::{lent_for_ever, own, result_borrow};
use super::super::error::Errors;
use super::super::types::{borrows, opaque_span, ungrouped};
use super::super::yields;
use super::block::{Block, Part};
use syn::spanned::Spanned;
use syn::{ReceiverKind, Safety, Type};

/// Reports everything about the block that `args` does not allow.
pub(super) fn check(args: &Args, block: &Block, errors: &mut Errors) {
    if let Some(span) = block.of_trait {
        errors.push(
            span,
            "a worker is made of the type's own methods, and this is an `impl` of a trait: put \
             `concurrent` on an `impl Type` block, and call the trait's methods in its methods",
        );
        return;
    }
    if !matches!(ungrouped(&block.this), Type::Path(_)) {
        errors.push(block.this.span(), "a worker is of a type with a name: a struct or an enum");
        return;
    }
    options(args, errors);
    if block.constructors.is_empty() {
        errors.push(
            block.span,
            "a worker needs a constructor, which makes its value where that lives: a `pub fn` \
             without `self` that returns `Self` or `Result<Self, E>`",
        );
    }
    for lifetime in block.generics.lifetimes() {
        errors.push(
            lifetime.span(),
            "a worker outlives every borrow: own what the type borrows (`String`, `Vec<T>`, \
             `Arc<T>`)",
        );
    }
    let yields = block.methods.iter().any(|part| part.function.yields.is_some());
    if let Some(given) = args.given("ahead").filter(|_| !yields) {
        errors.push(
            given,
            "`ahead` is for methods that yield: return `impl Iterator<Item = T>` from one, or \
             remove it",
        );
    }
    let constructors = || block.constructors.iter().filter(|part| part.is_first);
    let methods = || block.methods.iter().filter(|part| part.is_first);
    for part in constructors() {
        constructor(part, errors);
    }
    for part in methods() {
        method(part, errors);
        if args.has("copies") && part.is_mutable {
            one_of_several(part, errors);
        }
    }
    for part in constructors().chain(methods()) {
        qualifiers(part, errors);
        if part.function.lacks_size() {
            // The compiler says so of the function itself, which is still there.
            errors.set_reported();
        }
        for parameter in &part.function.parameters {
            argument(&part.args, &parameter.written.ty, errors);
        }
    }
}

/// Options that a worker does not have.
#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    ("scoped", "the value outlives every borrow: own the arguments"),
    ("fresh", "a worker is a process of its own anyway"),
    ("pool", "a worker is a process of its own and serves nobody else"),
];

/// Options that are of the whole worker.
const OF_ALL: &[&str] =
    &["restarts", "per", "copies", "name", "memory", "renew", "local", "on", "crate"];

fn options(args: &Args, errors: &mut Errors) {
    // Without a value it has been reported already.
    let is_given = |given: &&Given| given.row.is_bare() || !given.written.is_empty();
    for given in args.options.iter().filter(is_given) {
        let refused = REFUSED.iter().find(|(name, _)| *name == given.row.name);
        if let Some((name, why)) = refused {
            errors.push(given.span, format!("a worker with state has no `{name}`: {why}"));
        }
    }
}

fn constructor(part: &Part, errors: &mut Errors) {
    for (name, span) in part.own.iter().filter(|(name, _)| *name != "timeout") {
        errors.push(
            *span,
            format!(
                "a constructor is no call, and has no option of its own but `timeout`: write \
                 `{name}` at the `impl` or at a method"
            ),
        );
    }
    if let Some(parameter) = part.function.signature.generics.params.first() {
        errors.push(
            parameter.span(),
            "a constructor cannot be generic, since the value is made anew by the same one: use \
             a type, or a type parameter of the `impl`",
        );
    }
}

fn method(part: &Part, errors: &mut Errors) {
    let function = &part.function;
    let Some(receiver) = &function.receiver else { return };
    if !matches!(receiver.kind, ReceiverKind::Reference(..)) {
        errors.push(
            receiver.self_token.span,
            "a worker lends its value to one call after the other: take `&self` or `&mut self`, \
             or make the method private",
        );
    }
    for (name, span) in &part.own {
        if part.is_mutable && ["retries", "backoff", "retry_if"].contains(name) {
            errors.push(
                *span,
                format!(
                    "`{name}` is for `&self`: what a failed call with `&mut self` has changed \
                     cannot be taken back; remove it, and call again where that is right"
                ),
            );
        }
        let refused = REFUSED.iter().find(|(refused, _)| refused == name);
        if let Some((name, why)) = refused {
            errors.push(*span, format!("a worker with state has no `{name}`: {why}"));
        } else if OF_ALL.contains(name) {
            let message = format!("`{name}` is of the whole worker: write it at the `impl`");
            errors.push(*span, message);
        }
    }
    yields::check_of_worker(&part.args, function.yields.as_ref(), &function.signature, errors);
    if let Some(output) = &function.output {
        if let Some(opaque) = opaque_span(output) {
            errors.push(
                opaque,
                "a task needs a result with a name: write the type, or `Box<dyn Trait + Send>`",
            );
        } else if let Some(span) = result_borrow(&part.args, output) {
            errors.push(
                span,
                "a result leaves the worker, and what it borrows stays there: return an owned \
                 type, as `String` for `&str`",
            );
        }
    }
}

/// A method with `&mut self` where there are `copies`.
fn one_of_several(part: &Part, errors: &mut Errors) {
    let Some(receiver) = &part.function.receiver else { return };
    errors.push(
        receiver.self_token.span,
        "a call goes to one of the `copies`, and would change that one alone: take `&self`, make \
         the method private, or remove `copies`",
    );
}

fn qualifiers(part: &Part, errors: &mut Errors) {
    let signature = &part.function.signature;
    if let Safety::Unsafe(unsafety) = &signature.safety {
        errors.push(
            unsafety.span,
            "an `unsafe fn` leaves a promise to its caller that nobody can check once the call \
             runs elsewhere: make it safe, or private",
        );
    }
    let is_constructor = part.function.receiver.is_none();
    let is_polled = signature.asyncness.is_some() || part.function.yields.is_some();
    if part.args.has_mode && part.args.mode.awaits && !is_polled {
        errors.push(
            signature.fn_token.span,
            match is_constructor {
                true => {
                    "the mode `async` runs an `async fn`, and so it makes the value: write \
                         `async fn`"
                }
                false => {
                    "the mode `async` runs an `async fn`: write `async fn`, or choose \
                          `threads` for methods that compute or block"
                }
            },
        );
    }
}

fn argument(args: &Args, ty: &Type, errors: &mut Errors) {
    let found = borrows(ty);
    let is_lent = args.mode.encodes && matches!(ungrouped(ty), Type::Reference(_));
    let wrong = found.iter().skip(usize::from(is_lent)).find(|borrow| !borrow.is_static());
    let lent = found.first().filter(|lent| is_lent && lent.is_static());
    if let Some(lifetime) = lent.and_then(|lent| lent.lifetime.as_ref()) {
        return lent_for_ever(lifetime, errors);
    }
    let changed = found.iter().find_map(|borrow| borrow.mutable).filter(|_| args.mode.encodes);
    if let Some(span) = changed.or_else(|| wrong.map(|borrow| borrow.span)) {
        let own = own(ty);
        errors.push(span, format!("a borrow, and the call runs where the value lives: {own}"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::options::OPTIONS;
    use super::super::block::{OF_CONSTRUCTORS, OF_LOOKS, OF_METHODS, OF_YIELDING};
    use super::REFUSED;

    /// It would be, without a word, if it were in none of the lists.
    #[test]
    fn no_option_is_ignored_on_an_impl() {
        const OF_EXPANSIONS: &[&str] = &["name", "crate"];
        let is_refused = |name: &str| REFUSED.iter().any(|(refused, _)| *refused == name);
        let ignored = OPTIONS.iter().filter(|row| {
            let is_used = [OF_METHODS, OF_LOOKS, OF_YIELDING, OF_CONSTRUCTORS, OF_EXPANSIONS]
                .iter()
                .any(|names| names.contains(&row.name));
            !is_used && !is_refused(row.name) && !row.needs.is_some_and(is_refused)
        });
        let ignored: Vec<&str> = ignored.map(|row| row.name).collect();
        assert!(
            ignored.is_empty(),
            "an `impl` ignores {ignored:?}: see `block.rs`, or refuse them"
        );
    }
}
