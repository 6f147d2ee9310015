//! The command `strads`, as these sources make it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Where it is: what `STRADS_BINARY` names, or else built if it is not there in its newest form.
pub fn strads() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build).clone()
}

fn build() -> PathBuf {
    if let Some(given) = std::env::var_os("STRADS_BINARY") {
        return given.into();
    }
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "-p", "strads-apps", "--bin", "strads"]);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(built.unwrap().success(), "the command cannot be built");
    profile.join("strads")
}
