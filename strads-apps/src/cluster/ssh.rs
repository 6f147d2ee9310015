//! How a node comes about on a host: the commands that are run for it.
//!
//! It is the system's OpenSSH client that connects, so the user's configuration, keys and known
//! hosts count, and a host key that is not known is refused as ever. Nothing asks questions: a job has no
//! one to answer. The program is kept on the host under its digest, in the user's cache; the job's
//! secret is in no command, it follows on standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};
use strads_common::hostfile::Host;

/// This program, as it is copied to hosts.
#[derive(Clone, Debug)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// How long it is.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub digest: String,
}

impl Program {
    /// The program that runs now.
    pub fn own() -> io::Result<Program> {
        // The file may have been replaced since; what runs is still to be had here.
        let running = Path::new("/proc/self/exe");
        let path = if running.exists() {
            running.to_owned()
        } else {
            std::env::current_exe()?
        };
        let mut file = File::open(&path)?;
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            digest.update(&buffer[..read]);
            bytes += read as u64;
        }
        let digest = digest.finalize();
        Ok(Program {
            path,
            bytes,
            digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }
}

/// What runs on a host.
#[derive(Clone, Debug)]
pub enum Brought {
    /// This program, which is copied if it is not there.
    Copy(Program),
    /// A program that is there, by its name or path.
    There(String),
}

/// A node on this host.
pub fn local() -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["node", "--launched"]);
    Ok(command)
}

/// A node on `host`; `ssh` is the client and its options, separated by blanks.
pub fn remote(ssh: &str, host: &Host, brought: &Brought) -> Command {
    let mut words = ssh.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("ssh"));
    command.args(words);
    // No terminal, no agent, no windows; no questions; an own connection or one that exists already.
    command.args(["-T", "-a", "-x"]);
    for option in [
        "BatchMode=yes",
        "ControlMaster=no",
        "ConnectTimeout=10",
        // A client that has lost its host ends by itself, also if its launcher has been killed; a
        // launcher that lives notices first, and says what happened.
        "ServerAliveInterval=2",
        "ServerAliveCountMax=3",
    ] {
        command.args(["-o", option]);
    }
    command.args(["--", &host.destination(), &script(brought)]);
    command
}

/// What the host's shell runs: any shell, as all it has to do is to start another one.
fn script(brought: &Brought) -> String {
    let (fetch, program) = match brought {
        Brought::There(path) => (String::new(), quoted(path)),
        Brought::Copy(program) => (fetch(program), "\"$f\"".to_owned()),
    };
    let script = format!(
        r#"umask 077; printf "{{\"system\":\"%s\"}}\n" "$(uname -sm)"; {fetch}printf "\"run\"\n"; exec {program} node --launched"#
    );
    format!("exec /bin/sh -c '{script}'")
}

/// Makes the file `$f` be the program; takes it from standard input if it is not.
fn fetch(program: &Program) -> String {
    let Program { bytes, digest, .. } = program;
    format!(
        r#"d="${{XDG_CACHE_HOME:-$HOME/.cache}}/strads"; f="$d/strads-{digest}"; h() {{ (sha256sum "$1" || shasum -a 256 "$1") 2>/dev/null | cut -c 1-64; }}; if [ "$(h "$f")" = {digest} ]; then touch "$f"; else mkdir -p "$d" || exit 73; t="$d/.partial-$$"; trap "rm -f \"$t\"" EXIT; trap "exit 74" HUP INT TERM; printf "\"send\"\n"; if head -c {bytes} >"$t" && [ "$(h "$t")" = {digest} ] && chmod 700 "$t" && mv -f "$t" "$f"; then find "$d" -name "strads-*" -mtime +30 -exec rm -f {{}} + ; else echo "the program did not arrive whole in $d" >&2; exit 74; fi; fi; "#
    )
}

