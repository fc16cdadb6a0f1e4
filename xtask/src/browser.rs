//! What the browser tests stand on: Chromium, node and its packages, and the program itself. Found, or installed where
//! that is allowed; otherwise the reason, in words.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    debian,
    metadata::Graph,
    outside,
    process::{cargo, find, pass_through, read, root},
};

/// playwright-core's floor, and what Debian 12 has.
const NODE_AT_LEAST: u32 = 18;

/// Everything found.
pub(crate) struct Bench {
    chromium: PathBuf,
    node: PathBuf,
    program: PathBuf,
}

/// Why there is no bench: cannot be had here, or broken.
pub(crate) enum Missing {
    Skip(String),
    Broken(String),
}

impl Bench {
    /// Finds or installs everything, and builds the program in the dev profile.
    pub(crate) fn ready() -> Result<Self, Missing> {
        if !tools_are_there() {
            install_tools().map_err(|words| Missing::Skip(format!("browser tests: {words}")))?;
        }
        let chromium = chromium().ok_or_else(|| skip("there is no Chromium; install it, or name one in ASSAY_CHROMIUM"))?;
        let node = node()?;
        packages()?;
        let program = program().map_err(Missing::Broken)?;
        println!("  Chromium is {}", chromium.display());
        Ok(Self { chromium, node, program })
    }

    /// A node command in `e2e/` that knows where everything is.
    pub(crate) fn node(&self) -> Command {
        let mut command = Command::new(&self.node);
        command.current_dir(folder()).env("ASSAY_CHROMIUM", &self.chromium).env("ASSAY_BIN", &self.program);
        if let Some(data) = outside::folder() {
            command.env(outside::VARIABLE, data);
        }
        command
    }
}

/// Where the browser tests live.
pub(crate) fn folder() -> PathBuf {
    root().join("e2e")
}

fn skip(words: &str) -> Missing {
    Missing::Skip(format!("browser tests: {words}"))
}

fn chromium() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("ASSAY_CHROMIUM") {
        return Some(PathBuf::from(named)).filter(|path| path.is_file());
    }
    ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"].iter().find_map(|name| find(name))
}

fn tools_are_there() -> bool {
    chromium().is_some() && find("node").is_some() && find("npm").is_some()
}

fn node() -> Result<PathBuf, Missing> {
    let node = find("node").ok_or_else(|| skip("there is no node"))?;
    let version = read(Command::new(&node).arg("--version")).map_err(|words| skip(&words))?;
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|word| word.parse::<u32>().ok());
    if major.is_some_and(|major| major >= NODE_AT_LEAST) {
        Ok(node)
    } else {
        Err(skip(&format!("node is {}, and at least {NODE_AT_LEAST} is needed", version.trim())))
    }
}

/// Debian's packages, when that can be done without asking anybody.
fn install_tools() -> Result<(), String> {
    let mut wanted = Vec::new();
    if chromium().is_none() {
        wanted.extend(["chromium", "fonts-liberation"]);
    }
    if find("node").is_none() {
        wanted.push("nodejs");
    }
    if find("npm").is_none() {
        wanted.push("npm");
    }
    if std::env::var_os("ASSAY_CHROMIUM").is_some() && chromium().is_none() {
        return Err("ASSAY_CHROMIUM names no file".to_owned());
    }
    debian::install(&wanted)
}

/// `npm ci` without any package's own scripts, unless what is there is newer than the lock file.
fn packages() -> Result<(), Missing> {
    let changed = |path: &Path| fs::metadata(path).and_then(|about| about.modified()).ok();
    let lock = changed(&folder().join("package-lock.json"));
    let installed = changed(&folder().join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= lock {
        return Ok(());
    }
    let npm = find("npm").ok_or_else(|| skip("there is no npm"))?;
    let mut command = Command::new(npm);
    command.current_dir(folder()).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    pass_through(&mut command).map_err(|words| skip(&words))
}

/// With the tests' targets, so that cargo takes the same features as `unit` did and builds nothing twice.
fn program() -> Result<PathBuf, String> {
    pass_through(&mut cargo(&["build", "--workspace", "--bins", "--tests"]))?;
    Ok(Graph::load()?.target.join("debug").join(format!("assay{}", std::env::consts::EXE_SUFFIX)))
}
