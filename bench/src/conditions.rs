//! Under what conditions something was measured: figures without them are worth nothing.

use std::{fmt, fs, path::PathBuf, process::Command};

use serde::Serialize;

use crate::process::Watched;

/// The machine and what ran on it.
#[derive(Debug, Serialize)]
pub(crate) struct Conditions {
    processor: String,
    cores: usize,
    kernel: String,
    /// Load averages of the last 1, 5 and 15 minutes, at the end.
    load: String,
    /// Commit of the folder that the driver was called in; `+` when files differ from it.
    commit: String,
    /// Type of the file system under the server's open database.
    file_system: String,
    server_cores: String,
    driver_cores: String,
}

impl Conditions {
    /// Where there is no server, but a file.
    pub(crate) fn of_file(file: &std::path::Path) -> Self {
        let file_system = file_system(file).unwrap_or_else(|| "unknown".to_owned());
        Self { file_system, ..Self::read(None) }
    }

    /// Reads them; what cannot be read is "unknown".
    pub(crate) fn read(server: Option<Watched>) -> Self {
        let unknown = || "unknown".to_owned();
        let line = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        let processor = line("/proc/cpuinfo").and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
        let cores = |process: Option<Watched>| process.and_then(Watched::cores).unwrap_or_else(unknown);
        Self {
            processor: processor.unwrap_or_else(unknown),
            cores: crate::process::idle().map_or(0, |(_, cores)| cores),
            kernel: line("/proc/sys/kernel/osrelease").unwrap_or_else(unknown),
            load: line("/proc/loadavg").unwrap_or_else(unknown).split(' ').take(3).collect::<Vec<_>>().join(" "),
            commit: commit().unwrap_or_else(unknown),
            file_system: server.and_then(database).and_then(|file| file_system(&file)).unwrap_or_else(unknown),
            server_cores: cores(server),
            driver_cores: cores(Watched::own()),
        }
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {} cores, Linux {}, data on {}", self.processor, self.cores, self.kernel, self.file_system)?;
        write!(
            f,
            "commit {}; server may use cores {}, driver {}; load average {} (this run's own load counts)",
            self.commit, self.server_cores, self.driver_cores, self.load
        )
    }
}

fn commit() -> Option<String> {
    let git = |words: &[&str]| {
        let output = Command::new("git").args(words).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(git(&["rev-parse", "--short", "HEAD"])? + if changed.is_empty() { "" } else { "+" })
}

/// The database that the server holds open.
fn database(server: Watched) -> Option<PathBuf> {
    let files = fs::read_dir(format!("/proc/{}/fd", server.pid())).ok()?;
    files.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).find(|path| path.extension().is_some_and(|e| e == "db"))
}

/// Type of the file system that a file lies on: of its mounts the longest.
fn file_system(file: &std::path::Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let mounted = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (point, kind) = (words.nth(1)?, words.next()?);
        file.starts_with(point).then(|| (point.len(), kind.to_owned()))
    });
    mounted.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}
