//! What the kernel is really asked for. The recorded stories take the journal's word and SQLite's file system's for it that a sync
//! is one; here the system calls are looked at. Skipped, with words, where `strace` is not installed or not allowed.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use std::{fs, process::Command};

/// System calls of one whole run on files of this name: `write`, `fsync` or `fdatasync`, in order.
fn calls(trace: &str, name: &str) -> Vec<&'static str> {
    let ours = |line: &&str| line.contains(&format!("/{name}>"));
    let kind = |line: &str| match line {
        _ if line.contains(" write(") || line.contains(" pwrite64(") => Some("write"),
        _ if line.contains(" fsync(") => Some("fsync"),
        _ if line.contains(" fdatasync(") => Some("fdatasync"),
        _ => None,
    };
    trace.lines().filter(ours).filter_map(kind).collect()
}

#[test]
fn lines_of_the_journal_and_commits_reach_the_kernel_as_writes_and_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("trace");
    let program = env!("CARGO_BIN_EXE_assay-torture");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-s", "1", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o"]).arg(&out).arg(program);
    strace.args(["sit", "--point", "none", "--nth", "1", "--seed", "1", "--folder"]).arg(folder.path());
    match strace.output() {
        Ok(output) if output.status.success() => {}
        other => {
            println!("skipped: strace does not work here: {other:?}");
            return;
        }
    }
    let trace = fs::read_to_string(out).unwrap();
    let journal = calls(&trace, "signing.jsonl");
    let lines = fs::read_to_string(folder.path().join("signing.jsonl")).unwrap().lines().count();
    // Lines that were owed together are written together.
    let pairs = journal.len() / 2;
    let in_turn = journal.chunks(2).all(|pair| matches!(pair, ["write", "fsync" | "fdatasync"]));
    assert!(in_turn, "every write of the journal is synced: {journal:?}");
    assert!((1..=lines).contains(&pairs), "{pairs} writes of {lines} lines");
    let name = folder.path().file_name().unwrap().to_str().unwrap();
    assert!(!calls(&trace, name).is_empty(), "the folder is synced when the journal is new");
    let log = calls(&trace, "assay.db-wal");
    let count = |kind| log.iter().filter(|call| **call == kind).count();
    let (writes, syncs) = (count("write"), count("fdatasync"));
    println!("{lines} lines of the journal; {writes} writes and {syncs} syncs of the log");
    assert!(syncs > 20 && log.last() == Some(&"fdatasync"), "{writes} writes and {syncs} syncs");
    // `.cargo/config.toml` has SQLite compiled so; an `fsync` of the log would be as safe, and dearer.
    assert_eq!(count("fsync"), 0, "the log is synced by `fsync`: SQLite was not compiled as `.cargo/config.toml` says");
}
