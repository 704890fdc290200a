//! The Python package of this checkout, built as users get it but for the optimiser, and installed into an environment of its own.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::{install, root, runs, skip};

/// A Python that has the package; `None`, with a message, where it can't be had.
pub fn interpreter() -> Option<PathBuf> {
    match shared() {
        Ok(python) => Some(python.clone()),
        Err(missing) => {
            skip(missing);
            None
        }
    }
}

/// The folder of the package's modules, its extension among them; or what is missing.
pub fn package() -> Result<PathBuf, String> {
    let python = shared().as_ref().map_err(String::clone)?;
    let output = Command::new(python)
        .args(["-c", "import diurnal; print(diurnal.__path__[0])"])
        .output()
        .expect("the environment's python can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn shared() -> &'static Result<PathBuf, String> {
    static SHARED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    SHARED.get_or_init(installed)
}

fn installed() -> Result<PathBuf, String> {
    if !runs("python3", "--version") {
        return Err("the Python package needs python3 (on Debian: apt-get install python3-venv)".to_owned());
    }
    let bin = install("install-python.sh", "python")?.join("bin");
    let python = bin.join("python");
    let wheels = tempfile::tempdir().expect("a temporary folder can be made");
    // Its target folder is this one, where all but the extension itself is compiled already.
    let mut maturin = Command::new(bin.join("maturin"));
    // What Cargo tells a test of its package is not there when a person builds. Build scripts that ask for it (ring's, for `OUT_DIR` and all the
    // others) would run again, and all that stands on them be compiled again, here and by whoever builds next.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let of_package = ["OUT_DIR", "CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
        if of_package.iter().any(|start| name.starts_with(start)) {
            maturin.env_remove(&*name);
        }
    }
    let built = maturin
        .args(["build", "--profile", "dev", "--locked", "--compatibility", "linux"])
        .args(["--compression-method", "stored", "--interpreter"])
        .arg(&python)
        .arg("--out")
        .arg(wheels.path())
        .arg("--manifest-path")
        .arg(root().join("python/Cargo.toml"))
        .output()
        .expect("the environment's maturin can be run");
    // A package that can't be built is a failure, and nothing to be skipped.
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let wheel = wheels.path().read_dir().expect("maturin made it").next();
    let wheel = wheel.expect("it has a wheel").expect("it can be read").path();
    let install = ["-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall"];
    let done = Command::new(&python).args(install).arg(wheel).output();
    let done = done.expect("the environment's python can be run");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(python)
}
