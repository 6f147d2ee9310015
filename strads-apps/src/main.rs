//! The `strads` command.

fn main() {}
