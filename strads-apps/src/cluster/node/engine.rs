//! Which process of how many this is, by what the engine that started it says in the environment.
//!
//! | engine | rank | of | where all can meet |
//! | --- | --- | --- | --- |
//! | Open MPI | `OMPI_COMM_WORLD_RANK` | `OMPI_COMM_WORLD_SIZE` | `PMIX_NAMESPACE`, `OMPI_MCA_orte_hnp_uri` |
//! | Slurm | `SLURM_PROCID` | `SLURM_STEP_NUM_TASKS` | `SLURM_JOB_ID`, `SLURM_STEP_ID` |
//! | Kubernetes | `JOB_COMPLETION_INDEX` | `STRADS_NODES` | `--meet` |
//!
//! Open MPI comes first, because `mpirun` within a Slurm job leaves Slurm's variables standing.

use std::net::IpAddr;
use std::time::Duration;

use crate::failure::Failure;

/// The place of a process among those that an engine has started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Which of them it is, from 0.
    pub rank: usize,
    /// How many there are.
    pub size: usize,
    /// What they have in common and no others have: letters, digits and dashes.
    pub job: String,
    /// Addresses of where the engine started them, from which its way to others can be told.
    pub origin: Vec<IpAddr>,
    /// How long the others may take to come.
    pub patience: Duration,
}

const SOON: Duration = Duration::from_secs(60);
/// A cluster may have to find room for a pod first.
const LATER: Duration = Duration::from_secs(600);

impl Place {
    /// The place that the environment tells of; `variable` looks up what is set there.
    pub fn find(variable: impl Fn(&str) -> Option<String>) -> Result<Place, Failure> {
        let environment = Environment(&variable);
        let place = if variable("OMPI_COMM_WORLD_RANK").is_some() {
            environment.open_mpi()?
        } else if variable("SLURM_PROCID").is_some() {
            environment.slurm()?
        } else if variable("JOB_COMPLETION_INDEX").is_some() {
            environment.kubernetes()?
        } else {
            return Err(Failure::input(
                "no engine has started this node: none of OMPI_COMM_WORLD_RANK, SLURM_PROCID and \
                 JOB_COMPLETION_INDEX is set\n\
                 Try: srun strads node -- lasso DATA …; or without an engine: strads lasso DATA … \
                 --hostfile FILE",
            ));
        };
        if place.rank >= place.size {
            return Err(Failure::input(format!(
                "this is process {} of {}: ranks are from 0 to one less than their number",
                place.rank, place.size
            )));
        }
        Ok(place)
    }
}

struct Environment<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Environment<'_> {
    fn open_mpi(&self) -> Result<Place, Failure> {
        let uri = (self.0)("OMPI_MCA_orte_hnp_uri").unwrap_or_default();
        let namespace = (self.0)("PMIX_NAMESPACE").unwrap_or_default();
        Ok(Place {
            rank: self.number("OMPI_COMM_WORLD_RANK")?,
            size: self.number("OMPI_COMM_WORLD_SIZE")?,
            job: plain(&format!("ompi-{namespace}-{uri}")),
            origin: addresses_in_uri(&uri),
            patience: SOON,
        })
    }

    fn slurm(&self) -> Result<Place, Failure> {
        let step = (self.0)("SLURM_STEP_ID").or_else(|| (self.0)("SLURM_STEPID"));
        let job = self.text("SLURM_JOB_ID")?;
        let origin = (self.0)("SLURM_LAUNCH_NODE_IPADDR");
        let size = if (self.0)("SLURM_STEP_NUM_TASKS").is_some() {
            "SLURM_STEP_NUM_TASKS"
        } else {
            "SLURM_NTASKS"
        };
        Ok(Place {
            rank: self.number("SLURM_PROCID")?,
            size: self.number(size)?,
            job: plain(&format!("slurm-{job}-{}", step.unwrap_or_default())),
            origin: origin.iter().filter_map(|ip| ip.parse().ok()).collect(),
            patience: SOON,
        })
    }

    fn kubernetes(&self) -> Result<Place, Failure> {
        Ok(Place {
            rank: self.number("JOB_COMPLETION_INDEX")?,
            size: self.number("STRADS_NODES")?,
            job: "kubernetes".to_owned(),
            origin: Vec::new(),
            patience: LATER,
        })
    }

    fn text(&self, name: &str) -> Result<String, Failure> {
        (self.0)(name).ok_or_else(|| {
            Failure::input(format!(
                "the environment lacks {name}, which goes with the rank"
            ))
        })
    }

    fn number(&self, name: &str) -> Result<usize, Failure> {
        let text = self.text(name)?;
        text.parse()
            .map_err(|_| Failure::input(format!("{name} is {text:?}, which is no number")))
    }
}