/// `path` between double quotes, within single ones.
fn quoted(path: &str) -> String {
    let mut quoted = String::from("\"");
    for c in path.chars() {
        match c {
            '"' | '$' | '`' | '\\' => quoted.extend(['\\', c]),
            // Out of the single quotes, one that is escaped, and in again.
            '\'' => quoted.push_str(r"'\''"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// What a person can do about a host that did not start a node, given what was said about it.
pub fn advice(host: &Host, brought: Option<&Brought>, said: &str) -> String {
    let destination = host.destination();
    let knows = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if knows(&["Permission denied (", "Too many authentication failures"]) {
        format!("Let this machine in without a password: ssh-copy-id {destination}")
    } else if knows(&["Host key verification failed", "IDENTIFICATION HAS CHANGED"]) {
        format!("Look at the host's key and accept it once: ssh {destination} true")
    } else if knows(&["Could not resolve", "Name or service not known"]) {
        "Write a name that this machine can resolve, or an address, into the hostfile.".to_owned()
    } else if knows(&["Connection refused"]) {
        format!("Is an ssh server running there? Try: ssh {destination} true")
    } else if knows(&["timed out", "No route to host", "Network is unreachable"]) {
        format!("Is the host up, and no firewall between? Try: ssh {destination} true")
    } else if knows(&["No space left", "did not arrive whole", "Disk quota"]) {
        format!(
            "Make room in ~/.cache there: ssh {destination} df -h .cache; or see --node-program"
        )
    } else if let (Some(Brought::There(path)), true) =
        (brought, knows(&["not found", "No such file"]))
    {
        format!(
            "Put strads there, or leave --node-program out: then it is copied. Try: ssh {destination} ls {path}"
        )
    } else if knows(&["Exec format error", "cannot execute", "GLIBC", "not found"]) {
        format!(
            "This program does not run there. Build strads on {} and give --node-program PATH",
            host.name
        )
    } else {
        format!("See what it says by hand: ssh {destination} true")
    }
}

/// A command whose three streams are pipes, in a process group of its own: Ctrl-C is for the launcher.
pub fn piped(mut command: Command) -> Command {
    use std::os::unix::process::CommandExt;
    command
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[cfg(test)]
mod tests {
    //! The script works in a shell: it asks for the program once, keeps it, and runs it with what
    //! follows on standard input; quotes in a path stay quotes.
    use super::*;
    use std::io::Write;
    use std::process::Output;

    fn program(place: &Path, text: &str) -> Program {
        let path = place.join("program");
        std::fs::write(&path, text).unwrap();
        let digest = Sha256::digest(text);
        Program {
            path,
            bytes: text.len() as u64,
            digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    fn run(cache: &Path, script: &str, input: &str) -> Output {
        let mut shell = piped(Command::new("sh"));
        shell.args(["-c", script]).env("XDG_CACHE_HOME", cache);
        let mut child = shell.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A program that does not read its input ends it early.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    #[test]
    fn the_program_is_sent_once_and_kept() {
        let place = tempfile::tempdir().unwrap();
        let text = "#!/bin/sh\necho \"$@\"\ncat\n";
        let program = program(place.path(), text);
        let script = script(&Brought::Copy(program));
        let first = run(place.path(), &script, &format!("{text}secret\n"));
        let said = String::from_utf8(first.stdout).unwrap();
        assert!(
            said.contains("{\"system\":\"") && said.contains("\"send\"\n\"run\"\n"),
            "{said}"
        );
        assert!(said.ends_with("node --launched\nsecret\n"), "{said}");
        let again = run(place.path(), &script, "secret\n");
        let said = String::from_utf8(again.stdout).unwrap();
        assert!(
            !said.contains("send") && said.ends_with("secret\n"),
            "{said}"
        );
        assert!(!script.contains("secret"));
    }

    #[test]
    fn a_program_that_does_not_arrive_whole_is_not_run_and_not_kept() {
        let place = tempfile::tempdir().unwrap();
        let text = "#!/bin/sh\necho ran\n";
        let script = script(&Brought::Copy(program(place.path(), text)));
        for input in [&text[..5], &text.replace("ran", "bad")] {
            let output = run(place.path(), &script, input);
            assert_eq!(output.status.code(), Some(74));
            assert!(!String::from_utf8(output.stdout).unwrap().contains("run"));
        }
        let kept = std::fs::read_dir(place.path().join("strads")).unwrap();
        assert_eq!(kept.count(), 0);
    }

    #[test]
    fn quotes_in_a_path_stay_quotes() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("it's a \"$HOME\" `one`");
        std::fs::write(&path, "#!/bin/sh\necho ran\n").unwrap();
        let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o700);
        std::fs::set_permissions(&path, mode).unwrap();
        let script = script(&Brought::There(path.to_str().unwrap().to_owned()));
        let output = run(place.path(), &script, "");
        assert!(String::from_utf8(output.stdout).unwrap().ends_with("ran\n"));
    }
}
