//! Imports go one way: between rooms in the order in which data flows, and between files without a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use syn::UseTree;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// The rooms of `src` in the order in which data flows (`ARCHITECTURE.md`).
const ORDER: [&str; 17] = [
    "base",
    "clinical",
    "signal",
    "dataset",
    "cohort",
    "simulate",
    "deidentify",
    "features",
    "models",
    "training",
    "evaluation",
    "runs",
    "experiment",
    "figures",
    "tracking",
    "launch",
    "commands",
];

/// Roots of crates, which see everything, and the program's arguments, which only `main.rs` and `commands` can reach.
const ROOTS: [&str; 3] = ["lib", "main", "cli"];

/// A module's path from the root of its crate: `cohort/split/draw.rs` is `[cohort, split, draw]`.
type Module = Vec<String>;

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

/// One path that a file names, resolved to the root of its crate.
#[derive(Debug)]
struct Import {
    line: usize,
    path: Module,
}

/// All paths of a file, and the names that it hands on with `pub use`.
struct Paths<'a> {
    module: &'a [String],
    /// Names that stand for the root of the crate: `crate`, and the library's name in the program.
    roots: &'a [&'a str],
    children: &'a BTreeSet<String>,
    imports: Vec<Import>,
    exports: BTreeMap<String, Module>,
}

impl Paths<'_> {
    /// The absolute form of `path`; none where it leads out of the crate.
    fn resolve(&self, path: &[String]) -> Option<Module> {
        let first = path.first()?;
        if self.roots.contains(&first.as_str()) {
            return Some(path[1..].to_vec());
        }
        let num_supers = path.iter().take_while(|part| *part == "super").count();
        if num_supers > 0 {
            let base = self.module.len().checked_sub(num_supers)?;
            return Some([&self.module[..base], &path[num_supers..]].concat());
        }
        if first == "self" || self.children.contains(first) {
            let rest = if first == "self" { &path[1..] } else { path };
            return Some([self.module, rest].concat());
        }
        None
    }

    fn add(&mut self, path: &[String], line: usize) {
        if let Some(path) = self.resolve(path) {
            self.imports.push(Import { line, path });
        }
    }

    fn add_use(&mut self, tree: &UseTree, prefix: &[String], is_public: bool) {
        let joined = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        let (path, name) = match tree {
            UseTree::Path(path) => return self.add_use(&path.tree, &joined(&path.ident), is_public),
            UseTree::Group(group) => {
                return group
                    .items
                    .iter()
                    .for_each(|tree| self.add_use(tree, prefix, is_public));
            }
            UseTree::Name(leaf) if leaf.ident == "self" => (prefix.to_vec(), prefix.last().cloned()),
            UseTree::Name(leaf) => (joined(&leaf.ident), Some(leaf.ident.to_string())),
            UseTree::Rename(leaf) => (joined(&leaf.ident), Some(leaf.rename.to_string())),
            UseTree::Glob(_) => (prefix.to_vec(), None),
        };
        self.add(&path, tree.span().start().line);
        if is_public && let (Some(name), Some(path)) = (name, self.resolve(&path)) {
            self.exports.insert(name, path);
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        // A private `use` hands its names on to the modules below, which reach them by `super::`.
        self.add_use(&item.tree, &[], true);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.add(&parts, path.span().start().line);
        }
        visit::visit_path(self, path);
    }

    /// Paths inside of `format!(...)`, `vec![...]` and others that take expressions.
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        use syn::punctuated::Punctuated;
        if let Ok(arguments) = call.parse_body_with(Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated) {
            arguments.iter().for_each(|argument| self.visit_expr(argument));
        }
        visit::visit_macro(self, call);
    }

    /// A module of unit tests inside a file may look around.
    fn visit_item_mod(&mut self, _: &'ast syn::ItemMod) {}
}

/// `cohort/split/draw.rs` is `[cohort, split, draw]`, `cohort/mod.rs` is `[cohort]`, `lib.rs` is `[]`.
fn module_path(file: &Path) -> Module {
    let mut parts: Module = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if parts.last().is_some_and(|last| last == "mod") || parts == ["lib"] {
        parts.pop();
    }
    parts
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|name| *name == module)
}

