//! A real Apache Kafka: one node, started from Maven's jars, shared by the tests of a process and gone with it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

pub use super::answer::answer;
use super::topic::Topic;
use super::{install, runs, skip};

/// A broker is up within seconds; on a busy machine within this.
const STARTED: Duration = Duration::from_secs(90);

/// Patience with one question to a broker that is up.
pub const ANSWERED: Duration = Duration::from_secs(20);

/// A free port may be taken by another process before the broker binds it.
const ATTEMPTS: u32 = 3;

/// Small and quick to start: tests send a few megabytes.
const JVM: [&str; 5] = [
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
];

/// What a broker has beyond one listener in the clear.
pub struct Setup {
    /// Names and security protocols of further listeners, each with a port of its own.
    pub listeners: &'static [(&'static str, &'static str)],
    /// Puts what they need into the broker's folder, and gives the lines that they need of its properties.
    pub prepare: fn(&Path) -> String,
    /// Further arguments for the tool that formats the broker's disk.
    pub format: Vec<String>,
}

impl Setup {
    fn plain() -> Self {
        Self {
            listeners: &[],
            prepare: |_| String::new(),
            format: Vec::new(),
        }
    }
}

/// A running broker.
pub struct Kafka {
    libs: PathBuf,
    folder: PathBuf,
    port: u16,
    /// Those of [`Setup::listeners`].
    ports: Vec<(&'static str, u16)>,
    admin: AdminClient<DefaultClientContext>,
    leash: Leash,
}

/// Runs `broker.sh`: dropping it, or the end of this process, ends the broker and removes its folder.
struct Leash(Child);

impl Drop for Leash {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

impl Kafka {
    /// The broker that the tests of this process share; `None`, with a message, where it can't be had.
    pub fn shared() -> Option<&'static Kafka> {
        static SHARED: OnceLock<Result<Kafka, String>> = OnceLock::new();
        match SHARED.get_or_init(|| Ok(Kafka::start(Self::jars()?, &Setup::plain()))) {
            Ok(kafka) => Some(kafka),
            Err(missing) => {
                skip(missing);
                None
            }
        }
    }

    /// A broker of the test's own, which it may kill and start again.
    pub fn own() -> Option<Kafka> {
        Self::own_with(&Setup::plain())
    }

    /// Like [`Kafka::own`], set up otherwise.
    pub fn own_with(setup: &Setup) -> Option<Kafka> {
        Self::shared().map(|shared| Kafka::start(shared.libs.clone(), setup))
    }

    /// Ends the broker as a power cut would.
    pub fn kill(&mut self) {
        self.order("kill");
        super::wait_for("the end of the broker", || {
            TcpStream::connect(("127.0.0.1", self.port)).is_err().then_some(())
        });
    }

    /// Starts the broker again that was killed, with what it has on disk.
    pub fn start_again(&mut self) {
        self.order("start");
        super::wait_for("the broker's return", || {
            let answer = self.admin.inner().fetch_metadata(None, Duration::from_millis(500));
            answer.ok().map(|_| ())
        });
    }

    /// Stops the broker's process (SIGSTOP): connections stay, nothing is answered.
    pub fn pause(&mut self) {
        self.order("pause");
    }

    /// Lets a broker go on that was paused.
    pub fn resume(&mut self) {
        self.order("resume");
    }

