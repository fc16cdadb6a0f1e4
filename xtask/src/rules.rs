//! Which crate may depend on which, and what may be named where: the arrows of ARCHITECTURE.md, held by a check.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{
    metadata::{Graph, Package},
    process::{cargo, read, root},
    source::{self, Kind},
    tally::Step,
};

/// The one table of arrows: a crate, and the crates of this repository that it may need.
/// Dependencies for tests only are free; `assay-fixtures` may be nothing else.
const ARROWS: &[(&str, &[&str])] = &[
    ("assay-items", &[]),
    ("assay-core", &["assay-items"]),
    ("assay-pack", &["assay-core", "assay-items", "assay-art"]),
    ("assay-measure", &["assay-core", "assay-items"]),
    ("assay-badge", &[]),
    ("assay-art", &[]),
    ("assay-store", &["assay-core", "assay-items"]),
    ("assay-jobs", &["assay-store", "assay-core", "assay-items", "assay-badge", "assay-measure", "assay-art"]),
    ("assay-web", &["assay-store", "assay-core", "assay-items", "assay-badge", "assay-measure", "assay-art"]),
    (
        "assay",
        &["assay-web", "assay-jobs", "assay-store", "assay-core", "assay-items", "assay-pack", "assay-badge", "assay-measure", "assay-art"],
    ),
    ("assay-fixtures", &["assay-store", "assay-core", "assay-items", "assay-pack", "assay-badge", "assay-measure", "assay-art"]),
    ("assay-bench", &[]),
    ("assay-torture", &["assay-fixtures", "assay-jobs", "assay-store", "assay-core", "assay-items", "assay-badge", "assay-measure"]),
    ("xtask", &[]),
];

/// Crates that are plain functions of their input, and what must never be reached from them, at any distance.
const PURE: &[&str] = &["assay-core", "assay-items", "assay-pack", "assay-measure", "assay-badge", "assay-art"];
const IMPURE: &[&str] = &["tokio", "sqlx", "rusqlite", "axum"];

/// Names for a drawer where everything ends up.
const DRAWERS: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "shared"];

/// What `crates/web` never names: it can then not send it.
const KEY_NAMES: &[&str] = &["Key", "SealedKey", "answer_key"];

/// The one file with `unsafe` in it, of the one crate that has a table of lints of its own because of it: a file system under
/// SQLite for fault tests.
const UNSAFE: (&str, &str) = ("assay-torture", "torture/src/vfs.rs");

/// The crate behind fault tests' named points; the program is built without.
const FAIL_POINTS: &str = "fail ";

/// Lines of Rust in one file above which a person should think of splitting it.
const LONG_FILE: usize = 700;

/// Every rule; a rule that is broken does not hide the next.
pub(crate) fn run() -> Step {
    let mut step = Step::default();
    match Graph::load() {
        Ok(graph) => {
            step.check("arrows between crates", arrows(&graph));
            step.check("pure crates reach no tokio, sqlx, rusqlite, axum", purity(&graph));
            step.check("no crate is a drawer for anything", drawers(&graph));
            step.check("every crate takes the lints of the workspace", lints(&graph));
        }
        Err(words) => step.fail(format!("{words} (a stale Cargo.lock is mended by `cargo check`)")),
    }
    let crates = root().join("crates");
    step.check("answer keys are never named in crates/web", key_names(&crates.join("web/src")));
    step.check("SQL only in crates/store", sql(&crates));
    step.check(&format!("unsafe only in {}", UNSAFE.1), unsafe_code());
    step.check("the program has no fail points", fail_points());
    for words in long_files(&root()) {
        println!("  note    {words}");
        step.note(words);
    }
    step
}

fn arrows(graph: &Graph) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut faults = Vec::new();
    for package in graph.members() {
        let Some(allowed) = allowed.get(package.name.as_str()) else {
            faults.push(format!("{} has no line in the table ARROWS (xtask/src/rules.rs)", package.name));
            continue;
        };
        for needed in members_needed(graph, package) {
            if !allowed.contains(&needed) {
                faults.push(format!("{} must not depend on {needed} (the table is ARROWS in xtask/src/rules.rs)", package.name));
            }
        }
    }
    faults
}

fn members_needed<'a>(graph: &'a Graph, package: &Package) -> Vec<&'a str> {
    let needs = graph.needs.get(&package.id);
    needs
        .into_iter()
        .flatten()
        .filter_map(|id| graph.packages.get(id))
        .filter(|other| other.member)
        .map(|other| other.name.as_str())
        .collect()
}

fn purity(graph: &Graph) -> Vec<String> {
    let mut faults = Vec::new();
    for package in graph.members().filter(|package| PURE.contains(&package.name.as_str())) {
        for impure in IMPURE {
            if let Some(chain) = graph.chain(&package.id, impure) {
                faults.push(format!("{} is pure, yet {}", package.name, chain.join(" -> ")));
            }
        }
    }
    faults
}

fn drawers(graph: &Graph) -> Vec<String> {
    let is_drawer = |name: &str| name.split(['-', '_']).any(|word| DRAWERS.contains(&word));
    graph
        .members()
        .filter(|package| is_drawer(&package.name))
        .map(|package| format!("{}: name it after what it does", package.name))
        .collect()
}

