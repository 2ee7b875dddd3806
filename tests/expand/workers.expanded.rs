//! Workers with state: the type stays as it is, and another one calls its methods.
use std::path::PathBuf;
use trine::concurrent;
pub struct Model {
    weights: Vec<f32>,
}
impl Model {
    const MAX: usize = 100;
    /// Loads it.
    pub fn load(path: PathBuf) -> Result<Self, String> {
        let weights = std::fs::read(path).map_err(|error| error.to_string())?;
        Ok(Self {
            weights: weights.into_iter().map(f32::from).collect(),
        })
    }
    pub fn predict(&self, input: Vec<f32>) -> Result<f32, String> {
        if input.len() > Self::MAX {
            Err("too long".into())
        } else {
            Ok(self.weight() * input[0])
        }
    }
    pub fn weights(&self) -> impl Iterator<Item = f32> {
        self.weights.iter().copied()
    }
    pub fn merge(&mut self, (other, _): (Self, u8)) {
        self.weights.extend(other.weights);
    }
    fn weight(&self) -> f32 {
        self.weights.iter().sum()
    }
}
/**
A worker with a `Model`, which lives where its methods run: `threads`, `restarts = 3`, `timeout = 5s`.*/
pub struct ModelWorker<T = Model>(::trine::Worker<T>);
impl ModelWorker<Model> {
    /// Loads it.
    /**
The value lives in a worker: `threads`, `restarts = 3`.*/
    pub fn load(path: PathBuf) -> Self {
        Self(
            ::trine::threads::worker::<
                Model,
                _,
                _,
                _,
            >(
                {
                    static FUNCTION: ::trine::Function = ::trine::Function::new("load")
                        .restarts(3);
                    &FUNCTION
                },
                (path,),
                |(path,): (PathBuf,)| { Model::load(path) },
            ),
        )
    }
    /**
Each call runs as a task of the worker: `threads`, `timeout = 1s`, `retries = 2`.*/
    pub fn predict(&self, input: Vec<f32>) -> ::trine::Task<Result<f32, String>> {
        ::trine::threads::call_retrying(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("predict")
                    .timeout(::core::time::Duration::from_secs(1))
                    .retries(2);
                &FUNCTION
            },
            (input,),
            |__this: &Model, (input,): (Vec<f32>,)| -> Result<f32, String> {
                Model::predict(__this, input)
            },
            ::trine::Retry::failed(|__output: &Result<f32, String>| {
                ::trine::Returned(__output).is_err()
            }),
        )
    }
    /**
Each call runs as a task of the worker: `threads`, `timeout = 5s`.*/
    pub fn weights(&self) -> ::trine::Stream<f32> {
        ::trine::threads::call_stream(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("weights")
                    .timeout(::core::time::Duration::from_secs(5));
                &FUNCTION
            },
            (),
            |__this: &Model, (): (), __outlet| { __outlet.all(Model::weights(__this)) },
        )
    }
    /**
Each call runs as a task of the worker: `threads`, `timeout = 5s`.*/
    pub fn merge(&self, argument0: (Model, u8)) -> ::trine::Task<()> {
        ::trine::threads::call_mut(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("merge")
                    .timeout(::core::time::Duration::from_secs(5));
                &FUNCTION
            },
            (::trine::cross::argument(argument0),),
            |__this: &mut Model, (argument0,): ((Model, u8),)| {
                Model::merge(__this, argument0)
            },
        )
    }
}
impl ::core::clone::Clone for ModelWorker<Model> {
    fn clone(&self) -> Self {
        Self(::core::clone::Clone::clone(&self.0))
    }
}
impl ::core::fmt::Debug for ModelWorker<Model> {
    fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        ::core::fmt::Debug::fmt(&self.0, formatter)
    }
}
impl ::core::ops::Deref for ModelWorker<Model> {
    type Target = ::trine::Worker<Model>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
pub struct Cache<K, const N: usize>(Vec<K>);
impl<K: Eq + Send + 'static, const N: usize> Cache<K, N> {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(N))
    }
    pub(crate) fn sent<T: From<K> + Send + 'static>(
        &mut self,
    ) -> impl futures::Stream<Item = T> {
        futures::stream::iter(self.0.drain(..).map(T::from))
    }
    pub(crate) async fn add<I: Into<K> + Send + 'static>(&mut self, key: I) -> bool {
        self.0.push(key.into());
        std::future::ready(true).await
    }
}
/**
A worker with a `Cache<K, N>`, which lives where its methods run: `threads`, `name = SharedCache`.*/
pub(crate) struct SharedCache<K: Eq + Send + 'static, const N: usize>(
    ::trine::Worker<Cache<K, N>>,
);
impl<K: Eq + Send + 'static, const N: usize> SharedCache<K, N> {
    /**
The value lives in a worker: `threads`.*/
    pub(crate) fn new() -> Self {
        Self(
            ::trine::threads::worker::<
                Cache<K, N>,
                _,
                _,
                _,
            >(
                {
                    static FUNCTION: ::trine::Function = ::trine::Function::new("new");
                    &FUNCTION
                },
                (),
                |(): ()| { <Cache<K, N>>::new() },
            ),
        )
    }
    /**
Each call runs as a task of the worker: `threads`.*/
    pub(crate) fn sent<T: From<K> + Send + 'static>(&self) -> ::trine::Stream<T> {
        ::trine::threads::call_stream_mut(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("sent")
                    .yields::<dyn futures::Stream<Item = ()>>();
                &FUNCTION
            },
            (),
            |__this: &mut Cache<K, N>, (): (), __outlet| {
                __outlet.all_polled(|| <Cache<K, N>>::sent::<T>(__this))
            },
        )
    }
    /**
Each call runs as a task of the worker: `threads`.*/
    pub(crate) fn add<I: Into<K> + Send + 'static>(
        &self,
        key: I,
    ) -> ::trine::Task<bool> {
        ::trine::threads::call_mut(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("add");
                &FUNCTION
            },
            (key,),
            |__this: &mut Cache<K, N>, (key,): (I,)| -> bool {
                ::trine::block_on(<Cache<K, N>>::add::<I>(__this, key))
            },
        )
    }
}
impl<K: Eq + Send + 'static, const N: usize> ::core::clone::Clone for SharedCache<K, N> {
    fn clone(&self) -> Self {
        Self(::core::clone::Clone::clone(&self.0))
    }
}
impl<K: Eq + Send + 'static, const N: usize> ::core::fmt::Debug for SharedCache<K, N> {
    fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        ::core::fmt::Debug::fmt(&self.0, formatter)
    }
}
impl<K: Eq + Send + 'static, const N: usize> ::core::ops::Deref for SharedCache<K, N> {
    type Target = ::trine::Worker<Cache<K, N>>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
