//! Secrets in files: 64 hexadecimal digits that only their owner can read.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use strads_common::auth::Secret;

use crate::failure::Failure;

/// Longer than any secret with its white space.
const MOST_BYTES: u64 = 256;

/// Reads the secret in `path`; a file that others can read is refused, as its secret is none.
pub fn read(path: &Path) -> Result<Secret, Failure> {
    let shown = path.display();
    let cannot = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Failure::input(format!(
            "{shown}: there is no such file\n\
             Take the one that the nodes have; or make one for all: strads node --new-secret FILE"
        )),
        _ => Failure::input(format!("{shown}: {error}")),
    };
    let file = File::open(path).map_err(cannot)?;
    // What is asked is the file that has been opened, not what the name stands for by now.
    let about = file.metadata().map_err(cannot)?;
    let own = rustix::process::geteuid().as_raw();
    if about.mode() & 0o077 != 0 || (about.uid() != own && about.uid() != 0) {
        return Err(Failure::input(format!(
            "{shown}: others can read this secret (mode {:04o}, owner {})\n\
             Make a new one, as this one may be known: strads node --new-secret FILE",
            about.mode() & 0o7777,
            about.uid(),
        )));
    }
    let mut text = String::new();
    file.take(MOST_BYTES)
        .read_to_string(&mut text)
        .map_err(cannot)?;
    Secret::from_hexadecimal(&text).ok_or_else(|| {
        Failure::input(format!(
            "{shown}: expected a secret of 64 hexadecimal digits and nothing else\n\
             Make one: strads node --new-secret FILE"
        ))
    })
}

/// Writes a new secret into `path`, which must not be there yet.
pub fn create(path: &Path) -> Result<(), Failure> {
    let secret = Secret::generate().map_err(Failure::world)?;
    write(path, &secret).map_err(|error| {
        Failure::input(format!(
            "{}: {error}; a new secret needs a new file",
            path.display()
        ))
    })
}

/// Writes `secret` into `path`, which must not be there yet, for its owner alone.
fn write(path: &Path, secret: &Secret) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{}", secret.to_hexadecimal())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    //! A secret comes back as it was written, and not from a file that others can read.
    use super::*;
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_a_private_file_is_read() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("secret");
        create(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        let secret = read(&path).unwrap();
        assert_eq!(read(&path).unwrap(), secret);
        assert!(create(&path).is_err(), "a secret is not overwritten");
        for mode in [0o644, 0o640, 0o604, 0o620] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let refused = read(&path).unwrap_err().to_string();
            assert!(refused.contains("--new-secret"), "{refused}");
        }
        set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        assert!(read(&path).is_ok());
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("secret");
        for text in ["", "12", &"0".repeat(63), &"0".repeat(65), &"x".repeat(64)] {
            std::fs::write(&path, text).unwrap();
            set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            assert!(read(&path).is_err(), "{text:?}");
        }
    }
}
