//! Licences, bans and sources of everything that is built in, against `deny.toml`.
//!
//! cargo-deny does this best and is used where it is installed; it takes minutes to build, so the same three questions
//! are also answered here from `cargo metadata`, for every clone and within a second. Known weaknesses (advisories) are
//! not looked at: that needs a database from outside.

use std::{collections::BTreeSet, fs};

use serde_json::Value;
use spdx::{Expression, ParseMode};

use crate::{
    metadata::Graph,
    process::{cargo, find, pass_through, read, root},
    tally::Step,
};

/// Both ways; the own one always.
pub(crate) fn run() -> Step {
    let mut step = Step::default();
    match Policy::load().and_then(|policy| Ok((policy, Graph::load()?))) {
        Ok((policy, graph)) => {
            println!("  {} packages against deny.toml", graph.packages.len());
            step.check("licences of crates", policy.licences(&graph));
            step.check("no banned crate", policy.bans(&graph));
            step.check("every crate from the registry or from here", policy.sources(&graph));
            step.check("licences of the browser tests' packages", policy.npm());
        }
        Err(words) => step.fail(words),
    }
    cargo_deny(&mut step);
    step
}

fn cargo_deny(step: &mut Step) {
    let there = || find("cargo-deny").is_some() || read(&mut cargo(&["deny", "--version"])).is_ok();
    if !there() {
        let asked = std::env::var("ASSAY_INSTALL").ok();
        if asked.as_deref() == Some("yes") {
            println!("  cargo-deny is not installed; building it takes some minutes");
            if let Err(words) = pass_through(&mut cargo(&["install", "cargo-deny@0.20.2", "--locked", "--quiet"])) {
                step.note(format!("cargo-deny could not be installed ({words}); the check above is what was done"));
                return;
            }
        } else {
            step.note("cargo-deny is not installed (`ASSAY_INSTALL=yes` builds it, in minutes); licences, bans and sources were checked from cargo metadata");
            return;
        }
    }
    match pass_through(&mut cargo(&["deny", "--locked", "check", "bans", "licenses", "sources"])) {
        Ok(()) => step.pass(),
        Err(words) => step.fail(words),
    }
}

/// The parts of `deny.toml` that the check needs.
struct Policy {
    allow: BTreeSet<String>,
    deny: BTreeSet<String>,
    registries: BTreeSet<String>,
}

impl Policy {
    fn load() -> Result<Self, String> {
        let text = fs::read_to_string(root().join("deny.toml")).map_err(|error| format!("deny.toml: {error}"))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error| format!("deny.toml: {error}"))?;
        let list = |section: &str, name: &str| -> BTreeSet<String> {
            let values = table.get(section).and_then(|section| section.get(name)).and_then(toml::Value::as_array);
            let name_of = |value: &toml::Value| value.as_str().or_else(|| value.get("crate")?.as_str()).map(str::to_owned);
            values.into_iter().flatten().filter_map(name_of).collect()
        };
        let policy = Self { allow: list("licenses", "allow"), deny: list("bans", "deny"), registries: list("sources", "allow-registry") };
        if policy.allow.is_empty() { Err("deny.toml allows no licence".to_owned()) } else { Ok(policy) }
    }

    fn fits(&self, licence: &str) -> Result<bool, String> {
        let expression = Expression::parse_mode(licence, ParseMode::LAX).map_err(|error| error.to_string())?;
        Ok(expression.evaluate(|requirement| {
            let words = requirement.to_string();
            // An exception (`WITH …`) only adds rights.
            self.allow.contains(&words) || words.split_once(" WITH ").is_some_and(|(base, _)| self.allow.contains(base))
        }))
    }

    fn fault(&self, name: &str, version: &str, licence: Option<&str>) -> Option<String> {
        match licence.map(|licence| (licence, self.fits(licence))) {
            Some((_, Ok(true))) => None,
            Some((licence, Ok(false))) => Some(format!("{name} {version}: `{licence}` is not in the list of deny.toml")),
            Some((licence, Err(words))) => Some(format!("{name} {version}: `{licence}`: {words}")),
            None => Some(format!("{name} {version} names no licence")),
        }
    }

    fn licences(&self, graph: &Graph) -> Vec<String> {
        graph.packages.values().filter_map(|package| self.fault(&package.name, &package.version, package.licence.as_deref())).collect()
    }

    fn bans(&self, graph: &Graph) -> Vec<String> {
        let banned = graph.packages.values().filter(|package| self.deny.contains(&package.name));
        banned.map(|package| format!("{} {} is banned in deny.toml", package.name, package.version)).collect()
    }

    fn sources(&self, graph: &Graph) -> Vec<String> {
        let fits = |source: &str| source.strip_prefix("registry+").is_some_and(|address| self.registries.contains(address));
        let strangers = graph.packages.values().filter(|package| !package.member && !package.source.as_deref().is_some_and(fits));
        strangers
            .map(|package| format!("{} {} comes from {}", package.name, package.version, package.source.as_deref().unwrap_or("a folder")))
            .collect()
    }

    /// `e2e/package-lock.json` names a licence for each package.
    fn npm(&self) -> Vec<String> {
        let lock = root().join("e2e/package-lock.json");
        let Some(value) = fs::read_to_string(&lock).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok()) else {
            return vec!["e2e/package-lock.json cannot be read".to_owned()];
        };
        let packages = value.get("packages").and_then(Value::as_object).into_iter().flatten().filter(|(path, _)| !path.is_empty());
        let of = |package: &Value, name: &str| package.get(name).and_then(Value::as_str).map(str::to_owned);
        packages
            .filter_map(|(path, package)| self.fault(path, &of(package, "version").unwrap_or_default(), of(package, "license").as_deref()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_judged() {
        let policy =
            Policy::parse("[licenses]\nallow = [\"MIT\", \"Apache-2.0\", \"Unicode-3.0\"]\n[bans]\ndeny = [{ crate = \"openssl-sys\" }]\n")
                .unwrap();
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/Apache-2.0",
            "Apache-2.0 / MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert_eq!(policy.fits(good), Ok(true), "{good}");
        }
        for bad in ["GPL-3.0-only", "MIT AND AGPL-3.0-only", "ISC"] {
            assert_eq!(policy.fits(bad), Ok(false), "{bad}");
        }
        assert!(policy.deny.contains("openssl-sys"));
        assert!(policy.fault("x", "1", None).is_some());
    }
}
