//! The README's tour works as it is written. (That its output is what comes out, people check: it
//! has times in it.)

use std::fs;

use crate::runner::Place;

#[test]
fn the_readmes_commands_work_verbatim() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let place = Place::new();
    let mut commands = 0;
    for line in readme.lines() {
        if let Some(command) = line.strip_prefix("$ strads ") {
            place.strads(command).fine();
            commands += 1;
        }
    }
    assert!(commands >= 8, "{commands} commands found");
}
