//! The layers: who may know whom. Nothing points upward, and nobody reaches past what is drawn.
//!
//! It looks at what packages declare, so it cannot see a crate that is declared and misused.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Each package of the workspace with those that it may depend on.
const ARROWS: [(&str, &[&str]); 6] = [
    ("strads-common", &[]),
    ("bosen", &["strads-common"]),
    ("strads-datasets", &["strads-common"]),
    ("strads", &["bosen", "strads-common"]),
    (
        "strads-apps",
        &["strads", "bosen", "strads-datasets", "strads-common"],
    ),
    (
        "strads-tests",
        &[
            "strads-apps",
            "strads",
            "bosen",
            "strads-datasets",
            "strads-common",
        ],
    ),
];

#[test]
fn nothing_points_upward() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let allowed: BTreeMap<_, _> = ARROWS.into_iter().collect();
    let ours: BTreeSet<_> = allowed.keys().copied().collect();
    let packages = metadata.workspace_packages();
    let found: BTreeSet<_> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(found, ours, "a package has no place in the layers");
    for package in packages {
        let may = allowed[package.name.as_str()];
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let drawn = may.contains(&name)
                || dependency.kind == DependencyKind::Development && name == package.name.as_str();
            assert!(
                drawn || !ours.contains(name),
                "{} depends on {name}, and may only on {may:?}",
                package.name
            );
        }
    }
}

/// The packages' folders are where the documents say.
#[test]
fn a_folder_is_a_package() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let folder = |package: &cargo_metadata::Package| {
        let parent = package.manifest_path.parent().unwrap();
        parent
            .strip_prefix(&metadata.workspace_root)
            .unwrap()
            .to_string()
    };
    let folders: BTreeSet<_> = metadata
        .workspace_packages()
        .into_iter()
        .map(folder)
        .collect();
    let expected = [
        "bosen",
        "common",
        "datasets",
        "scheduler",
        "strads-apps",
        "tests",
    ];
    assert_eq!(folders, expected.map(str::to_owned).into());
}
