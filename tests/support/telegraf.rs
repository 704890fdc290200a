//! Real Telegraf: one gathering of its file input, written by its own serializer of line protocol.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::{install, skip};

/// Most metrics that Telegraf keeps before it writes; more than a test sends, as the oldest are dropped beyond it.
const BUFFERED: usize = 200_000;

/// A Telegraf with the plugins that the tests use.
pub struct Telegraf {
    binary: PathBuf,
}

impl Telegraf {
    /// The binary of this checkout, built when it is first asked for; `None`, with a message, where it can't be had.
    pub fn get() -> Option<&'static Telegraf> {
        static SHARED: OnceLock<Result<Telegraf, String>> = OnceLock::new();
        let build = || {
            let binary = install("install-telegraf.sh", "telegraf")?.join("telegraf");
            Ok(Telegraf { binary })
        };
        match SHARED.get_or_init(build) {
            Ok(telegraf) => Some(telegraf),
            Err(missing) => {
                skip(missing);
                None
            }
        }
    }

    /// Gathers once and ends. `plugins` is the configuration but for the agent's own; paths in it are relative to `folder`.
    #[track_caller]
    pub fn run_once(&self, folder: &Path, plugins: &str) {
        // Nothing is added to a metric, and its time is not rounded to a second.
        let agent = format!(
            "[agent]\nomit_hostname = true\nprecision = \"1ns\"\nmetric_buffer_limit = {BUFFERED}\n\
             skip_processors_after_aggregators = true\n"
        );
        std::fs::write(folder.join("telegraf.conf"), agent + plugins).expect("a test can write into its folder");
        let output = Command::new(&self.binary)
            .args(["--config", "telegraf.conf", "--once"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
            .expect("the binary was built and can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        // A plugin that fails is logged as an error; Telegraf goes on without what it was to give.
        assert!(output.status.success() && !said.contains(" E! "), "telegraf:\n{said}");
    }
}
