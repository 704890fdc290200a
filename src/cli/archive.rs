//! What may be typed behind `diurnal archive`, and what it shares with others that talk to Kafka.

use std::path::PathBuf;

use clap::Args;

use super::IngestArgs;

/// Flags of `diurnal archive`.
#[derive(Args, Clone, Debug)]
pub struct ArchiveArgs {
    /// Kafka brokers to begin with, host:port, comma-separated
    #[arg(long, value_name = "HOST:PORT", env = "DIURNAL_BROKERS", required = true)]
    pub brokers: String,
    /// A topic's name, or a regular expression that starts with `^`; may be given several times
    #[arg(
        long = "topic",
        value_name = "TOPIC",
        env = "DIURNAL_TOPIC",
        required = true,
        value_delimiter = ','
    )]
    pub topics: Vec<String>,
    /// Read these partitions of each topic only, such as 0-4,7 or, with all that Kafka adds later, 5-: a part of a topic that is split
    /// over machines, each with an archive of its own, which `merge` makes one; without it all are read
    #[arg(long, value_name = "PARTITIONS", env = "DIURNAL_PARTITIONS")]
    pub partitions: Option<String>,
    /// Where a topic that the archive does not know begins: earliest, latest, a time such as 2020-06-19 (UTC) or an age such as -7d
    #[arg(
        long,
        value_name = "START",
        env = "DIURNAL_FROM",
        default_value = "earliest",
        allow_hyphen_values = true
    )]
    pub from: String,
    /// Stop each partition before its first record stamped at or after this: a time such as 2020-06-20 (UTC), or an age such as -1h; without
    /// it a run reads all that is there when it starts
    #[arg(long, value_name = "TIME", env = "DIURNAL_UNTIL", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Read once more, by record time, what was archived before: two times or ages, such as -2d..-1d or 2020-06-19..,
    /// either of which may be left out, `..` for all that Kafka still has; without it only what is new is read. What is archived already stays as it is, holes are filled; where the next run goes on does
    /// not move. Of a cluster that the archive does not know (a mirror), everything in the range is read. DIURNAL_FROM and DIURNAL_UNTIL have
    /// no say then
    #[arg(long, value_name = "FROM..UNTIL", allow_hyphen_values = true, conflicts_with_all = ["from", "until"])]
    pub replay: Option<String>,
    /// Stay and do the same again and again, until SIGINT or SIGTERM; with --json, each run prints its object on a line
    #[arg(long, conflicts_with_all = ["replay", "dry_run"])]
    pub follow: bool,
    /// From the start of one run to the start of the next, such as 30s, 15m, 1h or 1d; at least 1s
    #[arg(long, value_name = "DURATION", default_value = "1h", requires = "follow")]
    pub every: String,
    /// Read this topic from its beginning although it was deleted and made again since the last run, which is refused without it; may be
    /// given several times
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    pub accept_recreated: Vec<String>,
    /// Group under which the offsets are also committed to Kafka, for its own tools to see
    #[arg(long, value_name = "NAME", env = "DIURNAL_GROUP", default_value = "diurnal")]
    pub group: String,
    /// What it shares with `status`.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// What it shares with `import`.
    #[command(flatten)]
    pub ingest: IngestArgs,
}

/// Flags of the commands that talk to Kafka.
#[derive(Args, Clone, Debug)]
pub struct ConnectionArgs {
    /// Give up after this long without progress, such as 60s or 5m [default: 60s, of status 10s]
    #[arg(long, value_name = "DURATION", env = "DIURNAL_TIMEOUT")]
    pub timeout: Option<String>,
    /// A librdkafka property, such as security.protocol=SASL_SSL; may be given several times. The environment sets them too:
    /// DIURNAL_KAFKA_SASL_PASSWORD is sasl.password [default: librdkafka's, without TLS]
    #[arg(short = 'X', value_name = "PROPERTY=VALUE")]
    pub properties: Vec<String>,
    /// A file of librdkafka properties, one PROPERTY=VALUE a line: the place for secrets [default: none]
    #[arg(short = 'F', value_name = "FILE", env = "DIURNAL_PROPERTIES")]
    pub properties_file: Option<PathBuf>,
}
