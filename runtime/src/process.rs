//! Stub.
use std::sync::Arc;
use serde::{Serialize, de::DeserializeOwned};
use crate::function::Function;
use crate::task::Task;
struct Stub<B, T> { bytes: Vec<u8>, body: fn(B) -> T }
/// Stub.
pub fn spawn<A, B, T>(function: &'static Function, arguments: A, body: fn(B) -> T) -> Task<T>
where A: Serialize, B: DeserializeOwned + 'static, T: Serialize + DeserializeOwned + Send + 'static {
    let bytes = postcard::to_stdvec(&arguments).unwrap();
    let stub = Arc::new(Stub { bytes, body });
    crate::threads::spawn(function, (stub,), |(stub,): (Arc<Stub<B, T>>,)| {
        let out = (stub.body)(postcard::from_bytes(&stub.bytes).unwrap());
        postcard::from_bytes(&postcard::to_stdvec(&out).unwrap()).unwrap()
    })
}
