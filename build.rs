//! Puts what a manifest must state into the binary: the commit it was built from and the version of burn.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-changed=.git/index");
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .args(args)
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
    };
    // Empty outside a repository, such as in a crate downloaded from a registry.
    let commit = git(&["rev-parse", "HEAD"]).unwrap_or_default();
    let dirty = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changes| !changes.is_empty());
    println!(
        "cargo::rustc-env=RECOUP_GIT_COMMIT={commit}{}",
        if dirty { "-dirty" } else { "" }
    );
    let lock = std::fs::read_to_string("Cargo.lock").unwrap_or_default();
    let version = lock
        .split("name = \"burn\"\nversion = \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    println!("cargo::rustc-env=RECOUP_BURN_VERSION={}", version.unwrap_or("unknown"));
}
