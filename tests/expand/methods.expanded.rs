//! Methods: the body stays where `self` is what it was, and captures it.
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
            (
                ::trine::cross::method((request,))
                    .body::<
                        (T, String),
                        _,
                    >(move |(mut request,): (String,)| {
                        let _ = &self;
                        {
                            ({
                                request.push('!');
                                (self.answer.clone(), request)
                            })
                        }
                    }),
            ),
            |(__method,): (_,)| { __method.run() },
        )
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
            (
                ::trine::cross::method((prefix,))
                    .body::<
                        (&'a T, &'b str),
                        _,
                    >(move |(prefix,): (&'b str,)| {
                        let _ = &self;
                        { ({ (&self.answer, prefix) }) }
                    }),
            ),
            |(__method,): (_,)| { __method.run() },
        )
    }
    pub fn convert<U: From<T> + Send + 'static>(mut self, other: T) -> ::trine::Task<U> {
        ::trine::asynchronous::spawn(
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("convert");
                &FUNCTION
            },
            (
                ::trine::cross::method((::trine::cross::argument(other),))
                    .body(move |(other,): (T,)| {
                        async move {
                            let _ = &self;
                            let (other,) = (other,);
                            if let ::core::option::Option::Some(__output) = ::core::option::Option::None::<
                                U,
                            > {
                                return __output;
                            }
                            {
                                ({
                                    self.answer = other;
                                    self.answer.into()
                                })
                            }
                        }
                    }),
            ),
            |(__method,): (_,)| async move { __method.run().await },
        )
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
