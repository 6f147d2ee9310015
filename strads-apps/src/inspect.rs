//! `strads inspect`.
use crate::failure::Failure;
/// What is in a file
#[derive(Clone, Debug, clap::Args)]
pub struct Args {}
/// x
pub fn run(_: &Args) -> Result<(), Failure> {
    Ok(())
}
