//! The binary as a user runs it: arguments in, exit code and both streams out, with steps to wait for and to stop at.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::folder::Folder;
use super::{long, wait_for};

/// No run of a test takes longer; one that does hangs, and is killed and reported.
const RUN_LIMIT: Duration = Duration::from_secs(240);

/// The same with `DIURNAL_TEST_LONG=1`.
const LONG_RUN_LIMIT: Duration = Duration::from_secs(1_800);

fn run_limit() -> Duration {
    if long() { LONG_RUN_LIMIT } else { RUN_LIMIT }
}

/// Pause between two looks at a running process.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// One invocation being put together.
pub struct Diurnal {
    command: Command,
    name: String,
    arguments: Vec<String>,
    step_log: PathBuf,
    gate: PathBuf,
    stdin: Option<Vec<u8>>,
}

/// `diurnal SUBCOMMAND` in the test's folder, with nothing inherited from the environment of the developer.
pub fn diurnal(folder: &Folder, subcommand: &str) -> Diurnal {
    program(folder, Path::new(env!("CARGO_BIN_EXE_diurnal"))).arg(subcommand)
}

/// Another program that runs our code, in the same way. No two runs are made in the same second, as on a slow machine: what holds only within
/// one is found on a fast one too.
pub fn program(folder: &Folder, program: &Path) -> Diurnal {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DIURNAL_") {
            command.env_remove(name);
        }
    }
    // One test may start several runs, also at a time: their files must not meet.
    static SERIAL: AtomicU64 = AtomicU64::new(1);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let step_log = folder.join(&format!("steps-{serial}.log"));
    fs::write(&step_log, "").expect("a test can write into its folder");
    command
        .current_dir(folder.path())
        .env("DIURNAL_STEP_LOG", &step_log)
        .env("DIURNAL_CLOCK", (now_s() + serial).to_string());
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    Diurnal {
        command,
        name: name.into_owned(),
        arguments: Vec::new(),
        gate: folder.join(&format!("gate-{serial}")),
        step_log,
        stdin: None,
    }
}

/// Seconds since 1970-01-01 UTC.
fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("the clock is set").as_secs()
}

impl Diurnal {
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        let argument = argument.as_ref();
        self.arguments.push(argument.to_string_lossy().into_owned());
        self.command.arg(argument);
        self
    }

    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Diurnal::arg)
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Bytes for standard input; without them it is empty.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Runs it by these words instead, which name the program and what it is given before ours: `setpriv ... diurnal import`.
    pub fn through<A: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = A>) -> Self {
        let mut words = words.into_iter();
        let first = words.next().expect("a program");
        let mut command = Command::new(first);
        command
            .args(words)
            .arg(self.command.get_program())
            .args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = self.command.get_current_dir() {
            command.current_dir(folder);
        }
        self.command = command;
        self
    }

    /// Runs it as somebody to whom permissions apply: root may do anything.
    pub fn unprivileged(self) -> Self {
        match rustix::process::geteuid().is_root() {
            true => {
                let without = "-dac_override,-dac_read_search";
                let bounding = format!("--bounding-set={without}");
                self.through(["setpriv", &bounding, &format!("--inh-caps={without}"), "--"])
            }
            false => self,
        }
    }

    /// The run waits at this step until [`Running::resume`].
    pub fn pause_at(self, step: &str) -> Self {
        let gate = self.gate.clone();
        self.env("DIURNAL_PAUSE", format!("{step}={}", gate.display()))
    }

    /// The run kills itself (SIGKILL) at this step, or does what the named failpoint stands for.
    pub fn fail_at(self, failpoint: &str) -> Self {
        self.env("DIURNAL_FAILPOINT", failpoint)
    }

    pub fn start(mut self) -> Running {
        let temporary = || tempfile::tempfile().expect("a temporary file can be made");
        let (stdout, stderr) = (temporary(), temporary());
        let share = |file: &File| Stdio::from(file.try_clone().expect("a handle can be shared"));
        let input = match &self.stdin {
            None => Stdio::null(),
            Some(bytes) => {
                let mut file = temporary();
                file.write_all(bytes).expect("a temporary file can be written");
                file.rewind().expect("a file can be rewound");
                Stdio::from(file)
            }
        };
        self.command.stdin(input).stdout(share(&stdout)).stderr(share(&stderr));
        let child = self.command.spawn().expect("the binary was built and can be run");
        Running {
            child,
            started: Instant::now(),
            said: format!("{} {}", self.name, self.arguments.join(" ")),
            step_log: self.step_log,
            gate: self.gate,
            stdout,
            stderr,
        }
    }

    /// Runs to the end.
    pub fn run(self) -> Ran {
        self.start().wait()
    }

    /// Runs to the end with `--json` and gives the report; fails when the exit code is another one.
    pub fn report(self, exit_code: i32) -> Value {
        let ran = self.arg("--json").run().expect_code(exit_code);
        let report = ran.json();
        assert_eq!(report["exit_code"], exit_code, "the report's own exit code");
        report
    }
}

