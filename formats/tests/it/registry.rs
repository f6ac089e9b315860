//! The list of formats in documents is that of the registry.

use std::collections::BTreeSet;

use recoup_formats::FORMATS;

/// The lines of README's table, as the registry has them.
fn table() -> String {
    let row = |format: &&recoup_formats::Format| format!("| {} | {} |\n", format.name, format.reads);
    FORMATS.iter().map(row).collect()
}

#[test]
fn names_are_different() {
    let names: BTreeSet<&str> = FORMATS.iter().map(|format| format.name).collect();
    assert_eq!(names.len(), FORMATS.len());
}

#[test]
fn readme_lists_the_formats_of_the_registry() {
    let readme = include_str!("../../README.md");
    assert!(
        readme.contains(&table()),
        "README.md of formats should have these lines:\n{}",
        table()
    );
}