/// What is left when all that a file's name could do harm with is gone.
fn plain(text: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    text.chars().take(120).map(keep).collect()
}

/// The addresses in `1014562816.0;tcp://192.0.2.2,10.0.0.1:41825;tcp6://[fd00::2]:34335`.
fn addresses_in_uri(uri: &str) -> Vec<IpAddr> {
    let part = |part: &str| {
        let (_, place) = part.split_once("://")?;
        let (hosts, _port) = place.rsplit_once(':')?;
        Some(hosts.trim_matches(['[', ']']).to_owned())
    };
    let parts: Vec<String> = uri.split(';').filter_map(part).collect();
    let hosts = parts.iter().flat_map(|hosts| hosts.split(','));
    hosts.filter_map(|host| host.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    //! Each engine's variables are understood as it sets them; what is missing is named.
    use super::*;

    fn find(variables: &[(&str, &str)]) -> Result<Place, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Place::find(variable).map_err(|failure| failure.to_string())
    }

    #[test]
    fn open_mpi_within_slurm_is_open_mpi() {
        let place = find(&[
            ("OMPI_COMM_WORLD_RANK", "2"),
            ("OMPI_COMM_WORLD_SIZE", "4"),
            ("PMIX_NAMESPACE", "1014562817"),
            (
                "OMPI_MCA_orte_hnp_uri",
                "1014562816.0;tcp://192.0.2.2,10.0.0.1:41825;tcp6://[fd00::2]:34335",
            ),
            ("SLURM_PROCID", "0"),
            ("SLURM_NTASKS", "1"),
        ])
        .unwrap();
        assert_eq!((place.rank, place.size), (2, 4));
        let origin: Vec<String> = place.origin.iter().map(IpAddr::to_string).collect();
        assert_eq!(origin, ["192.0.2.2", "10.0.0.1", "fd00::2"]);
        assert!(place.job.starts_with("ompi-1014562817-1014562816-0-tcp"));
    }

    #[test]
    fn slurm_and_kubernetes() {
        let place = find(&[
            ("SLURM_PROCID", "1"),
            ("SLURM_NTASKS", "9"),
            ("SLURM_STEP_NUM_TASKS", "2"),
            ("SLURM_JOB_ID", "77"),
            ("SLURM_STEP_ID", "0"),
            ("SLURM_LAUNCH_NODE_IPADDR", "10.0.0.9"),
        ])
        .unwrap();
        assert_eq!((place.rank, place.size), (1, 2));
        assert_eq!(place.job, "slurm-77-0");
        assert_eq!(place.origin, ["10.0.0.9".parse::<IpAddr>().unwrap()]);
        let place = find(&[("JOB_COMPLETION_INDEX", "3"), ("STRADS_NODES", "4")]).unwrap();
        assert_eq!((place.rank, place.size), (3, 4));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        assert!(find(&[]).unwrap_err().contains("srun strads node"));
        for (variables, named) in [
            (&[("JOB_COMPLETION_INDEX", "3")][..], "STRADS_NODES"),
            (
                &[("JOB_COMPLETION_INDEX", "3"), ("STRADS_NODES", "3")],
                "3 of 3",
            ),
            (&[("OMPI_COMM_WORLD_RANK", "x")], "no number"),
            (&[("SLURM_PROCID", "0")], "SLURM_JOB_ID"),
        ] {
            let error = find(variables).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