pub struct Connection {
    sent: Vec<String>,
}
impl Connection {
    pub async fn open(address: String) -> std::io::Result<Self> {
        Ok(std::future::ready(Self { sent: vec![address] }).await)
    }
    pub async fn count(&self) -> usize {
        self.sent.len()
    }
    pub async fn send(&mut self, line: String) {
        self.sent.push(line);
    }
    pub fn take(&mut self, most: usize) -> impl futures::Stream<Item = String> {
        futures::stream::iter(self.sent.drain(..most))
    }
}
/**
A worker with a `Connection`, which lives where its methods run: `async`, `restarts = 10`, `per = 1h`.*/
pub struct ConnectionWorker<T = Connection>(::trine::Worker<T>);
impl ConnectionWorker<Connection> {
    /**
The value lives in a worker: `async`, `restarts = 10`, `per = 1h`.*/
    pub fn open(address: String) -> Self {
        Self(
            ::trine::asynchronous::worker::<
                Connection,
                _,
                _,
                _,
            >(
                {
                    static FUNCTION: ::trine::Function = ::trine::Function::new("open")
                        .restarts(10)
                        .per(::core::time::Duration::from_secs(3600));
                    &FUNCTION
                },
                (address,),
                |(address,): (String,)| async move { Connection::open(address).await },
            ),
        )
    }
    /**
Each call runs as a task of the worker: `async`.*/
    pub fn count(&self) -> ::trine::Task<usize> {
        ::trine::asynchronous::call(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("count");
                &FUNCTION
            },
            (),
            |__this, (): ()| async move {
                let __output = Connection::count(&__this).await;
                (__this, __output)
            },
        )
    }
    /**
Each call runs as a task of the worker: `async`, `priority = high`.*/
    pub fn send(&self, line: String) -> ::trine::Task<()> {
        ::trine::asynchronous::call_mut(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("send")
                    .priority_high();
                &FUNCTION
            },
            (line,),
            |mut __this, (line,): (String,)| async move {
                let __output = Connection::send(&mut __this, line).await;
                (__this, __output)
            },
        )
    }
    /**
Each call runs as a task of the worker: `async`.*/
    pub fn take(&self, most: usize) -> ::trine::Stream<String> {
        ::trine::asynchronous::call_stream_mut(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("take")
                    .yields::<dyn futures::Stream<Item = ()>>();
                &FUNCTION
            },
            (most,),
            |mut __this, (most,): (usize,), __outlet| async move {
                let __is_all = __outlet.all(Connection::take(&mut __this, most)).await;
                (__this, __is_all)
            },
        )
    }
}
impl ::core::clone::Clone for ConnectionWorker<Connection> {
    fn clone(&self) -> Self {
        Self(::core::clone::Clone::clone(&self.0))
    }
}
impl ::core::fmt::Debug for ConnectionWorker<Connection> {
    fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        ::core::fmt::Debug::fmt(&self.0, formatter)
    }
}
impl ::core::ops::Deref for ConnectionWorker<Connection> {
    type Target = ::trine::Worker<Connection>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
pub struct Parser {
    depth: usize,
}
impl Parser {
    pub fn new(rules: &str) -> Self {
        Self { depth: rules.len() }
    }
    pub fn parse(&self, text: &str, limits: &[usize]) -> usize {
        text.len() + limits.len() + self.depth
    }
    pub fn learn(&mut self, depth: usize) {
        self.depth = depth;
    }
    pub fn words(&self, text: &str) -> impl Iterator<Item = String> {
        text.split(' ').take(self.depth).map(str::to_owned)
    }
}
/**
A worker with a `Parser`, which lives where its methods run: `process`, `memory = 64MiB`, `restarts = 3`.*/
pub struct ParserWorker<T = Parser>(::trine::Worker<T>);
impl ParserWorker<Parser> {
    /**
The value lives in a worker: `process`, `memory = 64MiB`, `restarts = 3`.*/
    pub fn new(rules: &str) -> Self {
        Self(
            ::trine::process::worker::<
                Parser,
                _,
                _,
                _,
            >(
                {
                    static FUNCTION: ::trine::Function = ::trine::Function::new("new")
                        .memory(64 << 20)
                        .restarts(3);
                    &FUNCTION
                },
                (rules,),
                |(rules,): (::trine::process::Owned<str>,)| { Parser::new(&rules) },
            ),
        )
    }
    /**
Each call runs as a task of the worker: `process`, `timeout = 1s`.*/
    pub fn parse(&self, text: &str, limits: &[usize]) -> ::trine::Task<usize> {
        ::trine::process::call(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("parse")
                    .timeout(::core::time::Duration::from_secs(1));
                &FUNCTION
            },
            (text, limits),
            |
                __this: &Parser,
                (
                    text,
                    limits,
                ): (::trine::process::Owned<str>, ::trine::process::Owned<[usize]>),
            | -> usize { Parser::parse(__this, &text, &limits) },
        )
    }
    /**
Each call runs as a task of the worker: `process`.*/
    pub fn learn(&self, depth: usize) -> ::trine::Task<()> {
        ::trine::process::call_mut(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("learn");
                &FUNCTION
            },
            (depth,),
            |__this: &mut Parser, (depth,): (usize,)| { Parser::learn(__this, depth) },
        )
    }
    /**
Each call runs as a task of the worker: `process`, `ahead = 16`.*/
    pub fn words(&self, text: &str) -> ::trine::Stream<String> {
        ::trine::process::call_stream(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("words")
                    .ahead(16);
                &FUNCTION
            },
            (text,),
            |__this: &Parser, (text,): (::trine::process::Owned<str>,), __outlet| {
                __outlet.all(Parser::words(__this, &text))
            },
        )
    }
}
impl ::core::clone::Clone for ParserWorker<Parser> {
    fn clone(&self) -> Self {
        Self(::core::clone::Clone::clone(&self.0))
    }
}
impl ::core::fmt::Debug for ParserWorker<Parser> {
    fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        ::core::fmt::Debug::fmt(&self.0, formatter)
    }
}
impl ::core::ops::Deref for ParserWorker<Parser> {
    type Target = ::trine::Worker<Parser>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
pub struct Dictionary {
    words: Vec<String>,
}
impl Dictionary {
    pub fn of(text: &str) -> Result<Self, String> {
        Ok(Self {
            words: text.split(' ').map(str::to_owned).collect(),
        })
    }
    pub fn position(&self, word: &str) -> Option<usize> {
        self.words.iter().position(|known| known == word)
    }
}
/**
A worker with a `Dictionary`, which lives where its methods run: `process`, `copies = 2`, `renew = 1000`, `name = Dictionaries`.*/
pub struct Dictionaries<T = Dictionary>(::trine::Worker<T>);
impl Dictionaries<Dictionary> {
    /**
The value lives in a worker: `process`, `copies = 2`, `renew = 1000`.*/
    pub fn of(text: &str) -> Self {
        Self(
            ::trine::process::worker::<
                Dictionary,
                _,
                _,
                _,
            >(
                {
                    static FUNCTION: ::trine::Function = ::trine::Function::new("of")
                        .copies(2)
                        .renew_after(1000);
                    &FUNCTION
                },
                (text,),
                |(text,): (::trine::process::Owned<str>,)| { Dictionary::of(&text) },
            ),
        )
    }
    /**
Each call runs as a task of the worker: `process`, `retries = 2`.*/
    pub fn position(&self, word: &str) -> ::trine::Task<Option<usize>> {
        ::trine::process::call_retrying(
            &self.0,
            {
                static FUNCTION: ::trine::Function = ::trine::Function::new("position")
                    .retries(2);
                &FUNCTION
            },
            (word,),
            |
                __this: &Dictionary,
                (word,): (::trine::process::Owned<str>,),
            | -> Option<usize> { Dictionary::position(__this, &word) },
            ::trine::Retry::failed(|__output: &Option<usize>| {
                ::trine::Returned(__output).is_err()
            }),
        )
    }
}
impl ::core::clone::Clone for Dictionaries<Dictionary> {
    fn clone(&self) -> Self {
        Self(::core::clone::Clone::clone(&self.0))
    }
}
impl ::core::fmt::Debug for Dictionaries<Dictionary> {
    fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        ::core::fmt::Debug::fmt(&self.0, formatter)
    }
}
impl ::core::ops::Deref for Dictionaries<Dictionary> {
    type Target = ::trine::Worker<Dictionary>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
