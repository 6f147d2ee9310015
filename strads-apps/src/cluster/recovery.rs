//! Going on when a node is lost: the same command, from the newest checkpoint, on the nodes that are
//! left.
//!
//! Workers are not nodes: those of the lost node move to the others, the result stays that of a run
//! which nobody disturbed.

use crate::checkpoint;
use crate::failure::Failure;
use crate::options::{Common, OnFailure};

/// Losses after which something else is wrong.
const MOST: u32 = 16;

/// Runs `train` with `args`, again after each loss of a node, as the options that `common` finds
/// in `args` say.
pub fn recovering<A>(
    mut args: A,
    common: impl Fn(&mut A) -> &mut Common,
    train: impl Fn(&A) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for _ in 0..MOST {
        let lost = match train(&args) {
            Err(Failure::Lost(lost)) => lost,
            other => return other,
        };
        let common = common(&mut args);
        let Some(directory) = &common.checkpoint else {
            return Err(Failure::Lost(format!(
                "{lost}\nwith --checkpoint DIR the others would have gone on"
            )));
        };
        if common.on_failure == Some(OnFailure::Stop) {
            return Err(Failure::Lost(format!(
                "{lost}\nto go on: strads resume {}",
                directory.display()
            )));
        }
        let (from, resume) = match checkpoint::newest(directory) {
            Ok(kept) => (format!("from {}", kept.place().display()), true),
            Err(_) => (
                "from the beginning: there is no checkpoint yet".to_owned(),
                false,
            ),
        };
        eprintln!("strads: {lost}\ngoing on with the others, {from}");
        (common.resume, common.bereft) = (resume, true);
    }
    train(&args)
}
