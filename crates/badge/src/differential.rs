//! The reduced contexts must give the same statements as the full ones, on every document at hand.

use std::path::{Path, PathBuf};

use crate::contexts::ContextSet;
use crate::rdf;

/// Where test data from outside lies; `None` skips the test, unless the folder was named and is missing.
fn outside() -> Option<PathBuf> {
    let named = std::env::var_os("ASSAY_OUTSIDE_DATA").map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = named.clone().unwrap_or(root).join("credentials");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(named.is_none(), "ASSAY_OUTSIDE_DATA has no credentials folder");
    println!("skipped: no outside data");
    None
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, out);
        } else {
            out.push(path);
        }
    }
}

#[test]
fn reduced_contexts_change_no_statement() {
    let Some(folder) = outside() else { return };
    let mut all = Vec::new();
    files(&folder, &mut all);
    let mut compared = 0;
    for path in all {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let Ok(document) = crate::json::parse(&bytes) else { continue };
        let set = ContextSet::bundled();
        let Ok((prepared, urls)) = rdf::prepare(&document, set) else { continue };
        let canonical = |loaded| rdf::expand(&prepared, loaded).and_then(rdf::canonical);
        assert_eq!(canonical(set.reduced(&prepared, &urls)).ok(), canonical(set.full(&urls)).ok(), "{}", path.display());
        compared += 1;
    }
    println!("{compared} documents compared");
    assert!(compared >= 200, "only {compared}");
}
