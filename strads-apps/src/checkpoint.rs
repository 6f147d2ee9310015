//! Checkpoints: what a training needs to go on from, on disk.
//!
//! A checkpoint is a directory `step-N`: its parts, each a file, and then a manifest with their
//! lengths and SHA-256 digests and the command that made them. It is written beside its place by a
//! thread of its own, flushed file by file, and renamed at the end: a directory of that name is
//! whole, or somebody has damaged it. The newest [`KEPT`] stay, so that there is one to go on from
//! when the newest is damaged.
//!
//! What is in the parts is the app's affair. All put it in the order of the data, not of workers,
//! and so go on with any number of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cli::interrupt::Together;
use crate::console::Console;
use crate::failure::Failure;
use crate::standard::to_standard_error;

/// How many checkpoints stay.
const KEPT: usize = 2;
/// What a checkpoint's name ends with while it is being written.
const PARTIAL: &str = ".partial";
/// The name of the file that is written last.
const MANIFEST: &str = "manifest.json";
/// Which manifests are understood.
const VERSION: u32 = 1;

/// What a checkpoint says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    version: u32,
    /// Which app made it.
    pub app: String,
    /// Stands for the data and the settings that the result depends on.
    pub job: String,
    /// How far the training was: λ, sweeps, epochs.
    pub step: u64,
    /// What was typed, without the program's name, and where.
    pub command: Vec<String>,
    /// The working directory of the command.
    pub directory: PathBuf,
    parts: BTreeMap<String, Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    bytes: u64,
    sha256: String,
}

/// A checkpoint that has been read and found whole.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Its files.
    parts: BTreeMap<String, Bytes>,
    path: PathBuf,
}

/// Keeps the checkpoints of one job.
#[derive(Debug)]
pub struct Keeper {
    root: PathBuf,
    manifest: Manifest,
    writing: Option<JoinHandle<io::Result<()>>>,
}

impl Keeper {
    /// Keeps checkpoints under `root`, of a job of `app` that `job` tells from others.
    pub fn new(root: &Path, app: &str, job: &str) -> Self {
        let mut manifest = Manifest {
            version: VERSION,
            app: app.to_owned(),
            job: digest(job.as_bytes()),
            step: 0,
            command: std::env::args().skip(1).collect(),
            directory: std::env::current_dir().unwrap_or_default(),
            parts: BTreeMap::new(),
        };
        // What is resumed can be resumed again.
        if manifest
            .command
            .first()
            .is_some_and(|word| word == "resume")
            && let Ok(kept) = newest(root)
        {
            manifest.command = kept.manifest.command;
        }
        Self {
            root: root.to_owned(),
            manifest,
            writing: None,
        }
    }

    /// Writes a checkpoint while the caller goes on. Says what became of the one before it.
    pub fn keep(
        &mut self,
        step: u64,
        parts: Vec<(&'static str, Bytes)>,
        console: &mut Console,
    ) -> Result<(), Failure> {
        self.finish(console)?;
        let bytes: usize = parts.iter().map(|(_, bytes)| bytes.len()).sum();
        console.stage(format_args!(
            "step {step}: keeping a checkpoint of {:.1} MB",
            bytes as f64 / 1e6
        ));
        let root = self.root.clone();
        let manifest = Manifest {
            step,
            ..self.manifest.clone()
        };
        let thread = std::thread::Builder::new().name("strads-checkpoint".to_owned());
        let writing = thread.spawn(move || write(&root, manifest, &parts));
        self.writing = Some(writing.map_err(|error| self.failed(&error))?);
        Ok(())
    }

    /// Waits until what was to be kept is on the disk.
    pub fn finish(&mut self, console: &mut Console) -> Result<(), Failure> {
        if self.writing.as_ref().is_some_and(|it| !it.is_finished()) {
            console.stage("waiting until the last checkpoint is on the disk");
        }
        self.settle()
    }

    fn settle(&mut self) -> Result<(), Failure> {
        let Some(writing) = self.writing.take() else {
            return Ok(());
        };
        let written = writing.join().expect("writing files does not panic");
        written.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::world(format!(
            "{}: cannot keep a checkpoint: {error}\n\
             earlier ones are as they were; make room or name another --checkpoint",
            self.root.display()
        ))
    }

    /// The newest checkpoint of this job that is whole.
    pub fn resume(&self) -> Result<Kept, Failure> {
        let kept = newest(&self.root)?;
        let Manifest { app, job, .. } = &kept.manifest;
        let path = kept.path.display();
        if *app != self.manifest.app {
            return Err(Failure::input(format!(
                "{path}: is a checkpoint of `strads {app}`, not of `strads {}`",
                self.manifest.app
            )));
        }
        if *job != self.manifest.job {
            return Err(Failure::input(format!(
                "{path}: was made from other data or with other options\n\
                 go on with the same ones: strads resume {}",
                self.root.display()
            )));
        }
        Ok(kept)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Whoever gets here without `finish` has another failure to tell of.
        let _ = self.settle();
    }
}

impl Kept {
    /// A part's bytes.
    pub fn part(&self, name: &str) -> Result<&Bytes, Failure> {
        let part = self.parts.get(name);
        part.ok_or_else(|| self.unreadable(format!("there is no part `{name}`")))
    }

