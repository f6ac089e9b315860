//! Imports go one way: a module may use those before it in the order in which data flows, never those after it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules in the order in which data flows (`ARCHITECTURE.md`).
const ORDER: [&str; 10] = [
    "data",
    "features",
    "models",
    "training",
    "evaluation",
    "tracking",
    "experiment",
    "runs",
    "launch",
    "commands",
];

/// Roots of crates, which see everything, and the program's arguments, which only `main.rs` and `commands` can reach.
const ROOTS: [&str; 3] = ["lib", "main", "cli"];

#[derive(Debug, PartialEq)]
struct Violation {
    file: PathBuf,
    line: usize,
    rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.rule)
    }
}

/// What `text` imports against the order. `file` is relative to `src`.
fn violations(file: &Path, text: &str) -> Vec<Violation> {
    let violation = |line, rule| Violation {
        file: Path::new("src").join(file),
        line,
        rule,
    };
    let module = module_path(file);
    let Some(own) = module.first().filter(|own| !ROOTS.contains(&own.as_str())) else {
        return Vec::new();
    };
    let Some(rank) = rank(own) else {
        let rule = format!("`{own}` has no place in the order of modules: {}", ORDER.join(" < "));
        return vec![violation(1, rule)];
    };
    let mut found: Vec<_> = imports(&without_comments(text), module.len())
        .into_iter()
        .filter(|(_, import)| self::rank(import).is_some_and(|imported| imported > rank))
        .map(|(line, import)| {
            violation(
                line,
                format!(
                    "`{own}` must not use `{import}`, which comes after it: {}",
                    ORDER.join(" < ")
                ),
            )
        })
        .collect();
    found.sort_by_key(|violation| violation.line);
    found
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|name| *name == module)
}

/// `data/split/draw.rs` is `[data, split, draw]`, `data/mod.rs` is `[data]`.
fn module_path(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// Lines of comments emptied, so that a link in a doc comment is no import and lines keep their numbers.
fn without_comments(text: &str) -> String {
    let code = |line| {
        if str::trim_start(line).starts_with("//") {
            ""
        } else {
            line
        }
    };
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// Line and name of everything that `code`, `depth` modules below the root, takes from the root of the crate: through
/// `crate`, through the library's name, or through as many `super` as lead there.
fn imports(code: &str, depth: usize) -> Vec<(usize, String)> {
    let roots = ["crate::".to_owned(), "recoup::".to_owned(), "super::".repeat(depth)];
    let mut found = Vec::new();
    for root in &roots {
        for (at, _) in code.match_indices(root.as_str()) {
            let is_path_start = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            if is_path_start {
                found.extend(first_names(code, at + root.len()));
            }
        }
    }
    found
        .into_iter()
        .map(|(at, name)| (1 + code[..at].matches('\n').count(), name))
        .collect()
}

/// The name at `start`, or all outermost names of the `{...}` there, with their positions.
fn first_names(code: &str, start: usize) -> Vec<(usize, String)> {
    let rest = &code[start..];
    if !rest.starts_with('{') {
        return vec![(start, name(rest))];
    }
    let (mut depth, mut names, mut expected) = (0, Vec::new(), false);
    for (at, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && (c == ',' || at == 0) {
            expected = true;
        } else if expected && !c.is_whitespace() {
            names.push((start + at, name(&rest[at..])));
            expected = false;
        }
    }
    names
}

fn name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn imports_go_from_later_modules_to_earlier_ones() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = Vec::new();
    let mut found = Vec::new();
    for file in rust_files(&src) {
        let relative = file.strip_prefix(&src).unwrap();
        seen.extend(module_path(relative).into_iter().next());
        found.extend(violations(relative, &fs::read_to_string(&file).unwrap()));
    }
    let report: Vec<String> = found.iter().map(Violation::to_string).collect();
    assert!(
        report.is_empty(),
        "{} wrong imports:\n{}",
        report.len(),
        report.join("\n")
    );
    for module in ORDER {
        assert!(
            seen.iter().any(|name| name == module),
            "`{module}` is in the order, but not in src"
        );
    }
}

#[test]
fn kernels_know_nothing_of_the_framework() {
    let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    // Cargo refuses a cycle of dependencies, but not one through a dev-dependency.
    for (line, text) in fs::read_to_string(kernels.join("Cargo.toml"))
        .unwrap()
        .lines()
        .enumerate()
    {
        let key = text.split(['=', '.', ' ']).next().unwrap();
        let table = text.trim_matches(['[', ']']).rsplit('.').next().unwrap();
        let names_us = key == "recoup" || (text.starts_with('[') && table == "recoup");
        assert!(
            !names_us,
            "kernels/Cargo.toml:{}: `recoup-kernels` must not depend on `recoup`",
            line + 1
        );
    }
}

#[test]
fn a_wrong_import_is_reported_with_file_line_and_rule() {
    let report = |file: &str, text: &str| {
        violations(Path::new(file), text)
            .iter()
            .map(Violation::to_string)
            .collect::<Vec<_>>()
    };
    let wrong = |file: &str, line: usize, own: &str, import: &str| {
        format!(
            "src/{file}:{line}: `{own}` must not use `{import}`, which comes after it: data < features < models < \
             training < evaluation < tracking < experiment < runs < launch < commands"
        )
    };
    let text = "use std::fs;\nuse crate::training::trainer::Trainer;\n";
    assert_eq!(
        report("models/cnn.rs", text),
        [wrong("models/cnn.rs", 2, "models", "training")]
    );
    assert_eq!(report("evaluation/mod.rs", text), [""; 0]);

    let group = "use crate::{\n    data::{Cohort, tracking},\n    launch::run,\n    evaluation,\n};\n";
    let expected = [
        wrong("features/a/b.rs", 3, "features", "launch"),
        wrong("features/a/b.rs", 4, "features", "evaluation"),
    ];
    assert_eq!(report("features/a/b.rs", group), expected);

    let supers = "fn f() {\n    super::super::runs::open()\n}\n";
    assert_eq!(
        report("data/card.rs", supers),
        [wrong("data/card.rs", 2, "data", "runs")]
    );
    assert_eq!(
        report("data/split/draw.rs", supers),
        [""; 0],
        "this is crate::data::runs"
    );

    let fine = "//! See [`crate::launch`].\nuse my_crate::launch;\nuse crate::data::runs;\n";
    assert_eq!(report("data/card.rs", fine), [""; 0]);
    assert_eq!(report("lib.rs", text), [""; 0]);

    let stranger = "src/helpers.rs:1: `helpers` has no place in the order of modules: data < features < models < \
                    training < evaluation < tracking < experiment < runs < launch < commands";
    assert_eq!(report("helpers.rs", "fn f() {}"), [stranger]);
}