/// A run that has not ended.
pub struct Running {
    child: Child,
    started: Instant,
    said: String,
    step_log: PathBuf,
    gate: PathBuf,
    stdout: File,
    stderr: File,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the run has come to `step`.
    pub fn wait_for_step(&mut self, step: &str) {
        self.wait_for_steps(step, 1);
    }

    /// Waits until the run has come to `step` so many times.
    pub fn wait_for_steps(&mut self, step: &str, times: usize) {
        self.wait_while_it_runs(&format!("step {step}"), |run| {
            (steps(&run.step_log).iter().filter(|s| *s == step).count() >= times).then_some(())
        });
    }

    /// Waits until the run has said `what` on standard error.
    pub fn wait_until_said(&mut self, what: &str) {
        self.wait_while_it_runs(what, |run| text_so_far(&run.stderr).contains(what).then_some(()));
    }

    /// Waits until the whole lines on standard output are JSON objects that `look` finds something in.
    pub fn wait_for_json_lines<T>(&mut self, what: &str, look: impl Fn(&[Value]) -> Option<T>) -> T {
        self.wait_while_it_runs(what, |run| {
            let text = text_so_far(&run.stdout);
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            look(&json_lines(whole))
        })
    }

    fn wait_while_it_runs<T>(&mut self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let said = self.said.clone();
        wait_for(&format!("{what} of `{said}`"), || {
            let found = look(self);
            if found.is_none() && self.has_ended() {
                panic!("`{said}` ended before {what}: {}", text_of(&self.stderr));
            }
            found
        })
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_some())
    }

    /// Lets a run go on that waits at its [`Diurnal::pause_at`].
    pub fn resume(&self) {
        File::create(&self.gate).expect("a test can write into its folder");
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -TERM");
    }

    /// Ends the run at once, as the kernel or a power cut would.
    pub fn kill(mut self) -> Ran {
        // It may have ended by itself a moment ago; either is fine for the caller.
        let _ = self.child.kill();
        self.wait()
    }

    /// Waits for the end; gives the most memory that was resident too, in bytes (`VmHWM`, proc_pid_status(5)).
    pub fn wait_measured(mut self) -> (Ran, u64) {
        let status = format!("/proc/{}/status", self.pid());
        let mut peak = 0;
        while !self.has_ended() && self.started.elapsed() < run_limit() {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            peak = peak.max(kib.unwrap_or(0) << 10);
            std::thread::sleep(LOOK_AGAIN);
        }
        (self.wait(), peak)
    }

    /// Waits for the end.
    pub fn wait(mut self) -> Ran {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if self.started.elapsed() > run_limit() {
                let _ = self.child.kill();
                let _ = self.child.wait();
                let log = text_of(&self.stderr);
                panic!("`{}` hung; it said: {log}", self.said);
            }
            std::thread::sleep(LOOK_AGAIN);
        };
        Ran {
            status,
            elapsed: self.started.elapsed(),
            stdout: text_of(&self.stdout),
            stderr: text_of(&self.stderr),
            steps: steps(&self.step_log),
            said: std::mem::take(&mut self.said),
        }
    }
}

/// A test that fails leaves no process behind.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run that has ended.
pub struct Ran {
    pub status: ExitStatus,
    pub elapsed: Duration,
    pub stdout: String,
    pub stderr: String,
    /// The steps it came through, in order.
    pub steps: Vec<String>,
    said: String,
}

impl Ran {
    /// Fails, with everything the run said, when the exit code is another one.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.status.code(),
            Some(code),
            "`{}` ended with {}\n--- stdout\n{}\n--- stderr\n{}",
            self.said,
            self.status,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Fails when standard error does not name `what`.
    #[track_caller]
    pub fn expect_said(self, what: &str) -> Self {
        assert!(
            self.stderr.contains(what),
            "`{}` did not say {what:?}\n--- stderr\n{}",
            self.said,
            self.stderr
        );
        self
    }

    /// The one object on standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("`{}`: {e}: {:?}", self.said, self.stdout))
    }

    /// The objects on standard output, one on each line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        json_lines(&self.stdout)
    }

    /// Whether a signal ended it.
    pub fn was_killed(&self) -> bool {
        self.status.code().is_none()
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    let object = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
    text.lines().map(object).collect()
}

/// What a run that goes on has written: it shares the file's position, which must not be moved.
fn text_so_far(file: &File) -> String {
    let length = file.metadata().map_or(0, |about| about.len());
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, 0).expect("a temporary file can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn text_of(mut file: &File) -> String {
    let mut bytes = Vec::new();
    file.rewind().expect("a file can be rewound");
    file.read_to_end(&mut bytes).expect("a temporary file can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn steps(log: &Path) -> Vec<String> {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