    /// Where it is.
    pub fn place(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it.
    pub fn unreadable(&self, what: impl std::fmt::Display) -> Failure {
        Failure::input(format!("{}: {what}", self.path.display()))
    }
}

/// The newest checkpoint under `root` that is whole; if there is none, what is wrong with the
/// newest.
pub fn newest(root: &Path) -> Result<Kept, Failure> {
    let found = list(root).map_err(|error| {
        Failure::input(format!(
            "{}: cannot look for a checkpoint: {error}\nname the directory that --checkpoint had",
            root.display()
        ))
    })?;
    let mut refusal = None;
    for (_, path) in found.into_iter().rev() {
        match read(&path) {
            Ok(kept) => {
                if let Some(refused) = refusal {
                    let path = path.display();
                    to_standard_error(format_args!("strads: {refused}\ngoing on from {path}\n"));
                }
                return Ok(kept);
            }
            Err(what) => {
                let what = format!("{}: {what}", path.display());
                refusal.get_or_insert(what);
            }
        }
    }
    Err(Failure::input(refusal.unwrap_or_else(|| {
        format!(
            "{}: holds no checkpoint to go on from\nname the directory that --checkpoint had",
            root.display()
        )
    })))
}

/// What the newest checkpoint under `root` says of itself: the file that it stands in.
pub fn newest_manifest(root: &Path) -> Option<PathBuf> {
    let (_, path) = list(root).ok()?.pop()?;
    Some(path.join(MANIFEST))
}

/// The manifest that `file` is, if it is one.
pub fn manifest(file: &Path) -> Option<Manifest> {
    if file.file_name()? != MANIFEST {
        return None;
    }
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

/// All checkpoints, oldest first.
fn list(root: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let step = name.and_then(|name| name.strip_prefix("step-")?.parse().ok());
        found.extend(step.map(|step| (step, path)));
    }
    found.sort();
    Ok(found)
}

fn write(root: &Path, mut manifest: Manifest, parts: &[(&'static str, Bytes)]) -> io::Result<()> {
    // Ctrl-C lets it become whole; SIGKILL does not, and what that has left goes now.
    let _whole = Together::new();
    fs::create_dir_all(root)?;
    remove_partial(root)?;
    let place = root.join(format!("step-{}", manifest.step));
    let partial = root.join(format!("step-{}{PARTIAL}", manifest.step));
    let written = (|| {
        fs::create_dir(&partial)?;
        for (name, bytes) in parts {
            let part = Part {
                bytes: bytes.len() as u64,
                sha256: digest(bytes),
            };
            manifest.parts.insert((*name).to_owned(), part);
            write_whole(&partial.join(name), bytes)?;
        }
        let text = serde_json::to_vec_pretty(&manifest)?;
        write_whole(&partial.join(MANIFEST), &text)?;
        File::open(&partial)?.sync_all()?;
        if place.exists() {
            fs::remove_dir_all(&place)?;
        }
        fs::rename(&partial, &place)?;
        File::open(root)?.sync_all()
    })();
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_dir_all(&partial);
        return written;
    }
    for (_, old) in list(root)?.into_iter().rev().skip(KEPT) {
        fs::remove_dir_all(old)?;
    }
    Ok(())
}

/// Removes what was being written when its process was killed.
fn remove_partial(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with("step-") && name.ends_with(PARTIAL)) {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads a checkpoint, or says what is wrong with it.
fn read(path: &Path) -> Result<Kept, String> {
    let text = fs::read(path.join(MANIFEST));
    let text = text.map_err(|error| format!("cannot read its {MANIFEST}: {error}"))?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| format!("its {MANIFEST} is damaged: {error}"))?;
    if manifest.version != VERSION {
        return Err(format!(
            "was made by another version of strads (format {}, here {VERSION})",
            manifest.version
        ));
    }
    let mut parts = BTreeMap::new();
    for (name, part) in &manifest.parts {
        if name.contains(['/', '\\']) {
            return Err(format!("its {MANIFEST} is damaged: a part `{name}`"));
        }
        let bytes = read_part(&path.join(name), part).map_err(|what| format!("{name} {what}"))?;
        parts.insert(name.clone(), bytes.into());
    }
    Ok(Kept {
        manifest,
        parts,
        path: path.to_owned(),
    })
}

fn read_part(path: &Path, part: &Part) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    if length != part.bytes {
        return Err(format!("has {length} bytes and should have {}", part.bytes));
    }
    let mut bytes = Vec::new();
    let read = file.take(part.bytes).read_to_end(&mut bytes);
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if digest(&bytes) != part.sha256 {
        return Err("is damaged: its digest is not the one in the manifest".to_owned());
    }
    Ok(bytes)
}

fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    //! What was kept is read back; whatever is damaged is refused by name, and the one before it is
    //! used; nothing half written is ever taken for a checkpoint.
    use super::*;

