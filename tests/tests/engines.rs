//! Under an existing engine `strads node` finds its rank and its peers by itself: Open MPI and Slurm as
//! they come, over two hosts, and the environment of a Kubernetes indexed job.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use strads_tests::binary::strads;
use strads_tests::hosts::{ENDINGS, Hosts, has};
use strads_tests::running::{Ended, PATIENCE, Running, until};

/// What each process runs: a check, which needs all of them and every link between them.
const CHECK: [&str; 6] = ["--workers", "1", "--", "cluster", "check", "--json"];

/// Where the processes listen; asserts that all is well.
fn addresses(ended: Ended) -> Vec<String> {
    let ended = ended.fine();
    let events = ended.stdout.lines().filter(|line| line.starts_with('{'));
    let events: Vec<Value> = events
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let hosts = events.iter().filter(|event| event["event"] == "host");
    let address = |host: &Value| host["address"].as_str().unwrap().to_owned();
    let addresses: Vec<String> = hosts.map(address).collect();
    let links = addresses.len() * addresses.len();
    let pairs = events.iter().filter(|event| event["event"] == "pair");
    assert_eq!(pairs.count(), links, "{}", ended.stdout);
    addresses
}

#[test]
fn open_mpi_over_two_hosts() {
    if !has("mpirun", "openmpi-bin") {
        return;
    }
    let Some(hosts) = Hosts::start(2) else { return };
    let mut mpirun = hosts.in_front("mpirun");
    mpirun.env("TMPDIR", hosts.path(""));
    mpirun.args([
        "--allow-run-as-root",
        "--host",
        "node01:2,node02:2",
        "-np",
        "4",
    ]);
    mpirun.args(["--mca", "plm_rsh_agent", &hosts.ssh()]);
    mpirun.arg(strads()).arg("node");
    mpirun.arg("--meet-in").arg(meeting(&hosts)).args(CHECK);
    let listening = addresses(Running::start(mpirun).end(PATIENCE));
    let on = |start: &str| {
        listening
            .iter()
            .filter(|one| one.starts_with(start))
            .count()
    };
    assert_eq!(
        (on("10.77.0.11:"), on("10.77.0.12:")),
        (2, 2),
        "{listening:?}"
    );
    hosts.nothing_is_left();
    assert_eq!(notices(&hosts), 0);
}

/// A directory that all hosts see, and nobody else.
fn meeting(hosts: &Hosts) -> PathBuf {
    let meet = hosts.path("meet");
    let private = fs::DirBuilder::new().mode(0o700).create(&meet);
    private.unwrap();
    meet
}

/// What is left of meetings.
fn notices(hosts: &Hosts) -> usize {
    fs::read_dir(hosts.path("meet")).unwrap().count()
}

#[test]
fn slurm_over_two_hosts() {
    if !["slurmctld", "slurmd", "srun"]
        .iter()
        .all(|one| has(one, "slurm-wlm"))
    {
        return;
    }
    let Some(hosts) = Hosts::start(2) else { return };
    let slurm = Slurm::start(&hosts);
    let mut srun = slurm.command(&hosts, "srun");
    srun.args(["-N", "2", "-n", "3", "--overcommit"]);
    srun.arg(strads()).arg("node");
    srun.arg("--meet-in").arg(meeting(&hosts)).args(CHECK);
    let listening = addresses(Running::start(srun).end(PATIENCE));
    let on = |start: &str| {
        listening
            .iter()
            .filter(|one| one.starts_with(start))
            .count()
    };
    assert_eq!(on("10.77.0.11:") + on("10.77.0.12:"), 3, "{listening:?}");
    assert!(on("10.77.0.12:") >= 1, "{listening:?}");
    assert_eq!(notices(&hosts), 0);
    drop(slurm);
    hosts.nothing_is_left();
}

/// Slurm's daemons, for as long as a test needs them.
struct Slurm(Vec<Child>);

impl Slurm {
    fn start(hosts: &Hosts) -> Slurm {
        let place = hosts.path("");
        let place = place.display();
        let name = rustix::system::uname();
        let name = name.nodename().to_string_lossy();
        let mut config = format!(
            "ClusterName=test\nSlurmctldHost={name}(10.77.0.1)\nAuthType=auth/none\n\
             CredType=cred/none\nSlurmUser=root\nSlurmdUser=root\n\
             StateSaveLocation={place}/state\nSlurmdSpoolDir={place}/spool-%n\n\
             SlurmctldPidFile={place}/ctld.pid\nSlurmdPidFile={place}/slurmd-%n.pid\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nMpiDefault=none\n\
             SlurmdParameters=config_overrides\nReturnToService=2\nKillWait=2\n\
             PartitionName=all Nodes=ALL Default=YES State=UP\n"
        );
        for host in 1..=2 {
            let address = hosts.address(host);
            config += &format!(
                "NodeName=node{host:02} NodeAddr={address} NodeHostname=node{host:02} CPUs=4 \
                 RealMemory=500\n"
            );
        }
        hosts.write("slurm.conf", &config);
        fs::create_dir_all(hosts.path("state")).unwrap();
        let mut daemons = Slurm(Vec::new());
        let mut control = hosts.in_front("slurmctld");
        daemons.add(&mut control, hosts);
        for host in 1..=2 {
            let mut slurmd = hosts.on(host, "slurmd");
            slurmd.args(["-N", &format!("node{host:02}")]);
            daemons.add(&mut slurmd, hosts);
        }
        until("two idle nodes", PATIENCE, || {
            let mut sinfo = daemons.command(hosts, "sinfo");
            let idle = sinfo.args(["-h", "-N", "-o", "%T"]).output().unwrap();
            String::from_utf8_lossy(&idle.stdout)
                .matches("idle")
                .count()
                == 2
        });
        daemons
    }

    fn add(&mut self, daemon: &mut Command, hosts: &Hosts) {
        daemon.arg("-D").env("SLURM_CONF", hosts.path("slurm.conf"));
        daemon
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.0.push(daemon.spawn().unwrap());
    }

    fn command(&self, hosts: &Hosts, program: &str) -> Command {
        let mut command = hosts.in_front(program);
        command.env("SLURM_CONF", hosts.path("slurm.conf"));
        command
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        for daemon in &mut self.0 {
            let pid = rustix::process::Pid::from_child(daemon);
            // One that has ended is waited for all the same.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            let _ = daemon.wait();
        }
    }
}

/// A pod's environment: its index, and what the manifest in `docs/src/cluster.md` adds.
#[test]
fn a_kubernetes_indexed_job() {
    let Some(hosts) = Hosts::start(3) else { return };
    let secret = hosts.path("secret");
    let mut create = Command::new(strads());
    create.args(["node", "--new-secret"]).arg(&secret);
    assert!(create.status().unwrap().success());
    let pod = |index: usize| {
        let mut pod = hosts.on(index + 1, strads());
        pod.env("JOB_COMPLETION_INDEX", index.to_string());
        pod.env("STRADS_NODES", "3");
        pod.args(["node", "--meet", "10.77.0.11:7070", "--secret-file"]);
        pod.arg(&secret).args(CHECK);
        pod
    };
    // Pods start in any order: the last one first.
    let others = [2, 1].map(|index| Running::start(pod(index)));
    let first = Running::start(pod(0));
    let listening = addresses(first.end(PATIENCE));
    assert_eq!(listening.len(), 3);
    for (at, address) in listening.iter().enumerate() {
        let own = format!("10.77.0.{}:", 11 + at);
        assert!(address.starts_with(&own), "{listening:?}");
    }
    for other in others {
        other.end(ENDINGS).fine();
    }
    hosts.nothing_is_left();
}
