//! The workspace as cargo sees it, from `cargo metadata`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde_json::Value;

use crate::process::{cargo, read};

/// One package of the graph.
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// SPDX expression, as its author wrote it.
    pub(crate) licence: Option<String>,
    /// Where it comes from; `None` for what is in this repository.
    pub(crate) source: Option<String>,
    pub(crate) manifest: PathBuf,
    pub(crate) member: bool,
}

/// The graph for this machine's platform.
pub(crate) struct Graph {
    pub(crate) packages: BTreeMap<String, Package>,
    /// Ids that a package needs to be built and run.
    pub(crate) needs: BTreeMap<String, BTreeSet<String>>,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
}

impl Graph {
    /// Reads the graph; `--locked`, so that a stale `Cargo.lock` is an error with words.
    pub(crate) fn load() -> Result<Self, String> {
        let host = host()?;
        let text = read(&mut cargo(&["metadata", "--format-version", "1", "--locked", "--filter-platform", &host]))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))?;
        Ok(Self::from_value(&value))
    }

    fn from_value(value: &Value) -> Self {
        let members: BTreeSet<&str> = array(value, "workspace_members").filter_map(Value::as_str).collect();
        let nodes: Vec<&Value> = value.get("resolve").map(|resolve| array(resolve, "nodes").collect()).unwrap_or_default();
        let used: BTreeSet<String> = nodes.iter().map(|node| text(node, "id")).collect();
        let packages = array(value, "packages")
            .map(|package| Package {
                id: text(package, "id"),
                name: text(package, "name"),
                version: text(package, "version"),
                licence: package.get("license").and_then(Value::as_str).map(str::to_owned),
                source: package.get("source").and_then(Value::as_str).map(str::to_owned),
                manifest: PathBuf::from(text(package, "manifest_path")),
                member: package.get("id").and_then(Value::as_str).is_some_and(|id| members.contains(id)),
            })
            .filter(|package| used.contains(&package.id))
            .map(|package| (package.id.clone(), package))
            .collect();
        let needs = nodes.iter().map(|node| (text(node, "id"), needed(node))).collect();
        Self { packages, needs, target: PathBuf::from(text(value, "target_directory")) }
    }

    /// The crates of this repository.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|package| package.member)
    }

    /// The shortest chain of names from a package to one with the wanted name, over what is needed to build and run.
    pub(crate) fn chain(&self, from: &str, wanted: &str) -> Option<Vec<String>> {
        let mut paths = std::collections::VecDeque::from([vec![from.to_owned()]]);
        let mut seen = BTreeSet::new();
        while let Some(path) = paths.pop_front() {
            let last = path.last()?;
            for next in self.needs.get(last).into_iter().flatten() {
                if !seen.insert(next.clone()) {
                    continue;
                }
                let mut longer = path.clone();
                longer.push(next.clone());
                if self.name(next) == wanted {
                    return Some(longer.iter().map(|id| self.name(id).to_owned()).collect());
                }
                paths.push_back(longer);
            }
        }
        None
    }

    /// A package's name by its id.
    pub(crate) fn name(&self, id: &str) -> &str {
        self.packages.get(id).map_or("", |package| package.name.as_str())
    }
}

/// Normal and build dependencies; those for tests only are left out.
fn needed(node: &Value) -> BTreeSet<String> {
    array(node, "deps")
        .filter(|dependency| array(dependency, "dep_kinds").any(|kind| kind.get("kind").and_then(Value::as_str) != Some("dev")))
        .map(|dependency| text(dependency, "pkg"))
        .collect()
}

fn host() -> Result<String, String> {
    let words = read(std::process::Command::new("rustc").arg("-vV"))?;
    words.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned).ok_or_else(|| "rustc -vV names no host".to_owned())
}

fn array<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_follow_what_is_needed_and_not_what_tests_use() {
        let package = |id: &str| serde_json::json!({"id": id, "name": id, "version": "1", "manifest_path": "x"});
        let packages = ["a", "b", "c", "d"].map(package);
        let node = |id: &str, on: &[(&str, Option<&str>)]| {
            let deps: Vec<Value> = on.iter().map(|(pkg, kind)| serde_json::json!({"pkg": pkg, "dep_kinds": [{"kind": kind}]})).collect();
            serde_json::json!({"id": id, "deps": deps})
        };
        let graph = Graph::from_value(&serde_json::json!({
            "packages": packages,
            "workspace_members": ["a"],
            "target_directory": "t",
            "resolve": {"nodes": [
                node("a", &[("b", None), ("d", Some("dev"))]),
                node("b", &[("c", Some("build"))]),
                node("c", &[]),
                node("d", &[]),
            ]},
        }));
        assert_eq!(graph.chain("a", "c"), Some(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]));
        assert_eq!(graph.chain("a", "d"), None);
        assert_eq!(graph.members().count(), 1);
    }
}