/// Imports of `text` against the order of rooms. `file` is relative to `src`.
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
        let rule = format!("`{own}` has no place in the order of rooms: {}", ORDER.join(" < "));
        return vec![violation(1, rule)];
    };
    let mut found: Vec<_> = parse(&module, text, &BTreeSet::new())
        .imports
        .into_iter()
        .filter_map(|import| Some((import.line, import.path.into_iter().next()?)))
        .filter(|(_, import)| self::rank(import).is_some_and(|imported| imported > rank))
        .map(|(line, import)| {
            let order = ORDER.join(" < ");
            violation(
                line,
                format!("`{own}` must not use `{import}`, which comes after it: {order}"),
            )
        })
        .collect();
    found.sort_by_key(|violation| violation.line);
    found.dedup();
    found
}

fn parse<'a>(module: &'a [String], text: &str, children: &'a BTreeSet<String>) -> Paths<'a> {
    let mut paths = Paths {
        module,
        roots: &["crate", "recoup"],
        children,
        imports: Vec::new(),
        exports: BTreeMap::new(),
    };
    paths.visit_file(&syn::parse_file(text).unwrap());
    paths
}

/// The files of one crate and what each imports of the others.
struct Graph {
    files: BTreeMap<Module, PathBuf>,
    edges: BTreeMap<Module, BTreeMap<Module, BTreeSet<String>>>,
}

impl Graph {
    /// Reads the crate whose sources lie in `src`.
    fn read(src: &Path) -> Self {
        let texts = rust_files(src)
            .into_iter()
            .map(|file| {
                (
                    file.strip_prefix(src).unwrap().to_path_buf(),
                    fs::read_to_string(&file).unwrap(),
                )
            })
            .collect();
        Self::new(texts)
    }

    fn new(texts: Vec<(PathBuf, String)>) -> Self {
        let files: BTreeMap<Module, PathBuf> = texts
            .iter()
            .map(|(file, _)| (module_path(file), file.clone()))
            .collect();
        let children = |module: &Module| -> BTreeSet<String> {
            let below = files
                .keys()
                .filter(|other| other.len() == module.len() + 1 && other.starts_with(module));
            below.filter_map(|other| other.last().cloned()).collect()
        };
        let mut imports = BTreeMap::new();
        let mut exports = BTreeMap::new();
        for (file, text) in &texts {
            let module = module_path(file);
            let children = children(&module);
            let paths = parse(&module, text, &children);
            let (found, handed_on) = (paths.imports, paths.exports);
            imports.insert(module.clone(), found);
            exports.insert(module, handed_on);
        }
        let mut edges: BTreeMap<Module, BTreeMap<Module, BTreeSet<String>>> = BTreeMap::new();
        for (module, imports) in &imports {
            for import in imports {
                let (target, name) = defining(&import.path, &files, &exports);
                // A module and the files that it is made of are one thing.
                if !target.starts_with(module) && !module.starts_with(&target) {
                    edges
                        .entry(module.clone())
                        .or_default()
                        .entry(target)
                        .or_default()
                        .insert(name);
                }
            }
        }
        Self { files, edges }
    }

    /// Files that can be reached from `start` by at least one import.
    fn reached(&self, start: &Module) -> BTreeSet<&Module> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&Module> = vec![start];
        while let Some(module) = open.pop() {
            for next in self.edges.get(module).into_iter().flat_map(BTreeMap::keys) {
                if reached.insert(next) {
                    open.push(next);
                }
            }
        }
        reached
    }

    /// Every import that lies on a circle.
    fn circles(&self) -> Vec<String> {
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            self.files.keys().map(|module| (module, self.reached(module))).collect();
        let mut found = Vec::new();
        for (from, targets) in &self.edges {
            for (to, names) in targets.iter().filter(|(to, _)| reached[*to].contains(from)) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let (from, to) = (self.files[from].display(), self.files[to].display());
                found.push(format!("{from} -> {to}: {}", names.join(", ")));
            }
        }
        found
    }
}

