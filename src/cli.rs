//! What the user may type, and nothing else: clap turns it into values, `settings` resolves and checks them.

mod archive;
mod demo;
mod report;
mod status;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{BoolishValueParser, OsStr, Resettable};
use clap::{ArgGroup, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

pub use self::archive::{ArchiveArgs, ConnectionArgs};
pub use self::demo::DemoArgs;
pub use self::report::ReportArgs;
pub use self::status::StatusArgs;

use crate::console::LogFormat;
use crate::format::TimeUnit;
use crate::lineproto::{FIELDS, Precision, TAGS};
use crate::table::schema::ColumnType;
use crate::table::{COLUMNS, MEASUREMENTS};
use crate::version::VERSION;

/// Drains Kafka topics of Telegraf metrics into one time-ordered Parquet and CSV file per measurement and day.
#[derive(Debug, Parser)]
#[command(
    name = "diurnal",
    version = VERSION,
    propagate_version = true,
    after_help = "Examples:\n  \
                  diurnal demo\n  \
                  diurnal archive --brokers localhost:9092 --topic my-computer-metric\n  \
                  diurnal status\n\n\
                  Exit codes: 0 done; 1 failed or incomplete, safe to rerun; 2 wrong usage; 3 done, more new rejects than \
                  --max-rejects; 4 another run holds the archive; 5 done, but Kafka no longer had some offsets. Where \
                  several hold: 2, 4, 1, 5, 3."
)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads what was typed, and the environment for the rest.
    ///
    /// clap takes a variable for a flag that was typed. `DIURNAL_FROM` and `DIURNAL_UNTIL` are there for runs that go on, and would
    /// conflict with a `--replay` that somebody types beside them: it is read without them.
    ///
    /// # Errors
    /// What makes no sense, or asks for `--help` or `--version`.
    pub fn understand(typed: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let typed: Vec<OsString> = typed.into_iter().collect();
        let is_replay = |word: &OsString| word == "--replay" || word.as_encoded_bytes().starts_with(b"--replay=");
        let mut command = Self::command();
        if typed.iter().any(is_replay) {
            command = command.mut_subcommand("archive", |archive| {
                let without = |option: clap::Arg| option.env(Resettable::<OsStr>::Reset);
                archive.mut_arg("from", without).mut_arg("until", without)
            });
        }
        let mut matches = command.try_get_matches_from(typed)?;
        Self::from_arg_matches_mut(&mut matches)
    }
}

/// Flags of every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// The archive's folder, or s3://BUCKET/PREFIX, gs://..., az://... [default: archive]
    #[arg(long, global = true, value_name = "DIR", env = "DIURNAL_ARCHIVE")]
    pub archive: Option<PathBuf>,
    /// Print one JSON object on standard output, and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing when all is well: for cron, which mails what is printed
    #[arg(short, long, global = true, env = "DIURNAL_QUIET", value_parser = BoolishValueParser::new())]
    pub quiet: bool,
    /// Say what is being done: assignments, positions, fetch errors, commits, times, librdkafka's own messages
    #[arg(short, long, global = true, env = "DIURNAL_VERBOSE", value_parser = BoolishValueParser::new())]
    pub verbose: bool,
    /// How messages on standard error are written: `text`, lines for people, or `json`, one object a line
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        env = "DIURNAL_LOG_FORMAT",
        default_value = "text",
        hide_possible_values = true
    )]
    pub log_format: LogFormat,
}

