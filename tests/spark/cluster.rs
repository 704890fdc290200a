//! A standalone Spark cluster: a master and two workers, of one core each, on two addresses of this machine. Shared by the tests of a
//! process, and gone with it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::python;
use crate::support::run::{Diurnal, Ran, program};
use crate::support::topic::{Topic, words_of};
use crate::support::{install, installed, root, runs, skip, wait_up_to};

/// On a busy machine.
const STARTED: Duration = Duration::from_secs(120);

const WORKERS: usize = 2;

/// Of an executor's one gibibyte: its heap. The rest is for Python and diurnal's own code.
const HEAP: &str = "700m";

/// For programs that end before the optimising compiler of a JVM has earned what it takes.
const SHORT_LIVED: &str = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

/// What the cluster of this process is made of.
pub struct Spark {
    /// `SPARK_HOME`.
    home: PathBuf,
    /// The Python that has pyspark and pyarrow.
    python: PathBuf,
    /// The jars of Spark's connector to Kafka, with commas between.
    jars: String,
    cluster: Cluster,
    /// There are cores for one job.
    busy: Mutex<()>,
}

/// The running processes; the end of this process, or of its handle, ends them.
struct Cluster {
    folder: PathBuf,
    port: u16,
    _leash: Child,
}

impl Spark {
    /// `None`, with a message, where it can't be had.
    pub fn shared() -> Option<&'static Spark> {
        static SHARED: OnceLock<Result<Spark, String>> = OnceLock::new();
        if !installed("setsid", "util-linux") {
            return None;
        }
        match SHARED.get_or_init(Self::start) {
            Ok(spark) => Some(spark),
            Err(missing) => {
                skip(missing);
                None
            }
        }
    }

    fn start() -> Result<Spark, String> {
        for (name, version_flag) in [("java", "-version"), ("mvn", "--version"), ("python3", "--version")] {
            if !runs(name, version_flag) {
                return Err(format!(
                    "Spark needs {name} (on Debian: apt-get install default-jre-headless maven python3-venv)"
                ));
            }
        }
        let environment = install("install-spark.sh", "spark")?;
        let libs = install("install-spark-kafka.sh", "spark-kafka")?;
        let jars: Vec<String> = fs::read_dir(&libs)
            .map_err(|e| format!("{}: {e}", libs.display()))?
            .map(|jar| jar.expect("a folder can be listed").path().display().to_string())
            .collect();
        let home = home(&environment)?;
        let package = python::package()?;
        Ok(Spark {
            cluster: Cluster::start(&home, &package),
            python: environment.join("bin/python"),
            jars: jars.join(","),
            home,
            busy: Mutex::default(),
        })
    }

    /// A Spark without a job, for as long as the guard is held.
    pub fn alone(&self) -> MutexGuard<'_, ()> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `spark-submit` of the job, on a topic, into the folder's archive.
    pub fn job(&'static self, folder: &Folder, kafka: &Kafka, topic: &Topic<'_>) -> Job {
        Job {
            spark: self,
            submit: program(folder, &self.home.join("bin/spark-submit")),
            settings: Vec::new(),
            python_path: vec![self.cluster.packages()],
            executor_python_path: None,
            arguments: words_of(kafka, topic)
                .into_iter()
                .chain(["--archive".to_owned(), folder.archive().display().to_string()])
                .collect(),
        }
    }

    /// The package as an archive that Spark can carry to executors: what a wheel is, under a name that Spark unpacks.
    pub fn package_zip(&self, folder: &Folder) -> PathBuf {
        let zip = folder.join("diurnal.zip");
        let made = Command::new(&self.python)
            .args(["-m", "zipfile", "-c"])
            .arg(&zip)
            .arg(self.cluster.packages().join("diurnal"))
            .status();
        assert!(made.is_ok_and(|status| status.success()), "{}", zip.display());
        zip
    }

    /// What the cluster's own processes have said.
    fn log(&self) -> String {
        let names = ["master.log", "worker-1.log", "worker-2.log"];
        let text = |name| fs::read_to_string(self.cluster.folder.join(name)).unwrap_or_default();
        names.into_iter().map(text).collect()
    }
}

