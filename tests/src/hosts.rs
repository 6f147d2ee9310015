//! Several hosts on one machine: network namespaces with addresses of their own and an ssh server each.
//!
//! ```text
//!   front 10.77.0.1 ──┐
//!   node01 10.77.0.11 ┤
//!   node02 10.77.0.12 ┼── a bridge in a namespace of its own
//!   …                 ┘
//! ```
//!
//! The command runs at the front and reaches `node01`… by ssh, through a configuration, keys and
//! known hosts that belong to the test. Each host has a cache directory and an environment; files and
//! processes are otherwise the machine's, so a process that is left behind is seen from here by its
//! namespace. All of it is gone when [`Hosts`] is dropped.
//!
//! This takes root, iproute2 and an ssh server. Where one of them is missing a test is skipped and
//! says so; with `STRADS_CI` set, as `.ci/run` does, that is a failure.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

use crate::binary::strads;
use crate::running::{PATIENCE, POLL, until};

const SSHD: &str = "/usr/sbin/sshd";
/// What every promise about endings says: nothing is left after this time.
pub const ENDINGS: Duration = Duration::from_secs(10);

/// Hosts for a test. One test at a time has them.
pub struct Hosts {
    place: TempDir,
    prefix: String,
    count: usize,
    sshds: Vec<Child>,
    disks: Vec<PathBuf>,
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::new(());

impl Hosts {
    /// So many hosts; none, with a remark, where that cannot be.
    pub fn start(count: usize) -> Option<Hosts> {
        let alone = ALONE.lock().unwrap_or_else(|poison| poison.into_inner());
        if let Some(missing) = missing() {
            skip(missing);
            return None;
        }
        remove_stale();
        let mut hosts = Hosts {
            place: tempfile::tempdir().unwrap(),
            prefix: format!("strads{}", std::process::id()),
            count,
            sshds: Vec::new(),
            disks: Vec::new(),
            _alone: alone,
        };
        hosts.connect();
        hosts.let_in();
        Some(hosts)
    }

    /// A file of the test's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Writes a file of the test's.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A hostfile of all hosts, with these words after each name.
    pub fn hostfile(&self, words: &str) -> PathBuf {
        let line = |host| format!("{} {words}\n", name(host));
        let text: String = (1..=self.count).map(line).collect();
        self.write("hosts.txt", &text)
    }

    /// The ssh client with the test's configuration, for `--ssh`.
    pub fn ssh(&self) -> String {
        format!("ssh -F {}", self.path("ssh_config").display())
    }

    /// `strads` at the front, with arguments that are separated by blanks, and the options that
    /// reach the hosts of `hostfile`.
    pub fn strads(&self, arguments: &str, hostfile: &Path) -> Command {
        let mut command = self.in_front(strads());
        command.args(arguments.split_whitespace());
        command.arg("--hostfile").arg(hostfile);
        command.arg("--ssh").arg(self.ssh());
        command.current_dir(self.place.path());
        command
    }

    /// A command on a host.
    pub fn on(&self, host: usize, program: impl AsRef<Path>) -> Command {
        self.at(&self.space(host), program)
    }

    /// A command at the front.
    pub fn in_front(&self, program: impl AsRef<Path>) -> Command {
        self.at(&self.front(), program)
    }

    /// Does something on a host's network, in a thread of its own.
    pub fn within<T: Send>(&self, host: usize, what: impl FnOnce() -> T + Send) -> T {
        let space = File::open(format!("/run/netns/{}", self.space(host))).unwrap();
        let there = || {
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            what()
        };
        thread::scope(|scope| scope.spawn(there).join().unwrap())
    }

    fn at(&self, space: &str, program: impl AsRef<Path>) -> Command {
        // Only the network is another one: `ip netns exec` would hide control groups too.
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{space}"));
        command.arg("--").arg(program.as_ref());
        command
    }

