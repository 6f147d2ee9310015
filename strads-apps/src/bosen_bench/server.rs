//! The other end of the benchmark: a server in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use bosen::tcp::{Server, ServerOptions, Timing};
use strads_common::auth::Secret;
use strads_common::ids::ShardId;

use crate::failure::Failure;
use crate::standard::print_line;

/// Serves one benchmark at `address`.
pub fn serve(address: SocketAddr) -> Result<(), Failure> {
    let secret = read_secret()?;
    let listener = TcpListener::bind(address)
        .map_err(|error| Failure::world(format!("{address}: {error}")))?;
    let options = ServerOptions {
        shard: ShardId(0),
        shards: 1,
        workers: 1,
        secret,
        timing: Timing::default(),
    };
    let server = Server::start(listener, options)?;
    print_line(server.address());
    Ok(server.join()?)
}

/// Starts this program as a server on loopback.
pub fn start_server(secret: &Secret) -> Result<(Child, SocketAddr), Failure> {
    let program = std::env::current_exe().map_err(Failure::world)?;
    let mut child = Command::new(program)
        .args(["bosen", "bench", "--serve", "127.0.0.1:0"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Failure::world)?;
    let mut stdin = child.stdin.take().expect("the child's input is piped");
    writeln!(stdin, "{}", hexadecimal(secret.bytes())).map_err(Failure::world)?;
    let mut line = String::new();
    let stdout = child.stdout.take().expect("the child's output is piped");
    BufReader::new(stdout)
        .read_line(&mut line)
        .map_err(Failure::world)?;
    let address = line
        .trim()
        .parse()
        .map_err(|_| Failure::world("the server did not say where it listens"))?;
    Ok((child, address))
}

fn hexadecimal(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A secret of 64 hexadecimal digits, from a line of standard input.
pub fn read_secret() -> Result<Secret, Failure> {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(Failure::world)?;
    let digits = line.trim();
    let byte = |at: usize| {
        digits
            .get(2 * at..2 * at + 2)
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
    };
    let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
    match bytes.and_then(|bytes| bytes.try_into().ok()) {
        Some(bytes) if digits.len() == 64 => Ok(Secret::from_bytes(bytes)),
        _ => Err(Failure::input(
            "standard input does not begin with a secret of 64 hexadecimal digits",
        )),
    }
}
