//! What is there before the first command of a page: an archive of the demo, a Kafka with lines, files of lines.

use diurnal::simulate::Simulation;

use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::produce::{self, Record};
use crate::support::run::diurnal;

/// Midnight between the two days of all simulations, 2020-06-20 UTC.
const MIDNIGHT_S: i64 = 1_592_611_200;

/// The topic of all pages.
const TOPIC: &str = "my-computer-metric";

/// Makes one of the worlds that a page can name.
pub fn prepare(world: &str, folder: &Folder, kafka: Option<&Kafka>) {
    match world {
        // `diurnal demo` was run.
        "demo" => {
            diurnal(folder, "demo").args(["-q"]).run().expect_code(0);
        }
        // Two agents have sent 24 minutes around midnight.
        "kafka" => fill(kafka.expect("a page with this world has one")),
        // Files of lines as agents write them: `web-01.lp`, `web-02.lp`.
        "files" => {
            for (number, name) in [(1, "web-01.lp"), (2, "web-02.lp")] {
                folder.write(name, lines_of(number));
            }
        }
        other => panic!("no page can have the world {other:?}"),
    }
}

/// Twelve minutes on both sides of midnight.
fn simulation(hosts: u32) -> Simulation {
    Simulation {
        hosts,
        first_s: MIDNIGHT_S - 720,
        end_s: MIDNIGHT_S + 720,
        seed: 7,
    }
}

fn fill(kafka: &Kafka) {
    let topic = kafka.topic_called(TOPIC, 5);
    let sent = simulation(2).traffic(5).sent;
    // The line that the simulation breaks is a story for the demo.
    let whole = sent.iter().filter(|sent| !sent.line.contains("usage_user=,"));
    let records: Vec<Record> = whole
        .map(|sent| Record::new(sent.partition, &sent.line).at(sent.timestamp_ms))
        .collect();
    produce::send(&produce::producer(&kafka.brokers(), &[]), topic.name(), &records);
}

/// The lines of one host, in the order in which they arrive.
fn lines_of(host: u32) -> String {
    let sent = simulation(2).traffic(1).sent;
    let name = format!("host=web-{host:02} ");
    let lines = sent.iter().map(|sent| sent.line.as_str());
    lines
        .filter(|line| line.contains(&name) && !line.contains("usage_user=,"))
        .collect()
}
