//! What shells and manuals want to know of the commands: completions and man pages.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;

use crate::failure::Failure;
use crate::files::completely;

/// Options of `strads completions`.
#[derive(Clone, Debug, clap::Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Options of `strads man`.
#[derive(Clone, Debug, clap::Args)]
pub struct Man {
    /// Write a page for each command into this directory, instead of the first one to standard output
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints the completions of `root`.
pub fn completions(args: &Completions, mut root: Command) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut root, "strads", &mut script);
    print(&script);
}

/// Prints or writes the manual of `root`.
pub fn man(args: &Man, mut root: Command) -> Result<(), Failure> {
    root.build();
    let Some(directory) = &args.out else {
        let mut page = Vec::new();
        render(&root, "strads", &mut page).map_err(Failure::world)?;
        print(&page);
        return Ok(());
    };
    std::fs::create_dir_all(directory)
        .and_then(|()| pages(&root, directory, "strads"))
        .map_err(|error| Failure::world(format!("{}: {error}", directory.display())))
}

fn pages(command: &Command, directory: &Path, name: &str) -> io::Result<()> {
    completely(&directory.join(format!("{name}.1")), |file| {
        render(command, name, file)
    })?;
    let shown = |inner: &&Command| !inner.is_hide_set() && inner.get_name() != "help";
    for inner in command.get_subcommands().filter(shown) {
        pages(inner, directory, &format!("{name}-{}", inner.get_name()))?;
    }
    Ok(())
}

/// A page, which ends with the example that the help begins with.
fn render(command: &Command, name: &str, into: &mut impl Write) -> io::Result<()> {
    let page = clap_mangen::Man::new(command.clone()).title(name.to_uppercase());
    page.render(into)?;
    let Some(example) = command.get_before_help() else {
        return Ok(());
    };
    writeln!(into, ".SH EXAMPLE\n.nf")?;
    for line in example.to_string().lines() {
        // Quoted, for roff takes a backslash, and a dot that begins a line, for its own.
        writeln!(into, "\\&{}", line.replace('\\', "\\e").replace('-', "\\-"))?;
    }
    writeln!(into, ".fi")
}

/// A reader that has gone away has read enough.
fn print(bytes: &[u8]) {
    let _ = io::stdout().write_all(bytes);
}
