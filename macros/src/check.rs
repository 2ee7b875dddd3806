//! Checks whether this function can run in this mode. Every error has a location, a reason and a
//! remedy, and all that apply are reported.
use super::args::Args;
use super::attributes;
use super::error::Errors;
use super::function::Function;
use super::options::Kind;
use super::tuple::MAX_TUPLE;
use super::types::{Borrow, borrows, has_impl, opaque_span, sized_instead, ungrouped};
use super::yields;
use proc_macro2::{Span, TokenTree};
use syn::spanned::Spanned;
use syn::{Lifetime, ReceiverKind, Safety, Type};

/// Reports everything about `function` that `args` does not allow.
pub(crate) fn check(args: &Args, function: &Function, errors: &mut Errors) {
    let signature = &function.signature;
    if function.body.is_none() && !function.is_declaration() {
        return missing_body(function, errors);
    }
    if function.is_main() {
        errors.push(
            signature.ident.span(),
            "`main` cannot be concurrent, since what calls it takes no `Task`: leave it plain, and \
             call a concurrent function in it",
        );
        return;
    }
    let is_run = attributes::check(function, errors);
    if is_run || made_by_async_trait(function, errors) {
        return;
    }
    options(args, function, errors);
    qualifiers(args, function, errors);
    yields::check(args, function.yields.as_ref(), signature, errors);
    if !args.has_mode {
        // It decides what may be borrowed and returned.
        return;
    }
    let before = errors.count();
    if let Some(receiver) = &function.receiver {
        self::receiver(args, receiver, errors);
    }
    if args.mode.encodes {
        many_references(function, errors);
    }
    for parameter in &function.parameters {
        let ty = &parameter.written.ty;
        // What a worker decodes has a size in any case.
        if !args.mode.encodes && function.may_lack_size(ty) {
            errors.push(
                ty.span(),
                "a value of this type may have no size, so it cannot be moved into a task: remove \
                 `?Sized`, or take it in a `Box` or an `Arc`",
            );
            continue;
        }
        argument(args, ty, function.receiver.is_some(), errors);
    }
    // A result that borrows from an argument that may not be borrowed is part of the same mistake.
    let is_said = errors.count() > before && !args.mode.encodes;
    if let Some(output) = &function.output {
        self::output(args, output, is_said, errors);
    }
}

/// Reports a reference among more arguments than one tuple can have: in a nested tuple no argument
/// would be encoded as what the worker owns in its place.
fn many_references(function: &Function, errors: &mut Errors) {
    let is_many = function.signature.inputs.len() > MAX_TUPLE;
    let of_self = function.receiver.iter().filter_map(|receiver| match &receiver.kind {
        ReceiverKind::Reference(and, ..) => Some(and.span),
        _ => None,
    });
    let of_others =
        function.parameters.iter().filter_map(|parameter| match ungrouped(&parameter.ty) {
            Type::Reference(reference) => Some(reference.and_token.span),
            _ => None,
        });
    if is_many && let Some(place) = of_self.chain(of_others).next() {
        errors.push(
            place,
            "a reference is encoded at the call where there are at most sixteen arguments, and \
             this function has more: take it by value, or put several arguments into one struct",
        );
    }
}

fn missing_body(function: &Function, errors: &mut Errors) {
    errors.push(
        function.signature.ident.span(),
        "`concurrent` runs a body, and this function has none: mark the function that has it, one \
         on its own or a method in an `impl Type` block; in a trait, declare what it returns: \
         `-> trine::Task<T>`; a foreign function, call in one that is concurrent",
    );
}

/// What `async_trait` makes of an `async fn`, which is not one any more.
fn made_by_async_trait(function: &Function, errors: &mut Errors) -> bool {
    let is_made = function.is_made_by_async_trait();
    if is_made {
        errors.push(
            function.signature.ident.span(),
            "`async_trait` has changed this `async fn` before `concurrent` could see it: write \
             `fn` with `threads` or `process`, or move the concurrent functions to a trait without \
             `async_trait`, which they do not need",
        );
    }
    is_made
}

/// The options are stored in a static, which cannot use `Self` or the function's generics.
fn options(args: &Args, function: &Function, errors: &mut Errors) {
    let generics = function.generics();
    for given in &args.options {
        // Without a value it has been reported already.
        if given.row.is_of_worker() && !given.written.is_empty() {
            let name = given.row.name;
            let message = format!(
                "`{name}` is for a worker with state: put `concurrent` on an `impl`, or remove it"
            );
            errors.push(given.span, message);
        }
        let changes_signature = matches!(given.row.kind, Kind::Scoped | Kind::Crate);
        if function.body.is_none() && !changes_signature {
            let name = given.row.name;
            let message = format!(
                "`{name}` is for the function that has the body: write it in the `impl` of this \
                 trait"
            );
            errors.push(given.span, message);
        }
        let mut unknown = given.written.clone().into_iter().filter(|token| match token {
            TokenTree::Ident(ident) => ident == "Self" || generics.contains(&ident),
            _ => false,
        });
        if let Some(token) = unknown.next() {
            errors.push(
                token.span(),
                format!(
                    "`{token}` cannot be used here: an option is the same for all calls and kept \
                     in a static; write a constant that is known outside of the function"
                ),
            );
        }
    }
}

