//! Kafkas that tests may break: one node, or three that stand in for each other. They are shared, since a start costs seconds,
//! by one test at a time, and whole again for the next one.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::kafka::{ANSWERED, Kafka, Setup, client};
use super::node::Node;
use super::topic::Topic;
use super::wait_for;

/// A Kafka that is a test's own until this is dropped.
pub type Lent = MutexGuard<'static, Kafka>;

/// How long one question about the cluster may take; it is asked again.
const ASKED: Duration = Duration::from_secs(1);

impl Kafka {
    /// One node.
    pub fn breakable() -> Option<Lent> {
        static ONE: OnceLock<Option<Mutex<Kafka>>> = OnceLock::new();
        lend(&ONE, 1)
    }

    /// Three nodes.
    pub fn cluster() -> Option<Lent> {
        static THREE: OnceLock<Option<Mutex<Kafka>>> = OnceLock::new();
        lend(&THREE, 3)
    }

    /// Ends the one node as a power cut would.
    pub fn kill(&self) {
        self.kill_node(1);
    }

    /// Starts the one node again that was killed, with what it has on disk, and waits until it answers.
    pub fn start_again(&self) {
        self.start_node_again(1);
    }

    /// Holds the one node (SIGSTOP): connections stay, nothing is answered.
    pub fn pause(&self) {
        self.node(1).pause();
    }

    /// Lets the one node go on that was held.
    pub fn resume(&self) {
        self.node(1).resume();
    }

    /// Ends a node, by its number from 1, as a power cut would.
    pub fn kill_node(&self, number: i32) {
        self.node(number).kill();
    }

    /// Starts a node again that was killed, with what it has on disk, and waits until the cluster has it back.
    pub fn start_node_again(&self, number: i32) {
        self.node(number).start_again();
        self.wait_for_node(number);
    }

    /// Waits until the node itself says that the cluster counts it among its own. Others may not have noticed yet that it was gone.
    fn wait_for_node(&self, number: i32) {
        let node = std::slice::from_ref(self.node(number));
        let client: BaseConsumer = client(node).create().expect("a client can be made");
        wait_for(&format!("the return of broker {number}"), || {
            let metadata = client.fetch_metadata(None, ASKED).ok()?;
            let is_there = metadata.brokers().iter().any(|broker| broker.id() == number);
            is_there.then_some(())
        });
    }

    fn node(&self, number: i32) -> &Node {
        let found = self.nodes.iter().find(|node| node.place.number == number);
        found.unwrap_or_else(|| panic!("no node {number}"))
    }

    /// Puts right what a test left broken that failed.
    fn mend(&self) {
        for node in &self.nodes {
            if node.state() == Some('T') {
                node.resume();
            } else if node.is_gone() {
                node.start_again();
            }
        }
        for node in &self.nodes {
            self.wait_for_node(node.place.number);
        }
    }
}

fn lend(of: &'static OnceLock<Option<Mutex<Kafka>>>, nodes: usize) -> Option<Lent> {
    // Here too, since it says what is missing for each test that is skipped.
    Kafka::shared()?;
    // A node that died is missed soon, and may come back soon: until it is missed, the cluster takes it for a double. What leads goes
    // on to lead.
    let setup = || Setup {
        prepare: |_| {
            "broker.session.timeout.ms=4000\nbroker.heartbeat.interval.ms=500\nauto.leader.rebalance.enable=false\n"
                .to_owned()
        },
        ..Setup::plain()
    };
    let kafka = of.get_or_init(|| Kafka::of_nodes(nodes, &setup()).map(Mutex::new));
    let kafka = kafka.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
    kafka.mend();
    Some(kafka)
}

impl Topic<'_> {
    /// The node that leads the partition, where there is one.
    pub fn leader(&self, partition: i32) -> Option<i32> {
        self.replicas(partition)
            .and_then(|(leader, _)| (leader >= 0).then_some(leader))
    }

    /// Waits until another node than `old` leads the partition.
    pub fn wait_for_leader_other_than(&self, partition: i32, old: i32) -> i32 {
        wait_for(&format!("another leader of {}/{partition}", self.name()), || {
            self.leader(partition).filter(|leader| *leader != old)
        })
    }

    /// Waits until exactly these nodes are in sync with the leader of the partition.
    pub fn wait_for_in_sync(&self, partition: i32, wanted: &[i32]) {
        wait_for(
            &format!("replicas {wanted:?} of {}/{partition} in sync", self.name()),
            || {
                let (_, mut in_sync) = self.replicas(partition)?;
                in_sync.sort_unstable();
                (in_sync == wanted).then_some(())
            },
        );
    }

    /// The leader, -1 for none, and the nodes in sync.
    fn replicas(&self, partition: i32) -> Option<(i32, Vec<i32>)> {
        let client = self.kafka().admin().inner();
        let metadata = client.fetch_metadata(Some(self.name()), ANSWERED).ok()?;
        let partitions = metadata.topics().first()?.partitions();
        let found = partitions.iter().find(|found| found.id() == partition)?;
        Some((found.leader(), found.isr().to_vec()))
    }
}
