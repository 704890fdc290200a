//! A real Apache Kafka, started from Maven's jars: one node, shared by the tests of a process and gone with it. Those that
//! tests may break, and those of several nodes, are in [`super::cluster`].

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

pub use super::answer::answer;
pub use super::node::Setup;
use super::node::{Node, Place, java};
use super::topic::Topic;
use super::{install, runs, skip};

/// A broker is up within seconds; on a busy machine within this.
const STARTED: Duration = Duration::from_secs(90);

/// Patience with one question to a broker that is up.
pub const ANSWERED: Duration = Duration::from_secs(20);

/// A free port may be taken by another process before the broker binds it.
const ATTEMPTS: u32 = 3;

/// A running Kafka of one node or several.
pub struct Kafka {
    libs: PathBuf,
    admin: AdminClient<DefaultClientContext>,
    pub(super) nodes: Vec<Node>,
}

impl Kafka {
    /// The broker that the tests of this process share; `None`, with a message, where it can't be had.
    pub fn shared() -> Option<&'static Kafka> {
        static SHARED: OnceLock<Result<Kafka, String>> = OnceLock::new();
        match SHARED.get_or_init(|| Ok(Kafka::start(Self::jars()?, 1, &Setup::plain()))) {
            Ok(kafka) => Some(kafka),
            Err(missing) => {
                skip(missing);
                None
            }
        }
    }

    /// A broker of the test's own.
    pub fn own() -> Option<Kafka> {
        Self::own_with(&Setup::plain())
    }

    /// Like [`Kafka::own`], set up otherwise.
    pub fn own_with(setup: &Setup) -> Option<Kafka> {
        Self::of_nodes(1, setup)
    }

    /// One of so many nodes, of the test's own.
    pub(super) fn of_nodes(nodes: usize, setup: &Setup) -> Option<Kafka> {
        Self::shared().map(|shared| Kafka::start(shared.libs.clone(), nodes, setup))
    }

    fn jars() -> Result<PathBuf, String> {
        for (program, version_flag) in [("java", "-version"), ("mvn", "--version")] {
            if !runs(program, version_flag) {
                return Err(format!(
                    "a real Kafka needs {program} (on Debian: apt-get install default-jre-headless maven)"
                ));
            }
        }
        install("install-kafka.sh", "kafka")
    }

    fn start(libs: PathBuf, nodes: usize, setup: &Setup) -> Kafka {
        let mut said = String::new();
        for _ in 0..ATTEMPTS {
            match Self::try_start(&libs, nodes, setup) {
                Ok(kafka) => return kafka,
                Err(log) => said = log,
            }
        }
        panic!("Kafka does not start: {said}");
    }

    fn try_start(libs: &Path, nodes: usize, setup: &Setup) -> Result<Kafka, String> {
        let places = Place::free(nodes, setup);
        let folders: Vec<PathBuf> = (0..nodes).map(|index| Node::prepare(&places, index, setup)).collect();
        Node::format(libs, &folders, setup);
        let started = places.into_iter().zip(folders);
        let nodes: Vec<Node> = started
            .map(|(place, folder)| Node::start(libs, place, folder))
            .collect();

        let admin = client(&nodes).create().expect("an admin client can be made");
        let kafka = Kafka {
            libs: libs.to_owned(),
            admin,
            nodes,
        };
        let start = Instant::now();
        // The metadata call is the wait: it returns when a broker answers.
        while kafka.known_nodes(Duration::from_millis(500)).len() < kafka.nodes.len() {
            if kafka.nodes.iter().any(Node::is_gone) || start.elapsed() > STARTED {
                return Err(kafka.nodes.iter().map(Node::log).collect());
            }
        }
        Ok(kafka)
    }

    /// The numbers of the nodes that the cluster counts among its own now; none while nobody answers.
    pub(super) fn known_nodes(&self, wait: Duration) -> Vec<i32> {
        match self.admin.inner().fetch_metadata(None, wait) {
            Ok(metadata) => metadata.brokers().iter().map(|broker| broker.id()).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// The value of `--brokers`.
    pub fn brokers(&self) -> String {
        brokers(&self.nodes)
    }

    /// The value of `--brokers` for one of [`Setup::listeners`].
    pub fn brokers_at(&self, listener: &str) -> String {
        let found = self.nodes[0].place.ports.iter().find(|(name, _)| *name == listener);
        let (_, port) = found.unwrap_or_else(|| panic!("no listener {listener}"));
        format!("localhost:{port}")
    }

    /// The folder that holds the folder of the jars, and the lock of those who fetch them.
    pub fn jars_folder(&self) -> &Path {
        self.libs.parent().expect("the jars have a folder of their own")
    }

    /// The first broker's own folder.
    pub fn folder(&self) -> &Path {
        &self.nodes[0].folder
    }

    /// A new topic whose name starts with `name`, with further topic configuration.
    pub fn topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) -> Topic<'_> {
        Topic::create(self, &unique(name), partitions, config)
    }

    /// The same with one partition, on these nodes, of which the first leads.
    pub fn topic_on(&self, name: &str, nodes: &[i32], config: &[(&str, &str)]) -> Topic<'_> {
        Topic::create_on(self, &unique(name), nodes, config)
    }

    /// A new topic of just this name, on a broker of the test's own.
    pub fn topic_called(&self, name: &str, partitions: i32) -> Topic<'_> {
        Topic::create(self, name, partitions, &[])
    }

    /// One of Kafka's own tools, named by its class, for others to run.
    pub fn tool_command(&self, class: &str) -> Command {
        java(&self.libs, class)
    }

    /// Runs one of Kafka's own tools, named by its class, and gives its standard output.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> String {
        let brokers = self.brokers();
        let output = java(&self.libs, class)
            .args(["--bootstrap-server", &brokers])
            .args(arguments)
            .output()
            .expect("java can be run");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{class} {arguments:?}: {stdout}\n{stderr}");
        stdout
    }

    /// What `kafka-consumer-groups --describe` prints for a group: (topic, partition, current offset, lag) of each row.
    pub fn describe_group(&self, group: &str) -> Vec<(String, i32, i64, i64)> {
        let class = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
        let printed = self.tool(class, &["--describe", "--group", group]);
        let mut rows = Vec::new();
        for line in printed.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [first, topic, partition, current, _end, lag, ..] = words[..] else {
                continue;
            };
            if first == group {
                let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("{line}"));
                let partition = partition.parse().unwrap_or_else(|_| panic!("{line}"));
                rows.push((topic.to_owned(), partition, number(current), number(lag)));
            }
        }
        rows.sort();
        assert!(!rows.is_empty(), "the group {group} has no offsets: {printed}");
        rows
    }

    /// A consumer of another program that is a live member of `group` until it is dropped.
    pub fn member(&self, group: &str, topic: &str) -> BaseConsumer {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .create()
            .expect("a consumer can be made");
        consumer.subscribe(&[topic]).expect("a topic can be subscribed to");
        super::wait_for("the other program's place in the group", || {
            consumer.poll(Duration::from_millis(50));
            let assigned = consumer.assignment().is_ok_and(|list| list.count() > 0);
            assigned.then_some(())
        });
        consumer
    }

    /// The folder in which the first broker keeps this partition's log.
    pub fn log_folder(&self, topic: &str, partition: i32) -> PathBuf {
        self.folder().join("data").join(format!("{topic}-{partition}"))
    }

    pub(super) fn admin(&self) -> &AdminClient<DefaultClientContext> {
        &self.admin
    }

    /// A client configuration for this Kafka.
    pub fn client(&self) -> ClientConfig {
        client(&self.nodes)
    }
}

/// An admin request waits until the broker has carried it out, not just taken it.
pub fn admin_options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(ANSWERED))
        .operation_timeout(Some(ANSWERED))
}

/// A name that no other topic of this process has.
fn unique(name: &str) -> String {
    static SERIAL: AtomicU32 = AtomicU32::new(1);
    format!("{name}-{}", SERIAL.fetch_add(1, Ordering::Relaxed))
}

fn brokers(nodes: &[Node]) -> String {
    let at = |node: &Node| format!("127.0.0.1:{}", node.place.port);
    nodes.iter().map(at).collect::<Vec<_>>().join(",")
}

pub(super) fn client(nodes: &[Node]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers(nodes))
        .set("broker.address.family", "v4");
    config
}
