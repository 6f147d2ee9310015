//! Who does not know the secret does not get in: a node on a real network refuses strangers, another
//! secret, a conversation that was recorded, plain text with the right secret, and a frame of 2 GB
//! before any proof; it sets nothing aside for them, and works for whoever knows the secret as if
//! nothing had happened.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use strads_common::auth::{AuthError, Secret};
use strads_common::channel;
use strads_tests::binary::strads;
use strads_tests::hosts::Hosts;
use strads_tests::running::{Ended, PATIENCE, Running};

const NODE: &str = "10.77.0.11:7000";
/// Where somebody listens in, on another host.
const RELAY: &str = "10.77.0.12:7001";

/// A node on the first of two hosts, and data to work on.
struct Scene {
    hosts: Hosts,
    _node: Running,
}

impl Scene {
    fn new(options: &str) -> Option<Scene> {
        let hosts = Hosts::start(2)?;
        for words in [
            "node --new-secret secret",
            "node --new-secret other",
            "gen lasso --rows 60 --columns 40 --support 3 --seed 1 --out data.npz",
        ] {
            let mut command = Command::new(strads());
            command.args(words.split(' ')).current_dir(hosts.path(""));
            Running::start(command).end(PATIENCE).fine();
        }
        let mut command = hosts.on(1, strads());
        command.args(["node", "--listen", NODE, "--secret-file", "secret"]);
        command.args(options.split_whitespace());
        command.current_dir(hosts.path(""));
        let mut node = Running::start(command);
        node.until_it_says(&format!("{NODE} slots="));
        Some(Scene { hosts, _node: node })
    }

    /// A job of somebody at the front, with the node that listens at `address`.
    fn job(&self, address: &str, options: &str) -> Ended {
        let hostfile = self.hosts.write("hosts.txt", address);
        let train = format!("lasso data.npz --lambda-ratio 0.1 {options}");
        Running::start(self.hosts.strads(&train, &hostfile)).end(PATIENCE)
    }

    fn secret(&self) -> Secret {
        Secret::from_hexadecimal(&fs::read_to_string(self.hosts.path("secret")).unwrap()).unwrap()
    }

    /// What the node answers to these bytes before it ends the conversation.
    fn answer(&self, bytes: &[u8]) -> Vec<u8> {
        self.hosts.within(2, || {
            let mut stranger = stranger();
            // It may end it before it has heard all.
            let _ = stranger.write_all(bytes);
            let mut answer = Vec::new();
            let ended = stranger.read_to_end(&mut answer);
            let waits = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
            assert!(
                !ended.is_err_and(|error| waits(&error)),
                "it is still there"
            );
            answer
        })
    }

    /// The most memory that the node has ever had, in kB.
    fn memory(&self) -> u64 {
        let pid = self.hosts.processes_of(1, "node --listen")[0];
        let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"));
        let status = status.unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
        kilobytes.parse().unwrap()
    }
}

fn stranger() -> TcpStream {
    let stranger = TcpStream::connect(NODE).unwrap();
    stranger.set_read_timeout(Some(PATIENCE)).unwrap();
    stranger.set_write_timeout(Some(PATIENCE)).unwrap();
    stranger
}

/// Runs a conversation of futures, on the network of whoever calls this.
fn talk<T>(conversation: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(conversation)
}

#[test]
fn strangers_and_long_frames() {
    for options in ["", "--no-tls"] {
        let Some(scene) = Scene::new(options) else {
            return;
        };
        let before = scene.memory();
        let request = b"GET / HTTP/1.1\r\nHost: node01\r\nAccept: text/html, */*\r\n\r\n";
        assert_eq!(scene.answer(request), b"");
        // A header that announces 2 GB, of the version that is spoken, and as much as gets through.
        let mut frame = vec![0; 64 << 20];
        frame[..6].copy_from_slice(&[0, 0, 0, 0x80, 1, 1]);
        assert_eq!(scene.answer(&frame), b"");
        // The same as a record of TLS.
        frame[..5].copy_from_slice(&[0x16, 3, 3, 0xff, 0xff]);
        assert!(scene.answer(&frame).len() < 16, "an alert at most");
        let grown = scene.memory() - before;
        assert!(grown < 8 << 10, "the node has grown by {grown} kB");
        scene
            .job(NODE, &format!("--secret-file secret {options}"))
            .fine();
    }
}

#[test]
fn another_secret() {
    for options in ["", "--no-tls"] {
        let Some(scene) = Scene::new(options) else {
            return;
        };
        let refused = scene
            .job(NODE, &format!("--secret-file other {options}"))
            .fails(3);
        assert!(refused.stderr.contains("secret"), "{refused:?}");
        scene
            .job(NODE, &format!("--secret-file secret {options}"))
            .fine();
    }
}

/// The right secret, in plain text on a link that has to be sealed: not even the first answer comes.
#[test]
fn a_downgrade_to_plain_text() {
    let Some(scene) = Scene::new("") else { return };
    let secret = scene.secret();
    let refused = scene.hosts.within(2, || {
        talk(async {
            let mut stream = tokio::net::TcpStream::connect(NODE).await.unwrap();
            secret.call(&mut stream).await
        })
    });
    assert!(matches!(refused, Err(AuthError::Io(_))), "{refused:?}");
    let refused = scene.job(NODE, "--secret-file secret --no-tls").fails(3);
    assert!(refused.stderr.contains("--no-tls"), "{refused:?}");
    // Nor is a caller talked down by a listener.
    let refused = scene.hosts.within(2, || {
        let listener = TcpListener::bind(RELAY).unwrap();
        let talked_down = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut hello = [0; 1];
            stream.read_exact(&mut hello).unwrap();
            stream.write_all(&[b'A'; 64]).unwrap();
            hello[0]
        });
        let refused = scene.hosts.within(1, || {
            talk(async {
                let stream = tokio::net::TcpStream::connect(RELAY).await.unwrap();
                channel::call(stream, &secret).await.map(drop)
            })
        });
        assert_eq!(talked_down.join().unwrap(), 0x16, "a greeting of TLS");
        refused
    });
    assert!(matches!(refused, Err(AuthError::Tls(_))), "{refused:?}");
    scene.job(NODE, "--secret-file secret").fine();
}

/// Somebody between launcher and node records all that is said, and says it again.
#[test]
fn a_recorded_conversation() {
    for (options, most) in [("", usize::MAX), ("--no-tls", 64)] {
        let Some(scene) = Scene::new(options) else {
            return;
        };
        let recorded = scene.hosts.within(2, || {
            let listener = TcpListener::bind(RELAY).unwrap();
            let relay = thread::spawn(move || {
                let (near, _) = listener.accept().unwrap();
                let far = TcpStream::connect(NODE).unwrap();
                let back = (far.try_clone().unwrap(), near.try_clone().unwrap());
                let answers = thread::spawn(move || pass(back.0, back.1));
                let recorded = pass(near, far);
                answers.join().unwrap();
                recorded
            });
            let job = scene.job(RELAY, &format!("--secret-file secret {options}"));
            job.fine();
            relay.join().unwrap()
        });
        assert!(recorded.len() > 1000);
        let answer = scene.answer(&recorded);
        assert!(answer.len() <= most, "{} bytes", answer.len());
        // If it had been taken for the coordinator, the node would work for another job now.
        scene
            .job(NODE, &format!("--secret-file secret {options}"))
            .fine();
    }
}

/// Passes on what comes until it ends; all of it.
fn pass(mut from: TcpStream, mut to: TcpStream) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), [0; 1 << 14]);
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        all.extend_from_slice(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
    all
}
