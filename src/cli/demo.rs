//! What may be typed behind `diurnal demo`.

use clap::Args;

use super::whole_number;

/// Flags of `diurnal demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Simulated hosts, 1 to 100; each sends a cpu and a mem line every 10 s
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub hosts: u32,
    /// Simulated hours around midnight, 1 to 48
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=48))]
    pub hours: u32,
    /// Seed of the simulation: the same seed sends the same lines
    #[arg(long, value_name = "N", default_value_t = 20_200_619, value_parser = whole_number::<u64>)]
    pub seed: u64,
    /// Keep the archive that an earlier demo left, and archive into it, instead of beginning anew: the same lines a second time change
    /// nothing, those of more hours or hosts are merged
    #[arg(long)]
    pub keep: bool,
    /// Write a page of plots as well: report.html beside the archive
    #[arg(long)]
    pub report: bool,
}
