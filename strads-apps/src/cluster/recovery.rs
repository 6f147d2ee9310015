//! Going on when a node is lost: the same command, from the newest checkpoint, on the nodes that are
//! left.
//!
//! Workers are not nodes: those of the lost node move to the others, the result stays that of a run
//! which nobody disturbed.

use crate::checkpoint;
use crate::cli::interrupt;
use crate::failure::Failure;
use crate::options::{Common, OnFailure};
use crate::standard::to_standard_error;

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
        let (node, lost) = match train(&args) {
            Err(Failure::Lost { node, message }) => (node, message),
            other => return other,
        };
        // Nodes that an interruption has ended are no loss to go on from.
        interrupt::has_the_last_word();
        let common = common(&mut args);
        let stop = |advice: String| Failure::Lost {
            node: node.clone(),
            message: format!("{lost}\n{advice}"),
        };
        let Some(directory) = &common.checkpoint else {
            let advice = "with --checkpoint DIR the others would have gone on";
            return Err(stop(advice.to_owned()));
        };
        if common.on_failure == Some(OnFailure::Stop) {
            return Err(stop(format!(
                "to go on: strads resume {}",
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
        to_standard_error(format_args!(
            "strads: {lost}\ngoing on with the others, {from}\n"
        ));
        common.roster.strike(&node);
        common.resume = resume;
    }
    train(&args)
}
