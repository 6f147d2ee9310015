//! Asking the nodes: about their hosts, and about the links between them.

use std::time::Duration;

use strads_common::auth::Secret;
use strads_common::members::{Member, Members};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::answer::{clock_seconds, measure};
use super::question::{Facts, Link, Question};
use crate::cluster::launch::Outcome;
use crate::cluster::talk::{PATIENCE, Silence, Talk};
use crate::failure::Failure;

/// How long a node may take to measure a link.
const MEASURING: Duration = Duration::from_secs(40);

/// What has been found out about a host.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its name in the hostfile.
    pub name: String,
    /// Where its node listens, if there is one, and how many workers it would have.
    pub member: Option<Member>,
    /// What it is, or why that is not known and what to do about it.
    pub facts: Result<Facts, String>,
    /// How far its clock is ahead of this host's.
    pub clock_ahead_seconds: f64,
}

/// What has been found out about a link.
#[derive(Clone, Debug)]
pub struct Pair {
    /// From this node; none is this host.
    pub from: Option<usize>,
    /// To this node.
    pub to: usize,
    /// How it does, or why not.
    pub link: Result<Link, String>,
}

/// Asks each node about its host.
pub fn hosts(
    labels: &[String],
    members: &Members,
    outcomes: &[Outcome],
) -> Result<Vec<Found>, Failure> {
    let runtime = runtime()?;
    let mut ready = members.nodes.iter();
    let found = labels.iter().zip(outcomes).map(|(name, outcome)| {
        let mut found = Found {
            name: name.clone(),
            member: None,
            facts: Err(String::new()),
            clock_ahead_seconds: 0.0,
        };
        match outcome {
            Err(why) => found.facts = Err(why.clone()),
            Ok(_) => {
                let member = ready.next().expect("whoever is ready is a member").clone();
                match runtime.block_on(facts(&member, &members.secret)) {
                    Ok((facts, ahead)) => {
                        found.facts = Ok(facts);
                        found.clock_ahead_seconds = ahead;
                    }
                    Err(silence) => {
                        found.facts = Err(format!(
                            "its node cannot be reached at {}: {silence}\n\
                             Is a firewall between? Nodes listen on ports that the system chooses; \
                             lines \"id ip port\" fix them.",
                            member.address
                        ));
                    }
                }
                found.member = Some(member);
            }
        }
        found
    });
    Ok(found.collect())
}

/// A host's facts, and how far its clock is ahead.
async fn facts(member: &Member, secret: &Secret) -> Result<(Facts, f64), Silence> {
    let mut talk = Talk::call(member.address, secret).await?;
    let asked = clock_seconds();
    let facts: Facts = talk.ask(&Question::Facts, PATIENCE).await?;
    let here = f64::midpoint(asked, clock_seconds());
    let ahead = facts.clock_seconds - here;
    Ok((facts, ahead))
}

/// Measures each link: from here to each node that answers, and between them in both directions.
pub fn pairs(
    members: &Members,
    hosts: &[Found],
    mut progress: impl FnMut(usize, usize),
) -> Result<Vec<Pair>, Failure> {
    let runtime = runtime()?;
    let answering: Vec<(usize, Member)> = hosts
        .iter()
        .enumerate()
        .filter(|(_, host)| host.facts.is_ok())
        .filter_map(|(at, host)| Some((at, host.member.clone()?)))
        .collect();
    let all = answering.len() * answering.len();
    let mut pairs = Vec::with_capacity(all);
    for (to, member) in &answering {
        let link = runtime.block_on(measure(member.address, &members.secret));
        let link = link.map_err(|silence| silence.to_string());
        pairs.push(Pair {
            from: None,
            to: *to,
            link,
        });
        progress(pairs.len(), all);
    }
    for round in rounds(answering.len()) {
        let mut measuring = JoinSet::new();
        for (from, to) in round {
            let ((from, asked), (to, other)) = (answering[from].clone(), answering[to].clone());
            let secret = members.secret.clone();
            measuring.spawn_on(
                async move {
                    let link = between(&asked, &other, &secret).await;
                    Pair {
                        from: Some(from),
                        to,
                        link,
                    }
                },
                runtime.handle(),
            );
        }
        let measured = runtime.block_on(measuring.join_all());
        pairs.extend(measured);
        progress(pairs.len(), all);
    }
    pairs.sort_by_key(|pair| (pair.from, pair.to));
    Ok(pairs)
}

/// How the link between two nodes does, as the first one sees it.
async fn between(from: &Member, to: &Member, secret: &Secret) -> Result<Link, String> {
    let measured = async {
        let mut talk = Talk::call(from.address, secret).await?;
        talk.ask::<Result<Link, String>>(&Question::Measure(to.address), MEASURING)
            .await
    };
    measured
        .await
        .unwrap_or_else(|silence: Silence| Err(silence.to_string()))
}

/// All ordered pairs of `hosts` hosts, in rounds in which nobody occurs twice: a tournament, in which
/// one stays and the others go round, and then the same with sides changed.
fn rounds(hosts: usize) -> Vec<Vec<(usize, usize)>> {
    let seats = hosts.next_multiple_of(2);
    let mut rounds = Vec::new();
    for round in 0..seats.saturating_sub(1) {
        let at = |seat: usize| match seat {
            0 => 0,
            seat => 1 + (seat - 1 + round) % (seats - 1),
        };
        let pairs = (0..seats / 2).map(|seat| (at(seat), at(seats - 1 - seat)));
        let there: Vec<_> = pairs.filter(|&(a, b)| a < hosts && b < hosts).collect();
        let back = there.iter().map(|&(a, b)| (b, a)).collect();
        rounds.extend([there, back]);
    }
    rounds.retain(|round| !round.is_empty());
    rounds
}

fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::world)
}

#[cfg(test)]
mod tests {
    //! Every ordered pair is measured once, and nobody is in two of them at a time.
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rounds_are_a_tournament() {
        for hosts in 0..12 {
            let mut seen = BTreeSet::new();
            for round in rounds(hosts) {
                let mut busy = BTreeSet::new();
                for (a, b) in round {
                    assert!(a != b && seen.insert((a, b)), "{hosts}: {a} {b}");
                    assert!(busy.insert(a) && busy.insert(b));
                }
            }
            assert_eq!(seen.len(), hosts * hosts.saturating_sub(1));
        }
    }
}
