//! What may be typed behind `diurnal report`.

use std::path::PathBuf;

use clap::Args;

/// Flags of `diurnal report`.
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Begin with this time: 2026-11-01, 2026-11-01T12:00:00Z, or an age such as -7d, which counts from the end of the archive's last day
    /// [default: 30 days before --until]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// End just before this time, such as 2026-12-01, or an age [default: the end of the archive's last day]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// The file to write; one that is there is replaced when the new one is whole
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    pub output: PathBuf,
    /// A field to plot, in place of the default ones; may be given several times. cpu.busy is what cpu.usage_idle leaves of 100, of all
    /// processors together [default: cpu.busy, mem.used_percent]
    #[arg(long = "field", value_name = "MEASUREMENT.FIELD")]
    pub fields: Vec<String>,
}
