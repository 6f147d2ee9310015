//! Where generated data go: a file that is whole or absent, or standard output.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use strads_datasets::Format;

use crate::failure::Failure;
use crate::files::completely;
use crate::standard::to_standard_output;

/// The options of all kinds of data.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Write into this file; - is standard output
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The format, if the name of the file does not tell
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Everything random is a function of the options and this
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// A format and the endings of file names that stand for it.
pub type Endings = (Format, &'static [&'static str]);

impl Output {
    /// True if the data go to standard output.
    pub fn to_stdout(&self) -> bool {
        self.out == Path::new("-")
    }

    /// The format asked for, or that of the file's name. Standard output has the first of `known`.
    pub fn format(&self, known: &[Endings]) -> Result<Format, Failure> {
        if let Some(format) = self.format {
            return Ok(format);
        }
        if self.to_stdout() {
            return Ok(known[0].0);
        }
        let name = self.out.to_string_lossy().to_lowercase();
        let fits = |ending: &&str| name.ends_with(*ending);
        let found = known.iter().find(|(_, endings)| endings.iter().any(&fits));
        found.map(|(format, _)| *format).ok_or_else(|| {
            let endings: Vec<_> = known
                .iter()
                .flat_map(|(_, endings)| *endings)
                .copied()
                .collect();
            Failure::input(format!(
                "{}: the name does not tell the format\nend it in {}, or say --format",
                self.out.display(),
                endings.join(" ")
            ))
        })
    }

    /// Writes the data.
    pub fn write(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if !self.to_stdout() {
            return write_file(&self.out, write);
        }
        to_standard_output(write).map_err(|error| failure(Path::new("standard output"), &error))
    }

    /// The output's name with `ending` behind it: where what does not fit into the file goes.
    pub fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.out.as_os_str().to_owned();
        name.push(ending);
        name.into()
    }
}

/// Writes a file that is whole or absent.
pub fn write_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    completely(path, |into| write(into)).map_err(|error| failure(path, &error))
}

/// A format that cannot hold the data is wrong use; anything else is the world's.
fn failure(path: &Path, error: &io::Error) -> Failure {
    let message = format!("{}: cannot write: {error}", path.display());
    match error.kind() {
        ErrorKind::Unsupported => Failure::input(message),
        _ => Failure::world(message),
    }
}