/// The commands, in the order of `--help`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read what Kafka topics hold beyond the archive, once or on a schedule, and archive it
    #[command(after_help = "Examples:\n  \
        diurnal archive --brokers localhost:9092 --topic my-computer-metric\n  \
        diurnal archive --brokers kafka:9093 --topic '^telegraf-' -F my.properties -q\n  \
        diurnal archive --brokers localhost:9092 --topic telegraf --follow --every 15m\n  \
        diurnal archive --brokers mirror:9092 --topic telegraf --replay -7d..")]
    Archive(Box<ArchiveArgs>),
    /// Archive line-protocol files (plain, .gz, .zst) or standard input
    #[command(after_help = "Examples:\n  \
        diurnal import metrics.lp old/*.lp.gz\n  \
        zcat spool.gz | diurnal import --precision s -\n  \
        diurnal import consumer-thread-*.csv")]
    Import(ImportArgs),
    /// Check the archive: every file and hash, order and day, CSV against Parquet, the ledger without hole or overlap
    #[command(after_help = "Examples:\n  diurnal verify\n  diurnal verify --archive /srv/metrics/archive -q")]
    Verify,
    /// Show what the archive holds and how far each partition was read; with --brokers, how far behind Kafka that is
    #[command(
        after_help = "Examples:\n  diurnal status\n  diurnal status --days\n  diurnal status --brokers localhost:9092\n  \
        diurnal status -q --brokers localhost:9092 --max-lag 100000 --max-age 2h\n\n\
        Exit codes: 0 all is within the limits; 1 a limit is not kept, Kafka did not answer, or a topic is gone or was made again; 2 wrong \
        usage. Each reason is a line on standard error, which -q leaves alone."
    )]
    Status(StatusArgs),
    /// Show the columns of the archive, export them as schema files, or change a column's type
    #[command(
        after_help = "Examples:\n  diurnal schema show cpu\n  diurnal schema export -o my-schemas\n  \
        diurnal schema set cpu.usage_idle float"
    )]
    Schema(SchemaArgs),
    /// List and count the lines that could not be archived; --retry drives them through again
    #[command(
        after_help = "Examples:\n  diurnal rejects\n  diurnal rejects --limit 1000 --json | jq -r '.lines[].line'\n  \
        diurnal rejects --retry"
    )]
    Rejects(RejectsArgs),
    /// Merge other archives into this one: rows, columns, rejects, and how far each partition was read
    #[command(
        after_help = "Examples:\n  diurnal merge /mnt/web-01/archive /mnt/web-02/archive\n  \
        diurnal merge --archive all first-half second-half --dry-run\n\n\
        The archive is made if there is none. The others are only read; runs may go on with them meanwhile. Each is merged whole or not \
        at all, and a merge of what is there already changes nothing."
    )]
    Merge(MergeArgs),
    /// Remove old files, on the ledger's record
    #[command(
        after_help = "Example:\n  diurnal prune --csv-older-than 90d --rejects-older-than 52w --dry-run\n\n\
        A day is as old as its end in the archive's time zone, a reject file as its last change. Late lines for a day go into \
        the files that are left of it; where none is, they are rejects (day_pruned)."
    )]
    Prune(PruneArgs),
    /// Copy the archive to a new folder, which then is an archive too; runs may go on meanwhile
    #[command(after_help = "Example:\n  diurnal backup /mnt/backup/archive-$(date +%F)\n\n\
        Every file is checked against its hash in the ledger while it is copied: of a damaged archive no backup is made.")]
    Backup(BackupArgs),
    /// Make one HTML page of plots, a heat map, what is missing and what came late; it needs no network and no server
    #[command(after_help = "Examples:\n  \
        diurnal report\n  \
        diurnal report --from -7d -o /var/www/html/metrics.html -q\n  \
        diurnal report --from 2026-11-01 --until 2026-12-01 --field disk.used_percent\n\n\
        The archive is only read, without a lock: runs may go on meanwhile. The same archive and flags make the same page.")]
    Report(ReportArgs),
    /// Try it without Kafka: embedded broker, simulated agents, a real archive run into diurnal-demo/archive
    #[command(
        after_help = "Example:\n  diurnal demo && duckdb -c \"from 'diurnal-demo/archive/cpu/*.parquet' limit 5\""
    )]
    Demo(DemoArgs),
    /// Print the completions of commands and flags for a shell
    #[command(after_help = "Examples:\n  \
        diurnal completions bash > ~/.local/share/bash-completion/completions/diurnal\n  \
        diurnal completions zsh > ~/.zfunc/_diurnal\n  \
        diurnal completions fish > ~/.config/fish/completions/diurnal.fish\n\n\
        Or for this one shell: `source <(diurnal completions bash)`. zsh finds ~/.zfunc where ~/.zshrc says \
        `fpath=(~/.zfunc $fpath)` before `compinit`.")]
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for each command into a folder
    #[command(
        after_help = "Examples:\n  diurnal man | man -l -\n  diurnal man --output ~/.local/share/man/man1\n\n\
        After the second one `man diurnal-archive` shows the page of that command, where ~/.local/bin is in the PATH."
    )]
    Man(ManArgs),
}

/// `--commit-every` where it is not given: some ten gigabytes of lines, so that a first run over weeks of data that is killed
/// does not start again.
pub const DEFAULT_COMMIT_EVERY: u64 = 50_000_000;

/// Flags of the commands that put lines into an archive.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Lines and archive")]
pub struct IngestArgs {
    /// The IANA time zone whose days divide the files; fixed when the archive is made [default: UTC]
    #[arg(long, value_name = "ZONE", env = "DIURNAL_TIMEZONE")]
    pub timezone: Option<String>,
    /// Resolution of the time column; fixed when the archive is made [default: ns]
    #[arg(long, value_name = "UNIT", env = "DIURNAL_TIME_UNIT")]
    pub time_unit: Option<TimeUnit>,
    /// Times that are taken, from FROM to just before TO, others are rejects; `..` for all; fixed when the archive is made
    /// [default: 1990-01-01..2100-01-01]
    #[arg(long, value_name = "FROM..TO", env = "DIURNAL_TIME_RANGE")]
    pub time_range: Option<String>,
    /// Files of a day; fixed when the archive is made [default: parquet,csv]
    #[arg(long, value_name = "FORMATS", value_delimiter = ',', env = "DIURNAL_FORMATS")]
    pub formats: Option<Vec<FormatName>>,
    /// Folder of schema files (TOML) for measurements that the archive does not know yet; without it those that diurnal knows by itself are
    /// declared, and the types of others learned
    #[arg(long, value_name = "DIR", env = "DIURNAL_SCHEMAS")]
    pub schemas: Option<PathBuf>,
    /// Memory for the whole process, such as 512MiB. Rows that it has no room for wait on the archive's disk, sorted; it decides nothing
    /// about what is archived [default: a quarter of the machine's or cgroup's, 4 GiB at most]
    #[arg(long, value_name = "BYTES", env = "DIURNAL_MEMORY")]
    pub memory: Option<String>,
    /// Threads that read and parse, and as many that sort and encode [default: one per processor]
    #[arg(long, value_name = "N", env = "DIURNAL_THREADS", value_parser = whole_number::<usize>)]
    pub threads: Option<usize>,
    /// Unit of the times in lines
    #[arg(long, value_name = "UNIT", env = "DIURNAL_PRECISION", default_value = "ns")]
    pub precision: Precision,
    /// Rejected lines to tolerate before the exit code is 3: a number, or a percentage of the lines such as 0.1%
    #[arg(long, value_name = "N|P%", env = "DIURNAL_MAX_REJECTS", default_value = "0")]
    pub max_rejects: String,
    /// Make a commit each time about this many lines were read
    #[arg(
        long,
        value_name = "LINES",
        env = "DIURNAL_COMMIT_EVERY",
        value_parser = whole_number::<u64>,
        default_value_t = DEFAULT_COMMIT_EVERY
    )]
    pub commit_every: u64,
    /// Read and parse all, say what would change, and write nothing: no archive is made, no file touched, no offset committed
    #[arg(long)]
    pub dry_run: bool,
    /// Where the run's figures go.
    #[command(flatten)]
    pub metrics: MetricsArgs,
    /// What producers may send.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// Flags of the commands that make runs.
#[derive(Args, Clone, Debug)]
pub struct MetricsArgs {
    /// After each run, also one that failed, write its figures for Prometheus to this file, as a whole; node_exporter's textfile collector
    /// reads names that end in .prom. One that can't be written is a warning and does not change the exit code. Without it none is written
    #[arg(long, value_name = "FILE", env = "DIURNAL_METRICS_FILE")]
    pub metrics_file: Option<PathBuf>,
}

/// Limits on what producers may send. Lines past one of them are rejects; `rejects --retry` with a higher one takes them in.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Measurements of the archive at most, from 1 to 1,000,000; declared ones are always taken. Lines of further ones are rejects
    #[arg(
        long,
        value_name = "N",
        env = "DIURNAL_MAX_MEASUREMENTS",
        default_value_t = MEASUREMENTS,
        value_parser = at_most(MOST_MEASUREMENTS)
    )]
    pub max_measurements: usize,
    /// Columns of a measurement at most, from 1 to 100,000; declared ones are always taken. Lines with further ones are rejects
    #[arg(
        long,
        value_name = "N",
        env = "DIURNAL_MAX_COLUMNS",
        default_value_t = COLUMNS,
        value_parser = at_most(MOST_COLUMNS)
    )]
    pub max_columns: usize,
    /// Bytes of a line at most, from 1kB to 1GiB
    #[arg(long, value_name = "BYTES", env = "DIURNAL_MAX_LINE", default_value = "16MiB")]
    pub max_line: String,
    /// Tags of a line at most, from 1 to 100,000
    #[arg(
        long,
        value_name = "N",
        env = "DIURNAL_MAX_TAGS",
        default_value_t = TAGS,
        value_parser = at_most(MOST_COLUMNS)
    )]
    pub max_tags: usize,
    /// Fields of a line at most, from 1 to 100,000
    #[arg(
        long,
        value_name = "N",
        env = "DIURNAL_MAX_FIELDS",
        default_value_t = FIELDS,
        value_parser = at_most(MOST_COLUMNS)
    )]
    pub max_fields: usize,
}

/// `--max-measurements` at most: each takes memory in every run, and two files a day.
const MOST_MEASUREMENTS: usize = 1_000_000;

/// `--max-columns`, `--max-tags` and `--max-fields` at most: far above what any reader of the files stands.
const MOST_COLUMNS: usize = 100_000;

/// A number from 1 to `most`.
fn at_most(most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(format!("it must be a number from 1 to {most}")),
    }
}

/// A number of things, such as 1000.
fn whole_number<T: std::str::FromStr>(text: &str) -> Result<T, &'static str> {
    text.parse().map_err(|_| "it must be a whole number, such as 1000")
}

/// A format of day files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// `DAY.parquet`
    Parquet,
    /// `DAY.csv`
    Csv,
}

/// Flags of `diurnal import`.
#[derive(Args, Clone, Debug)]
pub struct ImportArgs {
    /// Line-protocol files, plain or compressed with gzip or zstd; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Time of lines that have none: a time such as 2020-06-19T12:00:00Z, an age such as -1d, or `now`; without it such a line is a
    /// reject
    #[arg(long, value_name = "TIME", env = "DIURNAL_DEFAULT_TIME", allow_hyphen_values = true)]
    pub default_time: Option<String>,
    /// What it shares with `archive`.
    #[command(flatten)]
    pub ingest: IngestArgs,
}

/// Flags of `diurnal schema`.
#[derive(Args, Clone, Debug)]
pub struct SchemaArgs {
    /// What to do with the columns.
    #[command(subcommand)]
    pub command: SchemaCommand,
}

/// The commands of `diurnal schema`.
#[derive(Clone, Debug, Subcommand)]
pub enum SchemaCommand {
    /// Show the columns, their types and where they come from, and in how many days and rows they have values
    #[command(after_help = "Examples:\n  diurnal schema show\n  diurnal schema show cpu")]
    Show {
        /// One measurement; all are shown without it
        measurement: Option<String>,
    },
    /// Write schema files (TOML): to be read, or edited and given to a new archive with --schemas
    #[command(after_help = "Examples:\n  diurnal schema export cpu\n  diurnal schema export -o my-schemas")]
    Export {
        /// One measurement; all are exported without it
        measurement: Option<String>,
        /// A folder for a file for each measurement; without it one measurement goes to standard output
        #[arg(short, long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
    /// Change the type of a field, and rewrite the day files that have it, as one commit
    #[command(
        after_help = "Examples:\n  diurnal schema set cpu.usage_idle float\n  diurnal schema set door.level string --dry-run\n\n\
        Every value has to be the same in the new type; otherwise the first that is not is named, and nothing is changed. \
        Whole floats fit integers in range, integers that a float holds exactly fit float, everything fits string, and a \
        string fits the type whose text it is. Afterwards `diurnal rejects --retry` archives the rejects that fit now."
    )]
    Set(SchemaSetArgs),
}

/// Flags of `diurnal schema set`.
#[derive(Args, Clone, Debug)]
pub struct SchemaSetArgs {
    /// The field, by its measurement's name and the column's
    #[arg(value_name = "MEASUREMENT.COLUMN")]
    pub column: String,
    /// The type that it gets
    #[arg(value_name = "TYPE")]
    pub ty: ColumnType,
    /// The measurement, where dots leave it open: the name before TYPE is then the column's alone, which without it is the measurement's too
    #[arg(long, value_name = "NAME")]
    pub measurement: Option<String>,
    /// Convert and check everything, say what would be rewritten, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Flags of `diurnal rejects`.
#[derive(Args, Clone, Debug)]
pub struct RejectsArgs {
    /// Drive all of them through the pipeline again, each with its origin, record time and precision: what fits now (after a
    /// change of the schema, or with a newer diurnal) is archived, the rest stays as it is
    #[arg(long)]
    pub retry: bool,
    /// With --retry: say what would change, and write nothing
    #[arg(long, requires = "retry")]
    pub dry_run: bool,
    /// Lines to show, the newest first; all are counted
    #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "retry", value_parser = whole_number::<usize>)]
    pub limit: usize,
    /// With --retry.
    #[command(flatten)]
    pub metrics: MetricsArgs,
    /// With --retry.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// Flags of `diurnal merge`.
#[derive(Args, Clone, Debug)]
pub struct MergeArgs {
    /// Folders of other archives
    #[arg(required = true, value_name = "OTHER")]
    pub others: Vec<PathBuf>,
    /// Merge although this topic was deleted and made again between what the archives have read of it, which is refused without it; may be
    /// given several times
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    pub accept_recreated: Vec<String>,
    /// Say what would change, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Where the run's figures go.
    #[command(flatten)]
    pub metrics: MetricsArgs,
}

/// Flags of `diurnal prune`.
#[derive(Args, Clone, Debug)]
#[command(group(
    ArgGroup::new("ages")
        .required(true)
        .multiple(true)
        .args(["csv_older_than", "parquet_older_than", "rejects_older_than"])
))]
pub struct PruneArgs {
    /// Remove CSV files of days that ended this long ago or longer, such as 90d, 12w, 36h; without it none is removed
    #[arg(long, value_name = "AGE")]
    pub csv_older_than: Option<String>,
    /// Remove Parquet files of days that ended this long ago or longer, such as 400d; without it none is removed
    #[arg(long, value_name = "AGE")]
    pub parquet_older_than: Option<String>,
    /// Remove reject files that were written this long ago or longer, such as 52w; without it none is removed
    #[arg(long, value_name = "AGE")]
    pub rejects_older_than: Option<String>,
    /// Say what would go, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Flags of `diurnal backup`.
#[derive(Args, Clone, Debug)]
pub struct BackupArgs {
    /// The folder to make; one that exists must be empty, and the folder above it must exist
    #[arg(value_name = "DEST")]
    pub dest: PathBuf,
}

/// Flags of `diurnal completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// The shell that they are for
    #[arg(value_name = "SHELL")]
    pub shell: ShellName,
}

/// A shell that there are completions for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShellName {
    /// GNU bash
    Bash,
    /// Z shell
    Zsh,
    /// fish
    Fish,
}

/// Flags of `diurnal man`.
#[derive(Args, Clone, Debug)]
pub struct ManArgs {
    /// A folder for the pages of all commands; without it the main page goes to standard output
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

#[cfg(test)]
mod tests;