    /// From now on all that a host sends and is sent is lost, and nobody is told.
    pub fn cut(&self, host: usize) {
        self.ip(&format!(
            "-n {} link set {} nomaster",
            self.lan(),
            port(host)
        ));
    }

    /// Takes [`cut`](Hosts::cut) back.
    pub fn mend(&self, host: usize) {
        self.ip(&format!(
            "-n {} link set {} master lan",
            self.lan(),
            port(host)
        ));
    }

    /// Limits what a host sends.
    pub fn limit(&self, host: usize, megabits: u32) {
        let space = self.space(host);
        let rule = format!("root tbf rate {megabits}mbit burst 64kb latency 100ms");
        run("tc", &format!("-n {space} qdisc replace dev eth0 {rule}"));
    }

    /// From now on nobody gets an answer from a port of the host's above 1023: ssh goes on, nodes
    /// are behind a firewall.
    pub fn block(&self, host: usize) {
        let space = self.space(host);
        let rule = "ipproto tcp sport 1024-65534 blackhole";
        self.ip(&format!("-n {space} rule add {rule}"));
    }

    /// The processes on a host, without its ssh server.
    pub fn processes(&self, host: usize) -> Vec<i32> {
        let server = self.sshds[host - 1].id() as i32;
        let mut pids = pids(&self.space(host));
        pids.retain(|&pid| pid != server);
        pids
    }

    /// The processes on a host whose command line has `word` in it.
    pub fn processes_of(&self, host: usize, word: &str) -> Vec<i32> {
        let mut pids = self.processes(host);
        pids.retain(|&pid| command_line(pid).contains(word));
        pids
    }

    /// True if somebody is connected to a node on the host.
    pub fn is_connected(&self, host: usize) -> bool {
        const ESTABLISHED: &str = "01";
        const SSH: &str = ":0016";
        let nodes = self.processes_of(host, "node --inner");
        let Some(node) = nodes.first() else {
            return false;
        };
        let table = fs::read_to_string(format!("/proc/{node}/net/tcp")).unwrap_or_default();
        table.lines().skip(1).any(|connection| {
            let columns: Vec<&str> = connection.split_whitespace().collect();
            columns[3] == ESTABLISHED && !columns[1].ends_with(SSH)
        })
    }

    /// Asserts that within the stated time nothing is left that a job started, at the front or on hosts.
    pub fn nothing_is_left(&self) {
        self.nothing_is_left_of("");
    }

    /// The same where links were `away` and are back: the two ends of ssh hear of each other when TCP
    /// tries again, which it does after waiting as long as it has waited in all.
    pub fn nothing_is_left_after(&self, away: Duration) {
        self.nothing_is_left_within("", away + ENDINGS);
    }

    /// The same of processes whose command line has `word` in it: ssh's own, behind a cut link, know
    /// of nothing and end when ssh is set to.
    pub fn nothing_is_left_of(&self, word: &str) {
        self.nothing_is_left_within(word, ENDINGS);
    }

    fn nothing_is_left_within(&self, word: &str, time: Duration) {
        let mut left = Vec::new();
        let late = Instant::now() + time;
        while Instant::now() < late {
            let here = pids(&self.front()).into_iter();
            let there = (1..=self.count).flat_map(|host| self.processes(host));
            left = here.chain(there).map(command_line).collect();
            left.retain(|line: &String| !line.is_empty() && line.contains(word));
            if !word.is_empty() {
                left.retain(|line| !line.starts_with("ssh"));
            }
            if left.is_empty() {
                return;
            }
            thread::sleep(POLL);
        }
        panic!("left behind: {}", left.join("; "));
    }

    /// Where a host keeps copies of the program.
    pub fn cache(&self, host: usize) -> PathBuf {
        self.path(&format!("cache{host}"))
    }

    /// Makes a directory a disk of so many bytes. It is unmounted with the hosts.
    pub fn small_disk(&mut self, directory: &Path, bytes: u64) {
        fs::create_dir_all(directory).unwrap();
        let to = directory.display();
        run("mount", &format!("-t tmpfs -o size={bytes} strads {to}"));
        self.disks.push(directory.to_owned());
    }

