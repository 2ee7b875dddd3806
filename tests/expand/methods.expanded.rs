//! Methods: the body goes to a hidden method beside, where `self` is what it was.
use std::sync::Arc;
use trine::concurrent;
pub struct Server<T> {
    answer: T,
}
impl<T: Clone + Send + Sync + 'static> Server<T> {
    /// An associated function has the shape of a free one.
    pub fn new(answer: T) -> ::trine::Task<Self> {
        ::trine::threads::spawn(
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("new");
                &FUNCTION
            },
            (::trine::cross::argument(answer),),
            |(answer,): (T,)| -> Self { Self { answer } },
        )
    }
    pub fn handle(self: Arc<Self>, request: String) -> ::trine::Task<(T, String)> {
        ::trine::threads::spawn(
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("handle");
                &FUNCTION
            },
            (::trine::cross::argument(self), request),
            |(this, request): (Arc<Self>, String)| -> (T, String) {
                Self::__trine_handle(this, request)
            },
        )
    }
    #[doc(hidden)]
    fn __trine_handle(self: Arc<Self>, mut request: String) -> (T, String) {
        request.push('!');
        (self.answer.clone(), request)
    }
    pub fn peek<'scope, 'a, 'b>(
        &'a self,
        scope: &'scope ::trine::Scope<'scope, '_>,
        prefix: &'b str,
    ) -> ::trine::ScopedTask<'scope, (&'a T, &'b str)>
    where
        'a: 'scope,
        'b: 'scope,
    {
        ::trine::threads::spawn_scoped(
            scope,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("peek");
                &FUNCTION
            },
            (::trine::cross::argument(self), prefix),
            |(this, prefix): (&'a Self, &'b str)| -> (&'a T, &'b str) {
                Self::__trine_peek(this, prefix)
            },
        )
    }
    #[doc(hidden)]
    fn __trine_peek<'a, 'b>(&'a self, prefix: &'b str) -> (&'a T, &'b str) {
        (&self.answer, prefix)
    }
    pub fn convert<U: From<T> + Send + 'static>(self, other: T) -> ::trine::Task<U> {
        ::trine::asynchronous::spawn(
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("convert");
                &FUNCTION
            },
            (::trine::cross::argument(self), ::trine::cross::argument(other)),
            |(this, other): (Self, T)| async move {
                Self::__trine_convert::<U>(this, other).await
            },
        )
    }
    #[doc(hidden)]
    async fn __trine_convert<U: From<T> + Send + 'static>(mut self, other: T) -> U {
        self.answer = other;
        self.answer.into()
    }
}
fn outer(start: u32) -> ::trine::Task<u32> {
    ::trine::threads::spawn(
        {
            static FUNCTION: ::trine::Function = ::trine::Function::new("outer");
            &FUNCTION
        },
        (start,),
        |(start,): (u32,)| -> u32 {
            fn inner(value: u32) -> ::trine::Task<u32> {
                ::trine::threads::spawn(
                    {
                        static FUNCTION: ::trine::Function = ::trine::Function::new(
                            "inner",
                        );
                        &FUNCTION
                    },
                    (value,),
                    |(value,): (u32,)| -> u32 { value + 1 },
                )
            }
            inner(start).join().unwrap_or_default()
        },
    )
}
