//! A real S3-compatible server of a test's own: Versity's gateway, whose objects are files of a folder.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::folder::Folder;
use super::run::{Diurnal, diurnal};
use super::{install, root, skip, wait_for};

/// Who the test is; nobody else has a key.
const ACCESS: &str = "a-test";
/// What no output may ever contain.
pub const SECRET: &str = "tests-own-secret-key";
/// The one bucket.
pub const BUCKET: &str = "metrics";

/// A running server.
pub struct Server {
    child: Child,
    /// Its folder; not the test's own, where archives are looked for.
    data: TempDir,
    port: u16,
}

impl Server {
    /// Starts one; `None`, with a message, where it can't be had.
    pub fn start() -> Option<Self> {
        static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let build = || Ok(install("install-versitygw.sh", "versitygw")?.join("versitygw"));
        let binary = match BINARY.get_or_init(build) {
            Ok(binary) => binary,
            Err(missing) => {
                skip(missing);
                return None;
            }
        };
        let data = tempfile::Builder::new()
            .prefix("diurnal-s3-")
            .tempdir()
            .expect("a folder");
        for folder in ["buckets", "about"] {
            std::fs::create_dir(data.path().join(folder)).expect("a folder");
        }
        std::fs::create_dir(data.path().join("buckets").join(BUCKET)).expect("a folder");
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|socket| socket.local_addr())
            .expect("a free port")
            .port();
        let mut child = Command::new(binary)
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
            .arg(data.path().join("buckets"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server was built and can be run");
        wait_for("the S3 server", || {
            let ended = child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "the S3 server ended: {ended:?}");
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Some(Self { child, data, port })
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The environment of those who may use it.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ACCESS_KEY_ID", ACCESS.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
        ]
    }

    /// `diurnal SUBCOMMAND` on the archive `s3://metrics/PREFIX`.
    pub fn diurnal(&self, folder: &Folder, subcommand: &str, prefix: &str) -> Diurnal {
        let run = diurnal(folder, subcommand).args(["--archive", &url(prefix)]);
        self.allow(run)
    }

    /// The same run, which may use the server.
    pub fn allow(&self, run: Diurnal) -> Diurnal {
        let environment = self.environment();
        environment
            .into_iter()
            .fold(run, |run, (name, value)| run.env(name, value))
    }

    /// Where the objects below a prefix are, as files.
    pub fn files(&self, prefix: &str) -> PathBuf {
        self.data.path().join("buckets").join(BUCKET).join(prefix)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `s3://metrics/PREFIX`.
pub fn url(prefix: &str) -> String {
    format!("s3://{BUCKET}/{prefix}")
}

/// Runs a Python script of `tests/support` with readers of buckets; `None`, with a message, where they can't be had.
pub fn read(server: &Server, folder: &Path, script: &str, arguments: &[&str]) -> Option<Output> {
    static READERS: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let python = match READERS.get_or_init(|| Ok(install("install-bucket-readers.sh", "buckets")?.join("bin/python"))) {
        Ok(python) => python,
        Err(missing) => {
            skip(missing);
            return None;
        }
    };
    let output = Command::new(python)
        .arg(root().join("tests/support").join(script))
        .args(arguments)
        .envs(server.environment())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output();
    Some(output.expect("the environment's python can be run"))
}