fn lints(graph: &Graph) -> Vec<String> {
    let inherits = |package: &&Package| {
        let table = fs::read_to_string(&package.manifest).ok().and_then(|text| text.parse::<toml::Table>().ok());
        table.and_then(|table| table.get("lints")?.get("workspace")?.as_bool()) == Some(true)
    };
    let without = graph.members().filter(|package| package.name != UNSAFE.0 && !inherits(package));
    without.map(|package| format!("{}: add `[lints] workspace = true`", package.manifest.display())).collect()
}

fn key_names(folder: &Path) -> Vec<String> {
    each_token(folder, |kind| match kind {
        Kind::Name(name) if KEY_NAMES.contains(&name.as_str()) => Some(format!("names `{name}`")),
        _ => None,
    })
}

fn unsafe_code() -> Vec<String> {
    let found = ["crates", "xtask", "bench", "torture"].into_iter().flat_map(|folder| {
        each_token(&root().join(folder), |kind| match kind {
            Kind::Name(name) if name == "unsafe" => Some("is unsafe".to_owned()),
            _ => None,
        })
    });
    found.filter(|fault| !fault.starts_with(UNSAFE.1)).collect()
}

fn fail_points() -> Vec<String> {
    match read(&mut cargo(&["tree", "--package", "assay", "--edges", "normal", "--prefix", "none", "--locked"])) {
        Ok(tree) if tree.lines().any(|line| line.starts_with(FAIL_POINTS)) => {
            vec!["`assay` is built with the crate `fail`: a feature `failpoints` is on by default somewhere".to_owned()]
        }
        Ok(_) => Vec::new(),
        Err(words) => vec![words],
    }
}

fn sql(crates: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for entry in fs::read_dir(crates).into_iter().flatten().flatten().filter(|entry| entry.file_name() != "store") {
        faults.extend(each_token(&entry.path().join("src"), |kind| match kind {
            Kind::Name(name) if name == "sqlx" || name == "rusqlite" => Some(format!("names `{name}`")),
            // A server is asked about itself where one is started: that is no table of ours.
            Kind::Text(text) if is_sql(text) && !text.contains("FROM pg_stat_") => {
                Some(format!("SQL: {}", text.chars().take(60).collect::<String>()))
            }
            _ => None,
        }));
    }
    faults.sort();
    faults
}

fn each_token(folder: &Path, fault: impl Fn(&Kind) -> Option<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for path in source::files(folder) {
        let shown = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        match source::tokens(&path) {
            Ok(tokens) => {
                let found = tokens.iter().filter_map(|token| fault(&token.kind).map(|words| format!("{shown}:{}: {words}", token.line)));
                faults.extend(found);
            }
            Err(words) => faults.push(words),
        }
    }
    faults
}

/// A literal that begins like a statement and has the word that must follow.
fn is_sql(literal: &str) -> bool {
    let text = literal.trim_start_matches(|c: char| c == 'r' || c == 'b' || c == '#' || c == '"' || c == '\\' || c.is_whitespace());
    let words: Vec<String> = text.split(|c: char| c.is_whitespace() || c == '\\' || c == '(').map(str::to_ascii_lowercase).collect();
    let second = words.get(1).map_or("", String::as_str);
    // Sentences in English begin with a capital; SQL is written in one case.
    let first = text.split(char::is_whitespace).next().unwrap_or_default();
    let one_case = first.chars().all(char::is_uppercase) || first.chars().all(char::is_lowercase);
    let has = |word: &str| words.iter().any(|other| other == word);
    one_case
        && match first.to_ascii_lowercase().as_str() {
            "select" => has("from"),
            "insert" => second == "into" || second == "or",
            "update" => has("set") && has("where"),
            "delete" => second == "from",
            "create" | "alter" | "drop" => matches!(second, "table" | "index" | "unique" | "trigger" | "view"),
            "pragma" => !second.is_empty(),
            "begin" => matches!(second, "immediate" | "transaction" | "deferred"),
            _ => false,
        }
}

fn long_files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["crates", "xtask", "bench", "torture"] {
        for path in source::files(&root.join(folder)) {
            let lines = fs::read_to_string(&path).map_or(0, |text| text.lines().count());
            if lines > LONG_FILE {
                found.push(format!("{} has {lines} lines; split it by what it does", path.strip_prefix(root).unwrap_or(&path).display()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_from_sentences() {
        for statement in [
            "\"SELECT id FROM people WHERE id = ?\"",
            "\"select 1 from people\"",
            "r#\"\n  INSERT INTO people(id) VALUES (?)\"#",
            "\"UPDATE people SET name = ? WHERE id = ?\"",
            "\"PRAGMA journal_mode\"",
            "\"CREATE TABLE people (id)\"",
        ] {
            assert!(is_sql(statement), "{statement}");
        }
        for sentence in [
            "\"Select an answer from the list.\"",
            "\"Update your name\"",
            "\"delete\"",
            "\"Create a folder first\"",
            "\"begin\"",
            "\"Begin\"",
            "'s'",
        ] {
            assert!(!is_sql(sentence), "{sentence}");
        }
    }

    #[test]
    fn every_pure_crate_has_its_line() {
        for name in PURE {
            assert!(ARROWS.iter().any(|(other, _)| other == name), "{name}");
        }
    }
}