    /// Gives a small disk so many bytes.
    pub fn resize_disk(&self, directory: &Path, bytes: u64) {
        let of = directory.display();
        run("mount", &format!("-o remount,size={bytes} {of}"));
    }

    /// A host's address.
    pub fn address(&self, host: usize) -> String {
        address(host)
    }

    fn connect(&self) {
        let lan = self.lan();
        self.ip(&format!("netns add {lan}"));
        self.ip(&format!("-n {lan} link add lan type bridge"));
        self.ip(&format!("-n {lan} link set lan up"));
        self.join(&self.front(), "vfront", "10.77.0.1");
        for host in 1..=self.count {
            self.join(&self.space(host), &port(host), &address(host));
        }
    }

    /// A namespace with an address on the bridge.
    fn join(&self, space: &str, port: &str, address: &str) {
        let lan = self.lan();
        self.ip(&format!("netns add {space}"));
        self.ip(&format!(
            "-n {lan} link add {port} type veth peer name eth0 netns {space}"
        ));
        self.ip(&format!("-n {lan} link set {port} master lan up"));
        self.ip(&format!("-n {space} addr add {address}/24 dev eth0"));
        self.ip(&format!("-n {space} link set eth0 up"));
        self.ip(&format!("-n {space} link set lo up"));
    }

    /// Keys, configurations, and an ssh server on each host.
    fn let_in(&mut self) {
        fs::create_dir_all("/run/sshd").unwrap();
        let place = self.place.path().display().to_string();
        for key in ["key", "host_key"] {
            let file = format!("{place}/{key}");
            run_words(
                "ssh-keygen",
                &["-q", "-t", "ed25519", "-N", "", "-f", &file],
            );
        }
        fs::copy(self.path("key.pub"), self.path("authorized")).unwrap();
        let host_key = fs::read_to_string(self.path("host_key.pub")).unwrap();
        let known = |host| format!("{} {host_key}", address(host));
        let known: String = (1..=self.count).map(known).collect();
        self.write("known_hosts", &known);
        let mut config = format!(
            "Host *\n User root\n IdentityFile {place}/key\n IdentitiesOnly yes\n \
             UserKnownHostsFile {place}/known_hosts\n GlobalKnownHostsFile /dev/null\n"
        );
        for host in 1..=self.count {
            config += &format!("Host {}\n HostName {}\n", name(host), address(host));
        }
        self.write("ssh_config", &config);
        for host in 1..=self.count {
            let sshd = self.serve_ssh(host);
            self.sshds.push(sshd);
        }
        for host in 1..=self.count {
            let mut listening = self.on(host, "ss");
            listening.args(["-Hltn", "sport = :22"]);
            until("an ssh server", PATIENCE, || {
                !listening.output().unwrap().stdout.is_empty()
            });
        }
    }

    fn serve_ssh(&self, host: usize) -> Child {
        let place = self.place.path().display();
        let config = format!(
            "ListenAddress {}\nHostKey {place}/host_key\nAuthorizedKeysFile {place}/authorized\n\
             StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin prohibit-password\n\
             PasswordAuthentication no\nSetEnv XDG_CACHE_HOME={}\n",
            address(host),
            self.cache(host).display()
        );
        let config = self.write(&format!("sshd_config{host}"), &config);
        let mut sshd = self.on(host, SSHD);
        sshd.arg("-D").arg("-f").arg(config);
        sshd.arg("-E").arg(self.path(&format!("sshd{host}.log")));
        sshd.stdin(Stdio::null()).spawn().unwrap()
    }

    fn ip(&self, arguments: &str) {
        run("ip", arguments);
    }

    fn lan(&self) -> String {
        format!("{}-lan", self.prefix)
    }

    fn front(&self) -> String {
        format!("{}-front", self.prefix)
    }