/// The file in which `path` is defined, and its first name there; follows what files hand on.
fn defining(
    path: &[String],
    files: &BTreeMap<Module, PathBuf>,
    exports: &BTreeMap<Module, BTreeMap<String, Module>>,
) -> (Module, String) {
    let mut path = path.to_vec();
    // More steps than any chain of re-exports has; a circle of them does not compile.
    for _ in 0..16 {
        let len = (0..=path.len())
            .rev()
            .find(|len| files.contains_key(&path[..*len]))
            .unwrap_or(0);
        let name = path.get(len).cloned().unwrap_or_else(|| "*".into());
        match exports.get(&path[..len]).and_then(|exports| exports.get(&name)) {
            Some(target) => path = [target.as_slice(), &path[len + 1..]].concat(),
            None => return (path[..len].to_vec(), name),
        }
    }
    unreachable!("re-exports without an end: {path:?}")
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

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn imports_go_from_later_rooms_to_earlier_ones() {
    let src = root().join("src");
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
fn no_files_import_each_other_in_a_circle() {
    for sources in ["src", "formats/src", "kernels/src"] {
        let circles = Graph::read(&root().join(sources)).circles();
        assert!(
            circles.is_empty(),
            "imports on a circle in {sources}:\n{}",
            circles.join("\n")
        );
    }
}

#[test]
fn a_circle_is_reported_with_files_and_names() {
    let circles = |files: &[(&str, &str)]| {
        Graph::new(
            files
                .iter()
                .map(|(file, text)| (file.into(), (*text).to_owned()))
                .collect(),
        )
        .circles()
    };
    let pair = [
        ("lib.rs", ""),
        ("a.rs", "use crate::b::{B, c::D};"),
        ("b.rs", "fn f(x: super::a::A) {}"),
    ];
    assert_eq!(circles(&pair), ["a.rs -> b.rs: B, c", "b.rs -> a.rs: A"]);
    let through_a_face = [
        ("lib.rs", ""),
        ("a/mod.rs", "pub use one::One;\nmod one;\nmod two;"),
        ("a/one.rs", "use super::two::Two;"),
        ("a/two.rs", "fn f() { assert!(super::One::new(1) == 2); }"),
    ];
    assert_eq!(
        circles(&through_a_face),
        ["a/one.rs -> a/two.rs: Two", "a/two.rs -> a/one.rs: One"]
    );
    let three = [
        ("lib.rs", ""),
        ("a.rs", "use crate::b;"),
        ("b.rs", "use crate::c::C;"),
        ("c.rs", "// of `crate::b`\nuse crate::a::A;"),
        ("d.rs", "use crate::a::A;"),
    ];
    assert_eq!(
        circles(&three),
        ["a.rs -> b.rs: *", "b.rs -> c.rs: C", "c.rs -> a.rs: A"]
    );
    let parent_and_child = [
        ("lib.rs", ""),
        ("a.rs", "mod b;\nuse b::B;"),
        ("a/b.rs", "use super::A;"),
    ];
    assert_eq!(circles(&parent_and_child), [""; 0]);
}

#[test]
fn member_crates_know_nothing_of_the_framework() {
    for member in ["formats", "kernels"] {
        // Cargo refuses a cycle of dependencies, but not one through a dev-dependency.
        let manifest = root().join(member).join("Cargo.toml");
        for (line, text) in fs::read_to_string(manifest).unwrap().lines().enumerate() {
            let key = text.split(['=', '.', ' ']).next().unwrap();
            let table = text.trim_matches(['[', ']']).rsplit('.').next().unwrap();
            let names_us = key == "recoup" || (text.starts_with('[') && table == "recoup");
            assert!(
                !names_us,
                "{member}/Cargo.toml:{}: `recoup-{member}` must not depend on `recoup`",
                line + 1
            );
        }
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
    let order = ORDER.join(" < ");
    let wrong = |file: &str, line: usize, own: &str, import: &str| {
        format!("src/{file}:{line}: `{own}` must not use `{import}`, which comes after it: {order}")
    };
    let text = "use std::fs;\nuse crate::training::trainer::Trainer;\n";
    assert_eq!(
        report("models/cnn.rs", text),
        [wrong("models/cnn.rs", 2, "models", "training")]
    );
    assert_eq!(report("evaluation/mod.rs", text), [""; 0]);

    let group = "use crate::{\n    dataset::{Cohort, tracking},\n    launch::run,\n    evaluation,\n};\n";
    let expected = [
        wrong("features/a/b.rs", 3, "features", "launch"),
        wrong("features/a/b.rs", 4, "features", "evaluation"),
    ];
    assert_eq!(report("features/a/b.rs", group), expected);

    let supers = "fn f() {\n    super::super::runs::open()\n}\n";
    assert_eq!(
        report("dataset/card.rs", supers),
        [wrong("dataset/card.rs", 2, "dataset", "runs")]
    );
    assert_eq!(
        report("cohort/split/draw.rs", supers),
        [""; 0],
        "this is crate::cohort::runs"
    );

    let fine = "//! See [`crate::launch`].\nuse my_crate::launch;\nuse crate::dataset::runs;\n";
    assert_eq!(report("dataset/card.rs", fine), [""; 0]);
    assert_eq!(report("lib.rs", text), [""; 0]);

    let stranger = format!("src/helpers.rs:1: `helpers` has no place in the order of rooms: {order}");
    assert_eq!(report("helpers.rs", "fn f() {}"), [stranger]);
}