fn qualifiers(args: &Args, function: &Function, errors: &mut Errors) {
    let signature = &function.signature;
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
    let is_future = signature.asyncness.is_some() || function.yields.is_some();
    if args.has_mode && args.mode.awaits && !is_future {
        errors.push(
            signature.fn_token.span,
            "the mode `async` runs an `async fn`: write `async fn`, or choose `threads` for a \
             function that computes or blocks",
        );
    }
}

fn receiver(args: &Args, receiver: &syn::Receiver, errors: &mut Errors) {
    match &receiver.kind {
        ReceiverKind::Typed(_, ty) => argument(args, ty, true, errors),
        ReceiverKind::Reference(_, _, Some(mutability)) if args.mode.encodes => {
            mutable(mutability.span, errors);
        }
        ReceiverKind::Reference(_, Some(lifetime), _)
            if args.mode.encodes && lifetime.ident == "static" =>
        {
            lent_for_ever(lifetime, errors);
        }
        ReceiverKind::Reference(_, lifetime, _)
            if !args.mode.encodes
                && !args.is_scoped()
                && lifetime.as_ref().is_none_or(|lifetime| lifetime.ident != "static") =>
        {
            errors.push(
                receiver.self_token.span,
                "`self` is borrowed, and the task may outlive the borrow: take `self` or \
                 `self: Arc<Self>`, or add `scoped` to the attribute and call it in `trine::scope`",
            );
        }
        _ => {}
    }
}

fn argument(args: &Args, ty: &Type, is_of_method: bool, errors: &mut Errors) {
    if let Some(instead) = sized_instead(ty, args.mode.encodes) {
        errors.push(
            ty.span(),
            format!(
                "a value of this type has no size that is known here, so it cannot be moved into \
                 a task: take {instead}"
            ),
        );
        return;
    }
    let borrows = borrows(ty);
    if args.mode.encodes {
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
        // A top-level reference is encoded at the call, and the worker owns what it refers to.
        // The body of a plain function has it for the call, a method's signature cannot say that.
        let lent = borrows.first().filter(|lent| is_of_method && is_reference && lent.is_static());
        if let Some(lifetime) = lent.and_then(|lent| lent.lifetime.as_ref()) {
            return lent_for_ever(lifetime, errors);
        }
        let mut inside = borrows.iter().skip(usize::from(is_reference));
        if let Some(borrow) =
            inside.find(|borrow| !borrow.is_static() || borrow.is_static_reference())
        {
            errors.push(
                borrow.span,
                "a worker process cannot look into the caller's memory: only a plain `&T` is \
                 encoded at the call; own what a type borrows inside (`String`, `Vec<T>`)",
            );
        }
        return;
    }
    if args.is_scoped() {
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

/// Whether the referent is `impl Trait` or `dyn Trait`.
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

/// Reports a `&'static T` of a method in a worker.
pub(crate) fn lent_for_ever(lifetime: &Lifetime, errors: &mut Errors) {
    errors.push(
        lifetime.span(),
        "a worker process gets a copy of what is lent, and drops it after the call: remove \
         `'static`, or take it by value",
    );
}

fn output(args: &Args, ty: &Type, is_said: bool, errors: &mut Errors) {
    if let Some(opaque) = opaque_span(ty) {
        errors.push(
            opaque,
            "a task needs a result with a name: write the type, or `Box<dyn Trait + Send>` for \
             `impl Trait`; a function that yields returns `impl Iterator<Item = T>` or \
             `impl Stream<Item = T>`",
        );
        return;
    }
    if let Some(instead) = sized_instead(ty, args.mode.encodes) {
        errors.push(
            ty.span(),
            format!(
                "a value of this type has no size that is known here, so it cannot come out of a \
                 task: return {instead}"
            ),
        );
        return;
    }
    let allowed = is_said || args.is_scoped() && !args.mode.encodes;
    if let Some(span) = result_borrow(args, ty)
        && !allowed
    {
        errors.push(
            span,
            if args.mode.encodes {
                "a result comes out of the worker by value and cannot borrow, not from the program \
                 either: return an owned type, as `String` for `&str`"
            } else {
                "the result of a task outlives the call and cannot borrow from it: return an \
                 owned type, or add `scoped` to the attribute and call it in `trine::scope`"
            },
        );
    }
}

/// Where a result borrows what it cannot.
pub(crate) fn result_borrow(args: &Args, ty: &Type) -> Option<Span> {
    let is_wrong =
        |borrow: &&Borrow| !borrow.is_static() || args.mode.encodes && borrow.is_static_reference();
    borrows(ty).iter().find(is_wrong).map(|borrow| borrow.span)
}

/// The owned type to use instead of a borrowed one.
pub(crate) fn own(ty: &Type) -> String {
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