    fn space(&self, host: usize) -> String {
        format!("{}-{host}", self.prefix)
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for sshd in &mut self.sshds {
            // Those that have ended are waited for all the same.
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
        remove_namespaces(&self.prefix);
        for disk in &self.disks {
            // A disk that stays keeps its directory, and that is complained of.
            let _ = Command::new("umount").arg("-l").arg(disk).status();
        }
    }
}

/// Says that a test is skipped for want of something; in CI, fails.
pub fn skip(missing: &str) {
    assert!(
        std::env::var_os("STRADS_CI").is_none(),
        "this test needs {missing}, and in CI it has to be there"
    );
    eprintln!("skipped: this test needs {missing}");
}

/// Whether `program` is to be found; otherwise the test is skipped, as `package` is missing.
pub fn has(program: &str, package: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let sbin = [PathBuf::from("/usr/sbin")];
    let mut places = std::env::split_paths(&paths).chain(sbin);
    let found = places.any(|place| place.join(program).exists());
    if !found {
        skip(&format!("{program} (package {package})"));
    }
    found
}

fn name(host: usize) -> String {
    format!("node{host:02}")
}

fn address(host: usize) -> String {
    format!("10.77.0.{}", 10 + host)
}

fn port(host: usize) -> String {
    format!("v{host}")
}

/// What a real cluster needs and is not there.
fn missing() -> Option<&'static str> {
    let runs = |program: &str, argument: &str| {
        let mut command = Command::new(program);
        command.arg(argument);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !rustix::process::geteuid().is_root() {
        return Some("root, for network namespaces");
    }
    if !runs("ip", "-V") || !runs("tc", "-V") {
        return Some("the programs ip and tc (package iproute2)");
    }
    if !Path::new(SSHD).exists() {
        return Some("an ssh server (package openssh-server)");
    }
    let probe = format!("strads{}-probe", std::process::id());
    if !runs_quietly("ip", &format!("netns add {probe}")) {
        return Some("a kernel that lets it make network namespaces");
    }
    let bridge = runs_quietly("ip", &format!("-n {probe} link add lan type bridge"));
    run("ip", &format!("netns del {probe}"));
    (!bridge).then_some("a kernel that has network bridges")
}

/// Removes what a test that was killed has left.
fn remove_stale() {
    let Ok(spaces) = fs::read_dir("/run/netns") else {
        return;
    };
    for space in spaces {
        let space = space.unwrap().file_name().into_string().unwrap();
        let owner = space
            .strip_prefix("strads")
            .and_then(|rest| rest.split_once('-'));
        let dead = owner.is_some_and(|(pid, _)| !Path::new("/proc").join(pid).exists());
        if dead {
            remove_namespaces(space.split('-').next().unwrap());
        }
    }
}

/// Removes the namespaces of a test, and what runs in them.
fn remove_namespaces(prefix: &str) {
    let Ok(spaces) = fs::read_dir("/run/netns") else {
        return;
    };
    for space in spaces {
        let space = space.unwrap().file_name().into_string().unwrap();
        if !space.starts_with(&format!("{prefix}-")) {
            continue;
        }
        for pid in pids(&space) {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            // It may have ended by itself.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        run("ip", &format!("netns del {space}"));
    }
}

fn pids(space: &str) -> Vec<i32> {
    let mut list = Command::new("ip");
    let list = list.args(["netns", "pids", space]).output().unwrap();
    let text = String::from_utf8(list.stdout).unwrap();
    text.lines()
        .map(|pid| pid.trim().parse().unwrap())
        .collect()
}

/// What a process was started as; empty if it is gone.
pub fn command_line(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

fn run(program: &str, arguments: &str) {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    run_words(program, &words);
}

fn run_words(program: &str, words: &[&str]) {
    let output = Command::new(program).args(words).output().unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?}: {why}");
}

fn runs_quietly(program: &str, arguments: &str) -> bool {
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .output();
    output.is_ok_and(|output| output.status.success())
}
