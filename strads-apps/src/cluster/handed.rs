//! Members that are handed to a process by the one that started it: a line on standard input.
//!
//! So an app runs on nodes that came about elsewhere (`--hostfile -`). Standard input stays open for as
//! long as the nodes are there; when it ends, so does the process.

use std::io::{self, BufRead, Read, Write};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use strads_common::auth::Secret;
use strads_common::members::{Member, Members};

use crate::failure::Failure;

#[derive(Serialize, Deserialize)]
struct Line {
    secret: String,
    clear: bool,
    nodes: Vec<(String, SocketAddr, usize)>,
}

/// Hands `members` on.
pub fn give(members: &Members, to: &mut impl Write) -> io::Result<()> {
    let node = |node: &Member| (node.name.clone(), node.address, node.workers);
    let line = Line {
        secret: members.secret.to_hexadecimal(),
        clear: members.secret.is_clear(),
        nodes: members.nodes.iter().map(node).collect(),
    };
    let line = serde_json::to_string(&line).expect("members are plain data");
    writeln!(to, "{line}")?;
    to.flush()
}

/// Takes members from standard input; this process ends when that ends.
pub fn take() -> Result<Members, Failure> {
    let members = read(&mut io::stdin().lock())?;
    std::thread::spawn(|| {
        let mut bytes = [0; 64];
        while matches!(io::stdin().read(&mut bytes), Ok(1..)) {}
        // Who had the nodes is gone, and they with it.
        std::process::exit(3);
    });
    Ok(members)
}

fn read(from: &mut impl BufRead) -> Result<Members, Failure> {
    let mut line = String::new();
    from.read_line(&mut line).map_err(Failure::world)?;
    let wrong = || {
        Failure::input(
            "--hostfile - is for apps that strads node starts: strads node -- lasso DATA …",
        )
    };
    let line: Line = serde_json::from_str(&line).map_err(|_| wrong())?;
    let secret = Secret::from_hexadecimal(&line.secret).ok_or_else(wrong)?;
    let nodes = line.nodes.into_iter();
    let member = |(name, address, workers)| Member {
        name,
        address,
        workers,
    };
    Ok(Members {
        nodes: nodes.map(member).collect(),
        secret: if line.clear {
            secret.in_clear()
        } else {
            secret
        },
    })
}

#[cfg(test)]
mod tests {
    //! What is handed on arrives; anything else is refused.
    use super::*;

    #[test]
    fn members_arrive() {
        for secret in [
            Secret::from_bytes([7; 32]),
            Secret::from_bytes([8; 32]).in_clear(),
        ] {
            let node = Member {
                name: "node01".into(),
                address: "10.0.0.1:7000".parse().unwrap(),
                workers: 3,
            };
            let members = Members {
                nodes: vec![node],
                secret,
            };
            let mut line = Vec::new();
            give(&members, &mut line).unwrap();
            let taken = read(&mut &line[..]).unwrap();
            assert_eq!(taken.nodes, members.nodes);
            assert_eq!(taken.secret, members.secret);
        }
        for line in ["", "{}", "node01\n"] {
            assert!(read(&mut line.as_bytes()).is_err());
        }
    }
}
