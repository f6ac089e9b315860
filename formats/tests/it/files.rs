//! Files that are whole or not there.

use std::fs;
use std::io::{self, Write as _};

use recoup_formats::file::{write_atomic, write_new};

#[test]
fn a_failed_write_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    write_atomic(&path, |file| file.write_all(b"first")).unwrap();
    let error = write_atomic(&path, |file| {
        file.write_all(b"sec")?;
        Err(io::Error::from(io::ErrorKind::StorageFull))
    })
    .unwrap_err();
    assert_eq!(error.io_kind(), Some(io::ErrorKind::StorageFull));
    assert_eq!(error.path(), path);
    assert_eq!(fs::read(&path).unwrap(), b"first");
    let error = write_new(&path, |file| file.write_all(b"second")).unwrap_err();
    assert_eq!(error.io_kind(), Some(io::ErrorKind::AlreadyExists));
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no temporary file is left"
    );
    let lost = folder.path().join("none/a");
    let error = write_atomic(&lost, |_| Ok(())).unwrap_err();
    assert_eq!((error.path(), error.io_kind()), (&*lost, Some(io::ErrorKind::NotFound)));
}

#[cfg(unix)]
#[test]
fn the_mode_is_that_of_any_other_new_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, b"x").unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode();
    for (name, write) in [("atomic", true), ("new", false)] {
        let path = folder.path().join(name);
        let written = match write {
            true => write_atomic(&path, |file| file.write_all(b"x")),
            false => write_new(&path, |file| file.write_all(b"x")),
        };
        written.unwrap();
        assert_eq!(mode(&path), mode(&plain), "{name}");
    }
}
