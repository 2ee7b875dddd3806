//! The function under the attribute, and what is to be known of it. Its body is one token tree that
//! nobody looks into.
use super::mode::Mode;
use super::span::{hidden, visible};
use super::types::{Borrow, borrows, is_unsized, ungrouped};
use super::yields::Yields;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{
    Attribute, GenericParam, Lifetime, PatType, Receiver, ReceiverKind, ReturnType, Signature,
    Type, TypeParamBound, Visibility, WherePredicate,
};

/// A parsed function.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) receiver: Option<Receiver>,
    pub(crate) parameters: Vec<Parameter>,
    /// The result type, with `!` replaced by a type without values; `None` for an implicit unit.
    /// Like the receiver and the parameter types, it is changed to what the outer function shows
    /// (`scoped` names the lifetimes), while `signature` stays as written.
    pub(crate) output: Option<Type>,
    /// How it hands out its items, if it yields; `output` is the type of one then.
    pub(crate) yields: Option<Yields>,
    /// The lifetime of the scope, if `scoped` was given.
    pub(crate) scope: Option<Lifetime>,
    /// The braces and their contents; `None` for `fn name();` and half-typed code.
    pub(crate) body: Option<Group>,
}

/// One parameter other than the receiver.
pub(crate) struct Parameter {
    /// As the user wrote it: `mut path: PathBuf`, `(x, _): (f64, f64)`, `#[cfg(unix)] fd: OwnedFd`.
    pub(crate) written: PatType,
    /// Its type as the outer function shows it.
    pub(crate) ty: Type,
    /// Its name in the outer function. A pattern gets a name that nothing can collide with.
    pub(crate) name: Ident,
    /// The pattern is just the name, or `mut` and the name.
    pub(crate) is_plain: bool,
}

impl Function {
    /// The function's name, without the `r#` of a raw identifier.
    pub(crate) fn name(&self) -> String {
        self.signature.ident.unraw().to_string()
    }

    /// A local of the expansion, hidden from the body, which no parameter is named like. Constants
    /// and statics of the user are not hidden from the expansion, and a pattern cannot bind their
    /// names; so ours begin with two underscores.
    pub(crate) fn local(&self, name: &str, span: Span) -> Ident {
        let mut name = name.to_owned();
        while self.parameters.iter().any(|parameter| parameter.name == name) {
            name.push('_');
        }
        Ident::new(&name, hidden(span))
    }

    /// How its generics are passed on; lifetimes are inferred.
    pub(crate) fn generics(&self) -> Vec<&Ident> {
        let parameters = self.signature.generics.params.iter();
        let passed = parameters.filter_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(&parameter.ident),
            GenericParam::Const(parameter) => Some(&parameter.ident),
            GenericParam::Lifetime(_) => None,
        });
        passed.collect()
    }

    /// Whether a worker calls the method itself: a closure that has captured `self` cannot be sent
    /// to a worker process.
    pub(crate) fn is_entered(&self, mode: &Mode) -> bool {
        mode.encodes && self.receiver.is_some()
    }

    /// Whether this may be what a trait declares of a method.
    pub(crate) fn is_declaration(&self) -> bool {
        self.body.is_none() && self.receiver.is_some()
    }

    /// Whether this is the program's `main`, as far as a macro can tell.
    pub(crate) fn is_main(&self) -> bool {
        let Signature { ident, inputs, .. } = &self.signature;
        ident == "main" && inputs.is_empty() && matches!(self.visibility, Visibility::Inherited)
    }

    /// Whether `async_trait` made it of an `async fn`.
    pub(crate) fn is_made_by_async_trait(&self) -> bool {
        let mut lifetimes = self.signature.generics.lifetimes();
        lifetimes.any(|parameter| parameter.lifetime.ident == "async_trait")
    }

    /// The result, written out.
    pub(crate) fn output_or_unit(&self) -> TokenStream {
        match &self.output {
            Some(output) => output.to_token_stream(),
            None => {
                let mut unit = Group::new(Delimiter::Parenthesis, TokenStream::new());
                unit.set_span(visible(self.signature.ident.span()));
                unit.into_token_stream()
            }
        }
    }

    /// Whether what the body gives in this mode is a future.
    pub(crate) fn is_future(&self, mode: &Mode) -> bool {
        mode.awaits && self.yields.is_none()
    }

    /// The result as the body's closure may declare it: that of one that yields has no name.
    pub(crate) fn declared(&self) -> Option<&Type> {
        self.output.as_ref().filter(|_| self.yields.is_none())
    }

    /// Replaces `!` by the type that it has where results cross as bytes.
    pub(crate) fn name_never(&mut self, runtime: &TokenStream) {
        if let ReturnType::Type(_, output) = &self.signature.output
            && let Type::Never(never) = ungrouped(output)
        {
            let span = visible(never.bang_token.span);
            self.output = Some(syn::parse_quote_spanned!(span=> #runtime::process::Never));
        }
    }

    /// Whether values of this type may have no size, because it is `?Sized`.
    pub(crate) fn may_lack_size(&self, ty: &Type) -> bool {
        let relaxes = |bound: &TypeParamBound| bound.to_token_stream().to_string().starts_with('?');
        let name = match ungrouped(ty) {
            Type::ImplTrait(opaque) => return opaque.bounds.iter().any(relaxes),
            Type::Path(path) => path.path.get_ident(),
            _ => None,
        };
        let Some(name) = name else { return false };
        let generics = &self.signature.generics;
        let own = generics.type_params().filter(|own| own.ident == *name);
        let clauses = generics.where_clause.iter().flat_map(|clause| &clause.predicates);
        let added = clauses.filter_map(|clause| match clause {
            WherePredicate::Type(clause) => match &clause.bounded_ty {
                Type::Path(path) if path.path.is_ident(name) => Some(&clause.bounds),
                _ => None,
            },
            _ => None,
        });
        own.map(|own| &own.bounds).chain(added).flatten().any(relaxes)
    }

    /// Whether an argument or the result may have no size, as far as its tokens tell.
    pub(crate) fn lacks_size(&self) -> bool {
        let types = self.parameters.iter().map(|parameter| &parameter.ty).chain(&self.output);
        types.into_iter().any(|ty| is_unsized(ty) || self.may_lack_size(ty))
    }

    /// Everything that the arguments and the result borrow.
    pub(crate) fn borrows(&self) -> Vec<Borrow> {
        let receiver = self.receiver.iter().filter_map(|receiver| match &receiver.kind {
            ReceiverKind::Typed(_, ty) => Some(&**ty),
            _ => None,
        });
        let named = self.receiver.iter().filter_map(|receiver| match &receiver.kind {
            ReceiverKind::Reference(and, lifetime, _) => {
                let lifetime = lifetime.clone();
                Some(Borrow { span: and.span, lifetime, is_reference: true, mutable: None })
            }
            _ => None,
        });
        let types = self.parameters.iter().map(|parameter| &parameter.ty);
        let types = receiver.chain(types).chain(&self.output);
        named.chain(types.flat_map(borrows)).collect()
    }

    /// The body, or the semicolon of a declaration.
    pub(crate) fn body_or_end(&self) -> TokenStream {
        self.body.as_ref().map_or_else(|| quote!(;), ToTokens::to_token_stream)
    }

    /// The body, or, once its absence is reported, an empty one.
    pub(crate) fn body_or_empty(&self) -> Group {
        let empty = || Group::new(Delimiter::Brace, TokenStream::new());
        self.body.clone().unwrap_or_else(empty)
    }
}
