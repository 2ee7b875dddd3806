//! Whether this function can run in this mode. Every rejection has its place, its reason and its
//! remedy; all that apply are reported.
use super::args::{Args, Mode};
use super::error::Errors;
use super::function::Function;
use super::lifetimes::{borrows, has_impl};
use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{ReceiverKind, Safety, Signature, Type};

/// Reports everything about `function` that cannot be had with `args`.
pub(crate) fn check(args: &Args, function: &Function, errors: &mut Errors) {
    let signature = &function.signature;
    function.report_missing_body(errors);
    qualifiers(args, signature, errors);
    if let Some(receiver) = &function.receiver {
        self::receiver(args, receiver, errors);
    }
    for parameter in &function.parameters {
        argument(args, &parameter.written.ty, errors);
    }
    if let Some(output) = &function.output {
        self::output(args, output, errors);
    }
}

fn qualifiers(args: &Args, signature: &Signature, errors: &mut Errors) {
    if let Some(constness) = &signature.constness {
        errors.push(
            constness.span,
            "a `const fn` runs in the compiler, where no task can be started: remove `const`",
        );
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        errors.push(
            unsafety.span,
            "an `unsafe fn` leaves a promise to its caller that nobody can check once the call \
             runs elsewhere: make the function safe and write `unsafe { … }` in its body",
        );
    }
    if let Some(abi) = &signature.abi {
        errors.push(
            abi.extern_token.span,
            "an `extern` function is called by foreign code, which cannot take a `Task`: remove \
             `extern`, or call a concurrent function from it",
        );
    }
    if let Some(variadic) = &signature.variadic {
        errors.push(
            variadic.span(),
            "variadic arguments cannot be moved into a task: take a `Vec` or a slice",
        );
    }
    if args.mode == Mode::Async && signature.asyncness.is_none() {
        errors.push(
            signature.fn_token.span,
            "the mode `async` runs an `async fn`: write `async fn`, or choose `threads` for a \
             function that computes or blocks",
        );
    }
}

fn receiver(args: &Args, receiver: &syn::Receiver, errors: &mut Errors) {
    match &receiver.kind {
        ReceiverKind::Typed(_, ty) => argument(args, ty, errors),
        ReceiverKind::Reference(_, _, Some(mutability)) if args.mode == Mode::Process => {
            mutable(mutability.span, errors);
        }
        ReceiverKind::Reference(..) if args.mode != Mode::Process && args.scoped.is_none() => {
            errors.push(
                receiver.self_token.span,
                "`self` is borrowed, and the task may outlive the borrow: take `self` or \
                 `self: Arc<Self>`, or add `scoped` to the attribute and call it in `trine::scope`",
            );
        }
        _ => {}
    }
}

fn argument(args: &Args, ty: &Type, errors: &mut Errors) {
    let borrows = borrows(ty);
    if args.mode == Mode::Process {
        let is_reference = matches!(ungrouped(ty), Type::Reference(_));
        if let Some(mutability) = borrows.iter().find_map(|borrow| borrow.mutable) {
            return mutable(mutability, errors);
        }
        if is_reference && has_no_owned(ty) {
            errors.push(
                ty.span(),
                "the worker owns a value in place of this reference, and its type has to be known: \
                 use a type parameter with these bounds, or a type",
            );
        }
        // A reference at the top is encoded at the call; the worker owns what it refers to.
        let mut inside = borrows.iter().skip(usize::from(is_reference));
        if let Some(borrow) = inside.find(|borrow| !borrow.is_static()) {
            errors.push(
                borrow.span,
                "a worker process cannot look into the caller's memory: only a plain `&T` is \
                 encoded at the call; own what a type borrows inside (`String`, `Vec<T>`)",
            );
        }
        return;
    }
    if args.scoped.is_some() {
        return;
    }
    if let Some(borrow) = borrows.iter().find(|borrow| !borrow.is_static()) {
        errors.push(
            borrow.span,
            format!(
                "a borrow, and the task may outlive it: {}, or add `scoped` to the attribute and \
                 call it in `trine::scope`",
                own(ty)
            ),
        );
    }
}

/// Whether what is referred to is `impl Trait` or `dyn Trait`.
fn has_no_owned(ty: &Type) -> bool {
    match ungrouped(ty) {
        Type::Reference(reference) => has_no_owned(&reference.elem),
        Type::TraitObject(_) => true,
        ty => has_impl(ty),
    }
}

fn mutable(span: Span, errors: &mut Errors) {
    errors.push(
        span,
        "a worker process cannot change the caller's data: take it by value and return the \
         changed value",
    );
}

fn output(args: &Args, ty: &Type, errors: &mut Errors) {
    if let Type::ImplTrait(opaque) = ungrouped(ty) {
        errors.push(
            opaque.span(),
            "a task needs a result with a name: write the type, or `Box<dyn Trait + Send>`",
        );
        return;
    }
    let allowed = args.scoped.is_some() && args.mode != Mode::Process;
    if let Some(borrow) = borrows(ty).iter().find(|borrow| !borrow.is_static())
        && !allowed
    {
        errors.push(
            borrow.span,
            match args.mode {
                Mode::Process => {
                    "a result comes out of the worker by value and cannot borrow: return an owned \
                     type"
                }
                _ => {
                    "the result of a task outlives the call and cannot borrow from it: return an \
                     owned type, or add `scoped` to the attribute and call it in `trine::scope`"
                }
            },
        );
    }
}

/// What to take instead of a borrowed type.
fn own(ty: &Type) -> String {
    let Type::Reference(reference) = ungrouped(ty) else {
        return "own it".to_owned();
    };
    match ungrouped(&reference.elem) {
        Type::Slice(slice) => {
            let element = &slice.elem;
            format!("take `Vec<{}>`", quote::quote!(#element))
        }
        Type::Path(path) if path.path.is_ident("str") => "take `String`".to_owned(),
        Type::Path(path) if path.path.is_ident("Path") => "take `PathBuf`".to_owned(),
        Type::Path(path) if path.path.get_ident().is_some() => {
            let name = path.path.get_ident().map(ToString::to_string).unwrap_or_default();
            format!("take `{name}` or `Arc<{name}>`")
        }
        _ => "take it by value or in an `Arc`".to_owned(),
    }
}

/// The type inside the invisible groups of `macro_rules!` and inside parentheses.
pub(crate) fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        _ => ty,
    }
}
