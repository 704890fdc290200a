//! Real servers of buckets, of a test's own: Versity's gateway with S3's protocol, whose objects are files of a folder, and Microsoft's
//! Azurite with Azure's, in memory.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tempfile::TempDir;

use super::folder::Folder;
use super::run::{Diurnal, diurnal};
use super::{install, long, root, skip, wait_for};

/// Who the test is; nobody else has a key.
const ACCESS: &str = "tester";
/// What no output may ever contain.
pub const SECRET: &str = "tests-own-secret-key";
/// The one bucket.
pub const BUCKET: &str = "metrics";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Protocol {
    S3,
    Azure,
}

/// A running server.
pub struct Server {
    protocol: Protocol,
    child: Child,
    /// Its folder, and what is fetched from it; not the test's own, where archives are looked for.
    data: TempDir,
    port: u16,
}

impl Server {
    /// Starts one that speaks S3's protocol; `None`, with a message, where it can't be had.
    pub fn start() -> Option<Self> {
        static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let build = || Ok(install("install-versitygw.sh", "versitygw")?.join("versitygw"));
        let binary = or_skip(BINARY.get_or_init(build))?;
        let (data, port) = place();
        for folder in ["buckets", "about"] {
            std::fs::create_dir(data.path().join(folder)).expect("a folder");
        }
        std::fs::create_dir(data.path().join("buckets").join(BUCKET)).expect("a folder");
        let mut command = Command::new(binary);
        command
            .args([
                "--port",
                &format!("127.0.0.1:{port}"),
                "--access",
                ACCESS,
                "--secret",
                SECRET,
                "--quiet",
            ])
            // Not every file system has extended attributes.
            .arg("posix")
            .arg("--sidecar")
            .arg(data.path().join("about"))
            .arg(data.path().join("buckets"));
        Some(Self::of(Protocol::S3, command, data, port))
    }

    /// Starts one that speaks Azure's; `None` as well without `DIURNAL_TEST_LONG=1`: fetching it takes minutes.
    pub fn azure() -> Option<Self> {
        if !long() {
            return None;
        }
        static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let folder = or_skip(FOLDER.get_or_init(|| install("install-azurite.sh", "azurite")))?;
        let (data, port) = place();
        let mut command = Command::new("node");
        command
            .arg(folder.join("node_modules/azurite/dist/src/blob/main.js"))
            .args(["--silent", "--inMemoryPersistence", "--disableTelemetry"])
            // The crate may ask for a version of the protocol that is newer than the server.
            .arg("--skipApiVersionCheck")
            .args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()])
            .env("AZURITE_ACCOUNTS", format!("{ACCESS}:{}", BASE64.encode(SECRET)))
            .current_dir(data.path());
        let server = Self::of(Protocol::Azure, command, data, port);
        server.blobs(&["make", BUCKET])?;
        Some(server)
    }

    fn of(protocol: Protocol, mut command: Command, data: TempDir, port: u16) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server was installed and can be run");
        wait_for("the server of buckets", || {
            let ended = child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "the server of buckets ended: {ended:?}");
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self {
            protocol,
            child,
            data,
            port,
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The environment of those who may use it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        match self.protocol {
            Protocol::S3 => vec![
                ("AWS_ACCESS_KEY_ID", ACCESS.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
                ("AWS_REGION", "us-east-1".to_owned()),
                ("AWS_ENDPOINT_URL", self.endpoint()),
                ("AWS_ALLOW_HTTP", "true".to_owned()),
            ],
            Protocol::Azure => vec![
                ("AZURE_STORAGE_ACCOUNT_NAME", ACCESS.to_owned()),
                ("AZURE_STORAGE_ACCOUNT_KEY", BASE64.encode(SECRET)),
                ("AZURE_STORAGE_ENDPOINT", format!("{}/{ACCESS}", self.endpoint())),
                ("AZURE_ALLOW_HTTP", "true".to_owned()),
            ],
        }
    }

    /// The address of what is below a prefix: `s3://metrics/PREFIX`.
    pub fn url(&self, prefix: &str) -> String {
        let scheme = match self.protocol {
            Protocol::S3 => "s3",
            Protocol::Azure => "az",
        };
        format!("{scheme}://{BUCKET}/{prefix}")
    }

    /// `diurnal SUBCOMMAND` on the archive at [`Server::url`].
    pub fn diurnal(&self, folder: &Folder, subcommand: &str, prefix: &str) -> Diurnal {
        let run = diurnal(folder, subcommand).args(["--archive", &self.url(prefix)]);
        self.allow(run)
    }

    /// The same run, which may use the server.
    pub fn allow(&self, run: Diurnal) -> Diurnal {
        let environment = self.environment();
        environment
            .into_iter()
            .fold(run, |run, (name, value)| run.env(name, value))
    }

    /// Where the objects below a prefix are, as files; as they are now.
    pub fn files(&self, prefix: &str) -> PathBuf {
        match self.protocol {
            Protocol::S3 => self.data.path().join("buckets").join(BUCKET).join(prefix),
            Protocol::Azure => {
                static SERIAL: AtomicU32 = AtomicU32::new(1);
                let folder = self
                    .data
                    .path()
                    .join(SERIAL.fetch_add(1, Ordering::Relaxed).to_string());
                let into = folder.to_str().expect("a path of letters");
                self.blobs(&["fetch", BUCKET, prefix, into])
                    .expect("it was there before");
                folder.join(prefix)
            }
        }
    }

    /// Has Azure's own client do something; `None`, with a message, where it can't be had.
    fn blobs(&self, arguments: &[&str]) -> Option<()> {
        static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let python =
            or_skip(PYTHON.get_or_init(|| Ok(install("install-azure-client.sh", "azure")?.join("bin/python"))))?;
        let output = run_script(self, python, self.data.path(), "azure_blobs.py", arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder for a server, and a port that is free.
fn place() -> (TempDir, u16) {
    let data = tempfile::Builder::new().prefix("diurnal-objects-").tempdir();
    let socket = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = socket.local_addr().expect("it is bound").port();
    (data.expect("a folder"), port)
}

fn or_skip(installed: &Result<PathBuf, String>) -> Option<&PathBuf> {
    installed.as_ref().map_err(|missing| skip(missing)).ok()
}

/// Runs a Python script of `tests/support` with readers of buckets; `None`, with a message, where they can't be had.
pub fn read(server: &Server, folder: &Path, script: &str, arguments: &[&str]) -> Option<Output> {
    static READERS: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let readers = || Ok(install("install-bucket-readers.sh", "buckets")?.join("bin/python"));
    let python = or_skip(READERS.get_or_init(readers))?;
    Some(run_script(server, python, folder, script, arguments))
}

fn run_script(server: &Server, python: &Path, folder: &Path, script: &str, arguments: &[&str]) -> Output {
    let output = Command::new(python)
        .arg(root().join("tests/support").join(script))
        .args(arguments)
        .envs(server.environment())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output();
    output.expect("the environment's python can be run")
}
