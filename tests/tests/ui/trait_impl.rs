//! A worker calls the method, so no other one may hide it. Its trait need not be in scope.

use trine::concurrent;

mod service {
    pub trait Service {
        fn handle(self, request: String) -> trine::Task<usize>;
    }

    pub trait Measure {
        fn measure(&self) -> trine::Task<usize>;
    }
}

use service::Measure;

#[derive(serde::Serialize, serde::Deserialize)]
struct Server;

impl service::Service for Server {
    #[concurrent(process)]
    fn handle(self, request: String) -> usize {
        request.len()
    }
}

impl Server {
    fn measure(&self) -> usize {
        1
    }
}

impl Measure for Server {
    #[concurrent(process)]
    fn measure(&self) -> usize {
        self.measure()
    }
}

fn main() {}
