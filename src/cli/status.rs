//! What may be typed behind `diurnal status`.

use clap::Args;

use super::{ConnectionArgs, whole_number};

/// Flags of `diurnal status`.
#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    /// Show each day of each measurement
    #[arg(long)]
    pub days: bool,
    /// Ask these Kafka brokers where the partitions end, host:port, comma-separated; without it Kafka is not asked
    #[arg(long, value_name = "HOST:PORT", env = "DIURNAL_BROKERS")]
    pub brokers: Option<String>,
    /// Show these topics only, with --brokers also if the archive does not know them yet: names, or regular expressions that start with
    /// `^`; may be given several times [default: those that the archive has read]
    #[arg(long = "topic", value_name = "TOPIC", env = "DIURNAL_TOPIC", value_delimiter = ',')]
    pub topics: Vec<String>,
    /// Show these partitions of each topic only, such as 0-4,7 or 5-: those that `archive --partitions` reads; without it all
    #[arg(long, value_name = "PARTITIONS", env = "DIURNAL_PARTITIONS")]
    pub partitions: Option<String>,
    /// Offsets of a partition that may wait in Kafka: with more of them the exit code is 1. Without it the lag is shown, whatever it is
    #[arg(long, value_name = "N", env = "DIURNAL_MAX_LAG", requires = "brokers", value_parser = whole_number::<u64>)]
    pub max_lag: Option<u64>,
    /// How long ago a partition may have been read to its end, such as 90m, 2h or 1d: longer, and the exit code is 1. In an archive without
    /// topics it is about the last good run of any kind. Without it ages are shown, whatever they are
    #[arg(long, value_name = "DURATION", env = "DIURNAL_MAX_AGE")]
    pub max_age: Option<String>,
    /// What it shares with `archive`.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}
