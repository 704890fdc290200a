//! One node of a real Kafka: a process on a leash, which can be killed, started again, held and let go.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::wait_for;

/// Small and quick to start: tests send a few megabytes.
const JVM: [&str; 5] = [
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
];

/// The cluster id of every Kafka of the tests, as Kafka encodes it.
const CLUSTER_ID: &str = "ZGl1cm5hbC10ZXN0cy0wMQ";

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
    pub fn plain() -> Self {
        Self {
            listeners: &[],
            prepare: |_| String::new(),
            format: Vec::new(),
        }
    }
}

/// Where a node listens.
pub struct Place {
    /// Its number in the cluster, from 1.
    pub number: i32,
    /// The port for clients.
    pub port: u16,
    controller: u16,
    /// Those of [`Setup::listeners`].
    pub ports: Vec<(&'static str, u16)>,
}

impl Place {
    /// Free ports for so many nodes. Another process may take one before the broker binds it.
    pub fn free(nodes: usize, setup: &Setup) -> Vec<Self> {
        let each = 2 + setup.listeners.len();
        // All are bound at once, so that they differ.
        let bind = |_| TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let sockets: Vec<TcpListener> = (0..nodes * each).map(bind).collect();
        let port_of = |socket: &TcpListener| socket.local_addr().expect("it is bound").port();
        let names = || setup.listeners.iter().map(|(name, _)| *name);
        (1..)
            .zip(sockets.chunks(each))
            .map(|(number, sockets)| Self {
                number,
                port: port_of(&sockets[0]),
                controller: port_of(&sockets[1]),
                ports: names().zip(sockets[2..].iter().map(port_of)).collect(),
            })
            .collect()
    }
}

/// A node: dropping it, or the end of this process, ends it and removes its folder.
pub struct Node {
    pub place: Place,
    pub folder: PathBuf,
    /// Runs `broker.sh`.
    leash: Option<Child>,
}

impl Node {
    /// Makes the folder of a node at `places[index]`, one of a cluster.
    pub fn prepare(places: &[Place], index: usize, setup: &Setup) -> PathBuf {
        let folder = tempfile::Builder::new()
            .prefix("diurnal-kafka-")
            .tempdir()
            .expect("a temporary folder can be made")
            .keep();
        let text = server_properties(&folder, places, index, setup) + &(setup.prepare)(&folder);
        fs::write(properties(&folder), text).expect("a test can write into its folder");
        folder
    }

    /// Formats the disks of all nodes, at the same time: most of it is the start of a JVM.
    pub fn format(libs: &Path, folders: &[PathBuf], setup: &Setup) {
        let started = folders.iter().map(|folder| {
            java(libs, "kafka.tools.StorageTool")
                .args(["format", "--cluster-id", CLUSTER_ID, "--config"])
                .arg(properties(folder))
                .args(&setup.format)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("java can be run")
        });
        for format in started.collect::<Vec<_>>() {
            let format = format.wait_with_output().expect("a child can be waited for");
            assert!(format.status.success(), "kafka.tools.StorageTool: {format:?}");
        }
    }

    /// Starts a node whose folder was prepared and formatted; whoever asks it something waits for it.
    pub fn start(libs: &Path, place: Place, folder: PathBuf) -> Self {
        let server = java(libs, "kafka.Kafka");
        let leash = Command::new("bash")
            .arg(super::root().join("tests/support/broker.sh"))
            .arg(&folder)
            .arg(server.get_program())
            .args(server.get_args())
            .arg(properties(&folder))
            .stdin(Stdio::piped())
            .spawn()
            .expect("bash can be run");
        Self {
            place,
            folder,
            leash: Some(leash),
        }
    }

    /// Ends it as a power cut would.
    pub fn kill(&self) {
        self.order("kill");
        wait_for("the end of the broker", || self.is_gone().then_some(()));
    }

    /// Starts it again on what it has on disk; it was killed. Whoever asks it something waits for it.
    pub fn start_again(&self) {
        self.order("start");
        wait_for("the broker's process", || (!self.is_gone()).then_some(()));
    }

    /// Holds it (SIGSTOP): its connections stay, and nothing comes of them.
    pub fn pause(&self) {
        self.order("pause");
        wait_for("the broker to stand still", || (self.state()? == 'T').then_some(()));
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.order("resume");
        wait_for("the broker to go on", || (self.state()? != 'T').then_some(()));
    }

    /// Whether it was started and has ended.
    pub fn is_gone(&self) -> bool {
        self.pid().is_some() && self.state().is_none()
    }

    /// The state of its process, `T` where it is held (proc_pid_stat(5)); `None` where there is none.
    pub fn state(&self) -> Option<char> {
        let stat = fs::read_to_string(Path::new("/proc").join(self.pid()?).join("stat")).ok()?;
        // The state follows the program's name, which is in parentheses and may hold any others.
        stat.rsplit_once(") ")?.1.chars().next()
    }

    fn pid(&self) -> Option<String> {
        let text = fs::read_to_string(self.folder.join("broker.pid")).ok()?;
        Some(text.trim().to_owned())
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("broker.log")).unwrap_or_default()
    }

    fn order(&self, order: &str) {
        let mut stdin = self
            .leash
            .as_ref()
            .and_then(|leash| leash.stdin.as_ref())
            .expect("it is piped");
        writeln!(stdin, "{order}").expect("broker.sh reads its orders");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut leash) = self.leash.take() {
            drop(leash.stdin.take());
            let _ = leash.wait();
        }
    }
}

/// One of Kafka's programs, named by its class.
pub fn java(libs: &Path, class: &str) -> Command {
    let mut command = Command::new("java");
    command
        .args(JVM)
        .arg("-cp")
        .arg(libs.join("*"))
        .arg(class)
        .stdin(Stdio::null());
    command
}

fn properties(folder: &Path) -> PathBuf {
    folder.join("server.properties")
}

/// A node that is broker and controller, without waits that make sense in production only. Records may be of any
/// time and are kept until a test deletes them: captures are old, and the clock of a test machine may be older still.
///
/// Clients of further listeners are sent to a name, since that is what certificates are for.
fn server_properties(folder: &Path, places: &[Place], index: usize, setup: &Setup) -> String {
    let data = folder.join("data");
    let Place {
        number,
        port,
        controller,
        ports,
    } = &places[index];
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
    let voters: Vec<String> = places
        .iter()
        .map(|place| format!("{}@127.0.0.1:{}", place.number, place.controller))
        .collect();
    let (voters, replicas) = (voters.join(","), places.len());
    format!(
        "process.roles=broker,controller
node.id={number}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{bound}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{advertised}
controller.listener.names=CONTROLLER
controller.quorum.voters={voters}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
log.dirs={}
auto.create.topics.enable=false
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=1
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor={replicas}
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
