//! The signing journal: an append-only file outside the database, from the first signature on.
//!
//! A restored backup forgets what was signed and revoked since; the journal does not. It holds pseudonyms only, so that a person
//! can be erased without touching it. Each line carries the hash of the line before it.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use assay_core::UtcMillis;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// One line of the journal.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// When.
    pub at: UtcMillis,
    /// `intent`, `signed` or `revoked`.
    pub event: &'static str,
    /// Pseudonym of the award.
    pub award: String,
    /// Revision of its credential.
    pub revision: i64,
    /// Its status list and index.
    pub status: (i64, i64),
    /// SHA-256 in hexadecimal: of the unsigned document for an intent, of the signed one afterwards; empty for a revocation.
    pub sha256: String,
}

/// The journal could not be written: nothing is signed without it.
#[derive(Debug, thiserror::Error)]
#[error("the signing journal {path} cannot be written: {reason}; nothing is signed until it can")]
pub struct JournalError {
    path: String,
    reason: std::io::Error,
}

/// Where signatures are written down.
pub trait Journal: Send + Sync {
    /// Appends a line; when this returns `Ok` it is on the disk.
    ///
    /// # Errors
    /// When it is not.
    fn append(&self, entry: &Entry) -> Result<(), JournalError>;

    /// When its newest line was written, if there is one that can be read.
    fn newest(&self) -> Option<UtcMillis> {
        None
    }
}

/// The journal as a file of JSON lines.
#[derive(Debug)]
pub struct FileJournal {
    path: PathBuf,
}

impl FileJournal {
    /// A journal in this file, which is made with the first line.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned() }
    }

    fn write(&self, entry: &Entry) -> std::io::Result<()> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&self.path)?;
        // The server and a command beside it may write at once; the chain needs one at a time.
        file.lock()?;
        let before = last_line(&mut file)?;
        let chain = hex(&Sha256::digest(before.as_bytes()));
        let mut line = serde_json::to_value(entry)?;
        line["before"] = chain.into();
        // A line cut short by a power loss is ended here, so that it harms no other.
        let start = if before.ends_with('\n') || before.is_empty() { "" } else { "\n" };
        file.write_all(format!("{start}{line}\n").as_bytes())?;
        file.sync_all()?;
        if before.is_empty() {
            sync_folder(&self.path)?;
        }
        Ok(())
    }
}

/// A new file is found again after a power cut only when its folder was written, too.
fn sync_folder(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Folders cannot be opened everywhere; where they cannot, they need no syncing.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The file's last line, with its line end if it has one.
fn last_line(file: &mut File) -> std::io::Result<String> {
    Ok(tail(file)?.split_inclusive('\n').next_back().unwrap_or_default().to_owned())
}

/// The last 8 KiB, which hold some lines, since lines are short.
fn tail(file: &mut File) -> std::io::Result<String> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(8192)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    Ok(String::from_utf8_lossy(&tail).into_owned())
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

impl Journal for FileJournal {
    fn append(&self, entry: &Entry) -> Result<(), JournalError> {
        self.write(entry).map_err(|reason| JournalError { path: self.path.display().to_string(), reason })
    }

    fn newest(&self) -> Option<UtcMillis> {
        let mut file = File::open(&self.path).ok()?;
        let lines = tail(&mut file).ok()?;
        // The last may be cut short.
        let at = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?.get("at")?.as_i64();
        lines.lines().rev().find_map(at).map(UtcMillis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_chained_and_a_cut_line_harms_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing.jsonl");
        let journal = FileJournal::new(&path);
        let entry = Entry { at: UtcMillis(1), event: "intent", award: "a".into(), revision: 1, status: (1, 7), sha256: "00".into() };
        assert_eq!(journal.newest(), None);
        journal.append(&entry).unwrap();
        std::fs::write(&path, format!("{}{{\"at\":2,\"ev", std::fs::read_to_string(&path).unwrap())).unwrap();
        assert_eq!(journal.newest(), Some(UtcMillis(1)), "a line that is cut short is passed over");
        journal.append(&entry).unwrap();
        journal.append(&Entry { at: UtcMillis(9), ..entry.clone() }).unwrap();
        assert_eq!(journal.newest(), Some(UtcMillis(9)));
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        assert_eq!(lines.len(), 4);
        let last: serde_json::Value = serde_json::from_str(lines[3]).unwrap();
        assert_eq!(last["before"], hex(&Sha256::digest(lines[2].as_bytes())));
    }

    #[test]
    fn a_journal_that_cannot_be_written_is_said() {
        let words = FileJournal::new("/nowhere/at/all").append(&Entry {
            at: UtcMillis(1),
            event: "intent",
            award: String::new(),
            revision: 1,
            status: (1, 1),
            sha256: String::new(),
        });
        assert!(words.unwrap_err().to_string().contains("/nowhere/at/all"));
    }
}
