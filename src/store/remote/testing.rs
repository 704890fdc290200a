//! Stores in memory, under names that addresses have, which fail or die at a chosen call.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process dies before it: it and all later calls of this run do nothing.
    DiesBefore,
    /// It is done, but the process dies before the answer.
    DiesAfter,
    /// It is done, but its answer is lost; the run goes on.
    LosesAnswer,
    /// It is not done, and the run goes on.
    Fails,
}

#[derive(Debug, Default)]
struct Orders {
    calls: usize,
    fault: Option<(usize, Fault)>,
    dead: bool,
    log: Vec<String>,
}

/// A store in memory that does as it is told.
#[derive(Debug)]
pub(crate) struct Faulty {
    inside: InMemory,
    orders: Mutex<Orders>,
}

fn stores() -> &'static Mutex<HashMap<String, Arc<Faulty>>> {
    static STORES: OnceLock<Mutex<HashMap<String, Arc<Faulty>>>> = OnceLock::new();
    STORES.get_or_init(Mutex::default)
}

/// The store of `memory://NAME/...`, made if it is not there.
pub(crate) fn store(name: &str) -> Arc<Faulty> {
    let mut stores = stores().lock().unwrap();
    let made = || {
        Arc::new(Faulty {
            inside: InMemory::new(),
            orders: Mutex::default(),
        })
    };
    stores.entry(name.to_owned()).or_insert_with(made).clone()
}

/// A name that no other test has.
pub(crate) fn fresh() -> String {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    format!("b{}", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
}

impl Faulty {
    /// Lives again, and does this at that call that changes something, from 1.
    pub(crate) fn order(&self, fault: Option<(usize, Fault)>) {
        *self.orders.lock().unwrap() = Orders {
            fault,
            ..Orders::default()
        };
    }

    /// Calls that change something since the last order.
    pub(crate) fn calls(&self) -> usize {
        self.orders.lock().unwrap().calls
    }

    /// What they were.
    pub(crate) fn log(&self) -> Vec<String> {
        self.orders.lock().unwrap().log.clone()
    }

    /// Every object, by key.
    pub(crate) fn content(&self) -> std::collections::BTreeMap<String, Vec<u8>> {
        futures_executor(async {
            let listed: Vec<_> = self.inside.list(None).collect().await;
            let mut content = std::collections::BTreeMap::new();
            for meta in listed {
                let meta = meta.unwrap();
                let got = self
                    .inside
                    .get_opts(&meta.location, GetOptions::default())
                    .await
                    .unwrap();
                content.insert(meta.location.to_string(), got.bytes().await.unwrap().to_vec());
            }
            content
        })
    }

    /// Has these objects and no others.
    pub(crate) fn restore(&self, content: &std::collections::BTreeMap<String, Vec<u8>>) {
        for key in self.content().keys() {
            let one = stream::iter([Ok(Path::parse(key).unwrap())]).boxed();
            futures_executor_stream(self.inside.delete_stream(one));
        }
        for (key, bytes) in content {
            self.plant(key, bytes);
        }
    }

    /// Puts an object there past all orders.
    pub(crate) fn plant(&self, key: &str, bytes: &[u8]) {
        let path = Path::parse(key).unwrap();
        futures_executor(
            self.inside
                .put_opts(&path, bytes.to_vec().into(), PutOptions::default()),
        )
        .unwrap();
    }

    /// What is to happen at a call that changes something.
    fn ordered(&self, call: String) -> Result<Option<Fault>> {
        let mut orders = self.orders.lock().unwrap();
        if orders.dead {
            return Err(dead());
        }
        orders.calls += 1;
        orders.log.push(call);
        let fault = match orders.fault {
            Some((at, fault)) if at == orders.calls => Some(fault),
            _ => None,
        };
        if matches!(fault, Some(Fault::DiesBefore | Fault::DiesAfter)) {
            orders.dead = true;
        }
        match fault {
            Some(Fault::DiesBefore) => Err(dead()),
            Some(Fault::Fails) => Err(lost()),
            fault => Ok(fault),
        }
    }

    fn alive(&self) -> Result<()> {
        match self.orders.lock().unwrap().dead {
            true => Err(dead()),
            false => Ok(()),
        }
    }
}

fn futures_executor<T>(call: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(call)
}

fn dead() -> Error {
    Error::Generic {
        store: "memory",
        source: "the process is dead".into(),
    }
}

fn lost() -> Error {
    Error::Generic {
        store: "memory",
        source: "connection reset".into(),
    }
}

fn answer<T>(fault: Option<Fault>, done: Result<T>) -> Result<T> {
    match fault {
        Some(Fault::DiesAfter) => Err(dead()),
        Some(Fault::LosesAnswer) => Err(lost()),
        _ => done,
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let fault = self.ordered(format!("put {location}"))?;
        answer(fault, self.inside.put_opts(location, payload, options).await)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.alive()?;
        self.inside.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.alive()?;
        self.inside.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        // One after the other, each with its fault: the stream is of one in all that the program does.
        let locations: Vec<Result<Path>> = futures_executor_stream(locations);
        let mut results = Vec::new();
        for location in locations {
            let done = location.and_then(|location| {
                let fault = self.ordered(format!("delete {location}"))?;
                let one = stream::iter([Ok(location)]).boxed();
                let mut removed = futures_executor_stream(self.inside.delete_stream(one));
                answer(fault, removed.pop().unwrap_or_else(|| Err(lost())))
            });
            results.push(done);
        }
        stream::iter(results).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.alive() {
            Ok(()) => self.inside.list(prefix),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.alive()?;
        self.inside.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.alive()?;
        self.inside.copy_opts(from, to, options).await
    }
}

/// All that a stream gives which never waits: a runtime can't be started within one.
fn futures_executor_stream<T: Send + 'static>(stream: BoxStream<'static, T>) -> Vec<T> {
    use futures_util::FutureExt as _;
    stream
        .collect::<Vec<T>>()
        .now_or_never()
        .expect("streams in memory never wait")
}
