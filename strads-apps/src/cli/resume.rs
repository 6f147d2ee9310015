//! `strads resume`: the command that made a checkpoint, once more, from there on.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::checkpoint;
use crate::failure::Failure;

/// Go on with a training from its newest checkpoint
///
/// Example: strads resume state --hostfile hosts.txt
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The directory that --checkpoint named
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Options to add to those of the first time, or to have instead of them
    #[arg(
        value_name = "OPTIONS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    options: Vec<String>,
}

/// The whole command line to go on with. Files are named as they were the first time, so this
/// changes to the directory of that time.
pub fn words(args: &Args) -> Result<Vec<OsString>, Failure> {
    let kept = checkpoint::newest(&args.directory)?;
    let manifest = &kept.manifest;
    std::env::set_current_dir(&manifest.directory).map_err(|error| {
        Failure::world(format!(
            "{}: {error}\nthat is where the training was begun, and where its files are",
            manifest.directory.display()
        ))
    })?;
    let mut words = vec!["strads".to_owned()];
    words.extend(without(&manifest.command, &args.options));
    words.push("--resume".to_owned());
    words.extend(args.options.iter().cloned());
    Ok(words.into_iter().map(OsString::from).collect())
}

/// `command` without `--resume` and the options that `instead` says anew.
fn without(command: &[String], instead: &[String]) -> Vec<String> {
    let name = |word: &str| word.split('=').next().unwrap_or(word).to_owned();
    let mut kept = Vec::new();
    let mut words = command.iter().peekable();
    while let Some(word) = words.next() {
        let again = instead.iter().position(|other| name(other) == name(word));
        match again.filter(|_| word.starts_with("--")) {
            Some(at) => {
                let apart = !instead[at].contains('=');
                let valued = instead
                    .get(at + 1)
                    .is_some_and(|next| !next.starts_with("--"));
                if !word.contains('=') && (!apart || valued) {
                    words.next();
                }
            }
            None if word == "--resume" => {}
            None => kept.push(word.clone()),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    //! An option that is said again is said once; everything else stays as it was.
    use super::*;

    #[test]
    fn options_are_replaced_and_others_stay() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let command = words("mf --quiet ratings --epochs 5 --threads=2 --resume --checkpoint kept");
        let left = without(&command, &words("--threads 4 --epochs=9 --quiet --json"));
        assert_eq!(left, words("mf ratings --checkpoint kept"));
    }
}