/// Where pip put Spark.
fn home(environment: &Path) -> Result<PathBuf, String> {
    let output = Command::new(environment.join("bin/python"))
        .args(["-c", "import pyspark; print(pyspark.__path__[0])"])
        .output()
        .map_err(|e| format!("the environment's python cannot be run ({e})"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    match printed.trim() {
        "" => Err(format!("no pyspark: {}", String::from_utf8_lossy(&output.stderr))),
        home => Ok(PathBuf::from(home)),
    }
}

impl Cluster {
    fn start(home: &Path, package: &Path) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("diurnal-spark-")
            .tempdir()
            .expect("a temporary folder can be made")
            .keep();
        // Another process may take the port before the master does: its workers then find no master, and the wait below fails.
        let socket = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = socket.local_addr().expect("it is bound").port();
        drop(socket);
        let leash = Command::new("bash")
            .arg(root().join("tests/spark/cluster.sh"))
            .arg(&folder)
            .arg(home)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .spawn()
            .expect("bash can be run");
        let cluster = Self {
            folder,
            port,
            _leash: leash,
        };
        fs::create_dir(cluster.packages()).expect("a test can write into its folder");
        symlink(package, cluster.packages().join("diurnal")).expect("a test can write into its folder");
        wait_up_to(STARTED, "two workers of a Spark cluster", || {
            let log = fs::read_to_string(cluster.folder.join("master.log")).unwrap_or_default();
            (log.matches("Registering worker").count() == WORKERS).then_some(())
        });
        cluster
    }

    /// A folder that holds the package `diurnal` and nothing else, for `PYTHONPATH`.
    fn packages(&self) -> PathBuf {
        self.folder.join("packages")
    }
}

/// A `spark-submit` being put together.
pub struct Job {
    spark: &'static Spark,
    submit: Diurnal,
    settings: Vec<String>,
    python_path: Vec<PathBuf>,
    executor_python_path: Option<String>,
    arguments: Vec<String>,
}

impl Job {
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    pub fn args(self, arguments: &[&str]) -> Self {
        arguments.iter().fold(self, |job, argument| job.arg(argument))
    }

    /// A setting of Spark's.
    pub fn conf(mut self, name: &str, value: &str) -> Self {
        self.settings.extend(["--conf".to_owned(), format!("{name}={value}")]);
        self
    }

    /// The executors get the package from the driver, as on a cluster whose machines have nothing of ours.
    pub fn carries(mut self, package: &Path) -> Self {
        let unpacked = format!("{}#package", package.display());
        self.settings.extend(["--archives".to_owned(), unpacked]);
        self.executor_python_path = Some("package".to_owned());
        self
    }

    /// With the faults of `hooks/faults.py`, whose marks go to a folder of this name.
    pub fn faults(mut self, folder: &Folder, marks: &str, faults: &str) -> Self {
        let marks = folder.join(marks);
        fs::create_dir_all(&marks).expect("a test can write into its folder");
        let marks = marks.display().to_string();
        self.python_path.insert(0, root().join("tests/spark/hooks"));
        for (name, value) in [("SPARK_TEST_FAULTS", faults), ("SPARK_TEST_MARKS", &marks)] {
            self = self.env(name, value).conf(&format!("spark.executorEnv.{name}"), value);
        }
        self
    }

    /// A variable of the driver's environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.submit = self.submit.env(name, value);
        self
    }

    /// The driver kills itself (SIGKILL) at this step of the store.
    pub fn fail_at(mut self, failpoint: &str) -> Self {
        self.submit = self.submit.fail_at(failpoint);
        self
    }

    /// The driver waits at this step of the store.
    pub fn pause_at(mut self, step: &str) -> Self {
        self.submit = self.submit.pause_at(step);
        self
    }

    /// The whole command line, to be run like any other program of ours.
    pub fn submit(self) -> Diurnal {
        let Spark {
            python, jars, cluster, ..
        } = self.spark;
        let path = std::env::join_paths(&self.python_path).expect("no path of a test has a colon");
        let path = path.to_str().expect("a test's paths are UTF-8");
        let of_executors = self.executor_python_path.as_deref().unwrap_or(path);
        self.submit
            .env("PYSPARK_PYTHON", python)
            .env("PYTHONPATH", path)
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .args(["--master", &format!("spark://127.0.0.1:{}", cluster.port)])
            .args(["--jars", jars, "--driver-memory", HEAP, "--executor-memory", HEAP])
            .args(["--driver-java-options", SHORT_LIVED])
            .args(["--conf", &format!("spark.executor.extraJavaOptions={SHORT_LIVED}")])
            .args([
                "--conf",
                "spark.driver.host=127.0.0.1",
                "--conf",
                "spark.ui.enabled=false",
            ])
            .args(["--conf", &format!("spark.executorEnv.PYTHONPATH={of_executors}")])
            .args(self.settings)
            .arg(root().join("engines/spark/job.py"))
            .args(self.arguments)
    }
}

/// What a job that ran to its end printed: `spark-submit` puts Python's two streams together, the report is the last line.
pub fn report(ran: &Ran) -> Value {
    let last = ran.stdout.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {}", ran.stdout))
}

impl Spark {
    /// Runs a job that has to end with this code; gives its report.
    #[track_caller]
    pub fn run(&'static self, job: Job, code: i32) -> Value {
        let ran = job.arg("--json").submit().run();
        if ran.status.code() != Some(code) {
            eprintln!("--- the cluster\n{}", self.log());
        }
        println!("spark-submit took {:.0} s", ran.elapsed.as_secs_f64());
        let report = report(&ran.expect_code(code));
        assert_eq!(report["exit_code"], code, "the report's own exit code");
        report
    }
}