    fn order(&mut self, order: &str) {
        let stdin = self.leash.0.stdin.as_mut().expect("it is piped");
        writeln!(stdin, "{order}").expect("broker.sh reads its orders");
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

    fn start(libs: PathBuf, setup: &Setup) -> Kafka {
        let mut said = String::new();
        for _ in 0..ATTEMPTS {
            match Self::try_start(&libs, setup) {
                Ok(kafka) => return kafka,
                Err(log) => said = log,
            }
        }
        panic!("Kafka does not start: {said}");
    }

    fn try_start(libs: &Path, setup: &Setup) -> Result<Kafka, String> {
        let folder = tempfile::Builder::new()
            .prefix("diurnal-kafka-")
            .tempdir()
            .expect("a temporary folder can be made")
            .keep();
        // All are bound at once, so that they differ.
        let bind = |_| TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let sockets: Vec<TcpListener> = (0..2 + setup.listeners.len()).map(bind).collect();
        let port_of = |socket: &TcpListener| socket.local_addr().expect("it is bound").port();
        let [port, controller] = [&sockets[0], &sockets[1]].map(port_of);
        let names = setup.listeners.iter().map(|(name, _)| *name);
        let ports: Vec<(&str, u16)> = names.zip(sockets[2..].iter().map(port_of)).collect();
        let properties = folder.join("server.properties");
        let text = server_properties(&folder, port, controller, setup, &ports) + &(setup.prepare)(&folder);
        std::fs::write(&properties, text).expect("a test can write into its folder");
        drop(sockets);

        let format = java(libs, "kafka.tools.StorageTool")
            .args(["format", "--cluster-id", "ZGl1cm5hbC10ZXN0cy0wMQ", "--config"])
            .arg(&properties)
            .args(&setup.format)
            .output()
            .expect("java can be run");
        assert!(format.status.success(), "kafka.tools.StorageTool: {format:?}");

        let server = java(libs, "kafka.Kafka");
        let leash = Command::new("bash")
            .arg(super::root().join("tests/support/broker.sh"))
            .arg(&folder)
            .arg(server.get_program())
            .args(server.get_args())
            .arg(&properties)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash can be run");
        let mut leash = Leash(leash);
        let mut pid = String::new();
        BufReader::new(leash.0.stdout.take().expect("it is piped"))
            .read_line(&mut pid)
            .expect("broker.sh prints the process id");

        let admin: AdminClient<DefaultClientContext> = client(port).create().expect("an admin client can be made");
        let start = Instant::now();
        // The metadata call is the wait: it returns when the broker answers.
        while admin.inner().fetch_metadata(None, Duration::from_millis(500)).is_err() {
            let gone = Path::new("/proc/self").exists() && !Path::new("/proc").join(pid.trim()).exists();
            if gone || start.elapsed() > STARTED {
                let log = std::fs::read_to_string(folder.join("broker.log"));
                return Err(log.unwrap_or_default());
            }
        }
        Ok(Kafka {
            libs: libs.to_owned(),
            folder,
            port,
            ports,
            admin,
            leash,
        })
    }

    /// The value of `--brokers`.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The value of `--brokers` for one of [`Setup::listeners`].
    pub fn brokers_at(&self, listener: &str) -> String {
        let found = self.ports.iter().find(|(name, _)| *name == listener);
        let (_, port) = found.unwrap_or_else(|| panic!("no listener {listener}"));
        format!("localhost:{port}")
    }

    /// The folder that holds the folder of the jars, and the lock of those who fetch them.
    pub fn jars_folder(&self) -> &Path {
        self.libs.parent().expect("the jars have a folder of their own")
    }

    /// The broker's own folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new topic whose name starts with `name`, with further topic configuration.
    pub fn topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) -> Topic<'_> {
        static SERIAL: AtomicU32 = AtomicU32::new(1);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        Topic::create(self, &format!("{name}-{serial}"), partitions, config)
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
        let consumer: BaseConsumer = client(self.port)
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

    /// The folder in which the broker keeps this partition's log.
    pub fn log_folder(&self, topic: &str, partition: i32) -> PathBuf {
        self.folder.join("data").join(format!("{topic}-{partition}"))
    }

    pub(super) fn admin(&self) -> &AdminClient<DefaultClientContext> {
        &self.admin
    }

    /// A client configuration for this broker.
    pub fn client(&self) -> ClientConfig {
        client(self.port)
    }
}

/// An admin request waits until the broker has carried it out, not just taken it.
pub fn admin_options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(ANSWERED))
        .operation_timeout(Some(ANSWERED))
}

fn client(port: u16) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", format!("127.0.0.1:{port}"))
        .set("broker.address.family", "v4");
    config
}

fn java(libs: &Path, class: &str) -> Command {
    let mut command = Command::new("java");
    command
        .args(JVM)
        .arg("-cp")
        .arg(libs.join("*"))
        .arg(class)
        .stdin(Stdio::null());
    command
}

/// One node that is broker and controller, without waits that make sense in production only. Records may be of any
/// time and are kept until a test deletes them: captures are old, and the clock of a test machine may be older still.
///
/// Clients of further listeners are sent to a name, since that is what certificates are for.
fn server_properties(
    folder: &Path,
    port: u16,
    controller: u16,
    setup: &Setup,
    ports: &[(&'static str, u16)],
) -> String {
    let data = folder.join("data");
    let at = |host: &str| -> String {
        ports
            .iter()
            .map(|(name, port)| format!(",{name}://{host}:{port}"))
            .collect()
    };
    let (bound, advertised) = (at("127.0.0.1"), at("localhost"));
    let protocols = setup
        .listeners
        .iter()
        .map(|(name, protocol)| format!(",{name}:{protocol}"));
    let protocols: String = protocols.collect();
    format!(
        "process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{bound}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{advertised}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
log.dirs={}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
log.retention.check.interval.ms=200
log.message.timestamp.after.max.ms=9223372036854775807
log.cleaner.backoff.ms=100
log.cleaner.dedupe.buffer.size=16777216
file.delete.delay.ms=100
",
        data.display()
    )
}
