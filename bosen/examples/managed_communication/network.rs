//! Namespaces with narrow links between them, for as long as a value lives.

use crate::Outcome;
use std::process::{Command, Stdio};

/// A server's namespace, and one for each worker, linked to it alone.
pub struct Network {
    name: String,
    workers: u32,
}

/// Whether this process may make namespaces.
pub fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

impl Network {
    /// Links of `mbit` Mbit/s in each direction between a server and `workers` workers.
    pub fn new(workers: u32, mbit: f64) -> Outcome<Network> {
        let name = format!("strads{}", std::process::id());
        let network = Network { name, workers };
        let server = network.server();
        ip(&["netns", "add", &server])?;
        ip(&["-n", &server, "link", "set", "lo", "up"])?;
        for worker in 0..workers {
            network.link(worker, mbit)?;
        }
        Ok(network)
    }

    fn link(&self, worker: u32, mbit: f64) -> Outcome<()> {
        let (server, space) = (self.server(), self.worker(worker));
        let (near, far) = (interface(worker), "up0".to_owned());
        ip(&["netns", "add", &space])?;
        ip(&[
            "link", "add", &near, "netns", &server, "type", "veth", "peer", "name", &far, "netns",
            &space,
        ])?;
        for (space, device, address) in [
            (&server, &near, address_of_server(worker)),
            (&space, &far, format!("10.77.{worker}.2")),
        ] {
            let address = format!("{address}/24");
            ip(&["-n", space, "address", "add", &address, "dev", device])?;
            ip(&["-n", space, "link", "set", device, "up"])?;
            let rate = format!("{}kbit", (mbit * 1000.0) as u64);
            let tbf = ["tbf", "rate", &rate, "burst", "16kb", "latency", "200ms"];
            let on = ["-n", space, "qdisc", "add", "dev", device, "root"];
            command("tc", &[&on[..], &tbf[..]].concat())?;
        }
        Ok(())
    }

    /// The server's namespace.
    pub fn server(&self) -> String {
        format!("{}-s", self.name)
    }

    /// A worker's namespace.
    pub fn worker(&self, worker: u32) -> String {
        format!("{}-{worker}", self.name)
    }

    /// This program, in a namespace.
    pub fn here(&self, space: &str) -> Outcome<Command> {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", space])
            .arg(std::env::current_exe()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        Ok(command)
    }
}

/// The server's end of the link to a worker.
pub fn interface(worker: u32) -> String {
    format!("w{worker}")
}

/// Where a worker finds the server.
pub fn address_of_server(worker: u32) -> String {
    format!("10.77.{worker}.1")
}

impl Drop for Network {
    fn drop(&mut self) {
        // Links go with their namespaces.
        let workers = (0..self.workers).map(|worker| self.worker(worker));
        for space in workers.chain([self.server()]) {
            let _ = ip(&["netns", "delete", &space]);
        }
    }
}

fn ip(args: &[&str]) -> Outcome<()> {
    command("ip", args)
}

fn command(program: &str, args: &[&str]) -> Outcome<()> {
    let output = Command::new(program).args(args).output()?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("{program} {}: {}", args.join(" "), said.trim()).into())
        }
    }
}
