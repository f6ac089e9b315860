//! Walks over folders: links, pipes and names that are not text.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use recoup::base::walk::{Walk, walk};
use recoup::dataset::draft::draft;

use super::cards::save;

fn what<'w>(walk: &'w Walk, path: &str) -> &'w str {
    let found = walk.skipped.iter().find(|skipped| skipped.path == path);
    &found
        .unwrap_or_else(|| panic!("`{path}` was not skipped: {walk:?}"))
        .what
}

#[test]
fn links_lead_neither_out_nor_in_circles() {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("raw");
    for file in [
        "P10/emg.csv",
        "P2/emg.csv",
        ".hidden/x.csv",
        ".annex/object",
        "P2/.DS_Store",
    ] {
        save(&raw.join(file), b"");
    }
    save(&folder.path().join("outside.csv"), b"");
    for (to, name) in [
        (".", "me"),
        (".", "you"),
        ("/", "root"),
        ("../outside.csv", "out.csv"),
        ("P2/emg.csv", "twin.csv"),
        (".annex/object", "annexed.edf"),
        ("nothing", "dangling"),
        ("circle", "circle"),
        ("../raw/P10", "P10-again"),
    ] {
        symlink(to, raw.join(name)).unwrap();
    }
    assert!(Command::new("mkfifo").arg(raw.join("pipe")).status().unwrap().success());
    let found = walk(&raw, false).unwrap();
    assert_eq!(found.files, ["P2/emg.csv", "P10/emg.csv", "annexed.edf"]);
    assert_eq!(found.skipped.len(), 9);
    assert!(
        what(&found, "out.csv").contains("a link out of the folder, to"),
        "{found:?}"
    );
    assert!(
        what(&found, "root").contains("a link out of the folder, to \"/\""),
        "{found:?}"
    );
    assert_eq!(
        what(&found, "twin.csv"),
        "a link to \"P2/emg.csv\", which is read under its own name"
    );
    for path in ["me", "you", "P10-again"] {
        assert!(what(&found, path).starts_with("a link to a folder inside"), "{found:?}");
    }
    for path in ["dangling", "circle"] {
        assert_eq!(what(&found, path), "a link that leads nowhere or in a circle");
    }
    assert_eq!(what(&found, "pipe"), "a pipe, socket or device");
    // The folder itself may be a link.
    symlink(&raw, folder.path().join("linked")).unwrap();
    assert_eq!(walk(&folder.path().join("linked"), false).unwrap(), found);
    assert!(walk(&raw, true).unwrap().files.contains(&".hidden/x.csv".to_string()));
    // Said, not kept quiet.
    let findings = draft(folder.path()).unwrap().findings;
    let said = |start: &str| findings.iter().any(|finding| finding.starts_with(start));
    assert!(
        said("`P10-again` is not read: it is a link to a folder inside"),
        "{findings:#?}"
    );
    assert!(said("6 more links, pipes or devices are not read"), "{findings:#?}");
}

#[test]
fn names_that_are_not_utf8_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("raw/yes");
    fs::create_dir_all(&raw).unwrap();
    save(&raw.join("P01.csv"), b"");
    // Some file systems refuse such names themselves.
    if fs::write(raw.join(Path::new(std::ffi::OsStr::from_bytes(b"M\xfcller.csv"))), b"").is_err() {
        return;
    }
    for error in [
        walk(&folder.path().join("raw"), false).unwrap_err().to_string(),
        draft(folder.path()).unwrap_err().to_string(),
    ] {
        assert!(
            error
                .contains("raw/yes: name \"M\\xFCller.csv\": found bytes that are not UTF-8, expected a name in UTF-8"),
            "{error}"
        );
    }
}