    fn keep(root: &Path, steps: std::ops::Range<u64>) {
        let mut keeper = Keeper::new(root, "toy", "job");
        let mut console = Console::new(false, true);
        for step in steps {
            let parts = vec![("one", Bytes::from(vec![step as u8; 100]))];
            keeper.keep(step, parts, &mut console).unwrap();
        }
        keeper.finish(&mut console).unwrap();
    }

    #[test]
    fn the_newest_is_read_and_old_ones_go() {
        let root = tempfile::tempdir().unwrap();
        keep(root.path(), 1..6);
        let kept = Keeper::new(root.path(), "toy", "job").resume().unwrap();
        assert_eq!(kept.manifest.step, 5);
        assert_eq!(kept.part("one").unwrap()[..], [5; 100]);
        assert_eq!(list(root.path()).unwrap().len(), KEPT);
    }

    #[test]
    fn any_flipped_byte_and_any_cut_is_noticed() {
        let root = tempfile::tempdir().unwrap();
        for file in ["one", MANIFEST] {
            keep(root.path(), 1..3);
            let path = root.path().join("step-2").join(file);
            let whole = fs::read(&path).unwrap();
            for at in 0..whole.len() {
                let mut damaged = whole.clone();
                damaged[at] ^= 0x10;
                fs::write(&path, &damaged).unwrap();
                // A manifest may say something else of the command and still be whole.
                match newest(root.path()) {
                    Ok(kept) if kept.manifest.step == 1 => {}
                    Ok(kept) => assert_eq!(
                        (file, &kept.part("one").unwrap()[..]),
                        (MANIFEST, &[2; 100][..])
                    ),
                    Err(failure) => panic!("{failure}"),
                }
            }
            fs::write(&path, &whole[..whole.len() / 2]).unwrap();
            assert_eq!(newest(root.path()).unwrap().manifest.step, 1);
            fs::remove_dir_all(root.path().join("step-1")).unwrap();
            let refused = newest(root.path()).unwrap_err().to_string();
            assert!(
                refused.contains("step-2") && refused.contains(file),
                "{refused}"
            );
        }
    }

    #[test]
    fn empty_missing_and_foreign_directories_are_refused() {
        let root = tempfile::tempdir().unwrap();
        assert!(
            newest(root.path())
                .unwrap_err()
                .to_string()
                .contains("no checkpoint")
        );
        assert!(newest(&root.path().join("none")).is_err());
        fs::create_dir(root.path().join("step-9.partial")).unwrap();
        assert!(newest(root.path()).is_err());
        keep(root.path(), 1..2);
        assert!(!root.path().join("step-9.partial").exists());
        let other = |app, job| {
            Keeper::new(root.path(), app, job)
                .resume()
                .unwrap_err()
                .to_string()
        };
        assert!(other("toy", "other job").contains("other data"));
        assert!(other("lda", "job").contains("strads toy"));
    }
}
