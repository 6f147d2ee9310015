//! Standard output and standard error, whose readers may go away.
//!
//! A reader of standard output who has seen enough (`strads … | head`) ends the command quietly, as
//! a signal would. What nobody reads on standard error is no reason to stop: the work goes on.

use std::fmt::{Arguments, Display};
use std::io::{self, BufWriter, ErrorKind, Write, stderr, stdout};

/// The exit code of a command that a closed pipe ends.
const PIPE_CLOSED: i32 = 141;

/// Writes to standard output.
pub fn to_standard_output(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut into = BufWriter::new(stdout().lock());
    match write(&mut into).and_then(|()| into.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(PIPE_CLOSED),
        written => written,
    }
}

/// Writes a line to standard output; what cannot be written there ends the command.
pub fn print_line(line: impl Display) {
    if writeln!(stdout(), "{line}").is_err() {
        std::process::exit(PIPE_CLOSED);
    }
}

/// Writes to standard error, if somebody reads it.
pub fn to_standard_error(words: Arguments) {
    let _ = stderr().lock().write_fmt(words);
}
