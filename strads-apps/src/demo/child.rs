//! Running this program's own commands and following their JSON events.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::Failure;

/// Runs `strads command` in `directory`, shows each event to `watch`, and returns all events.
/// Where the command fails, this fails with its message.
pub fn follow(
    command: &str,
    directory: &Path,
    mut watch: impl FnMut(&Value),
) -> Result<Vec<Value>, Failure> {
    let cannot = |error: std::io::Error| Failure::world(format!("strads {command}: {error}"));
    let program = std::env::current_exe().map_err(cannot)?;
    let mut child = Command::new(program)
        .args(command.split(' '))
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot)?;
    let stdout = child.stdout.take().expect("standard output is piped");
    let mut stderr = child.stderr.take().expect("standard error is piped");
    // A child that has much to say on one pipe must not wait for the other to be read.
    let complaints = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).map(|_| text)
    });
    let mut events = Vec::new();
    for line in BufReader::new(stdout).lines() {
        if let Ok(event) = serde_json::from_str(&line.map_err(cannot)?) {
            watch(&event);
            events.push(event);
        }
    }
    let status = child.wait().map_err(cannot)?;
    if status.success() {
        return Ok(events);
    }
    let said = complaints
        .join()
        .ok()
        .and_then(Result::ok)
        .unwrap_or_default();
    let message = said.trim();
    Err(Failure::world(format!(
        "strads {command}: {}",
        message.strip_prefix("strads: ").unwrap_or(message)
    )))
}
