//! The journal: an append-only file outside the database, from the first signature on.
//!
//! A database that is brought back from a backup forgets what was signed, revoked, erased, closed and mailed since; the journal does
//! not. It holds pseudonyms only, so that a person can be erased without touching it. Each line carries the hash of the line before it.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use assay_core::{
    UtcMillis,
    ids::{AttemptId, AwardId, JobId, PersonId},
    score::Outcome,
};
use assay_store::{commands::JournalPosition, queries::RevokedBy};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use reading::{LeftOut, ReadError, Reading, extends, facts, read};

mod reading;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: UtcMillis,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// This is about to be signed.
    Intent(Signing),
    /// This was signed.
    Signed(Signing),
    /// A status entry is revoked.
    Revoked {
        /// Pseudonym of the award.
        award: AwardId,
        /// Revision of its credential.
        revision: i64,
        /// Its status list and index.
        status: (i64, i64),
        /// Why; lines of the first version do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<RevokedBy>,
    },
    /// An operator took an award back, signed or not.
    AwardRevoked {
        /// Pseudonym of the award.
        award: AwardId,
    },
    /// An attempt was closed.
    Closed {
        /// Whose.
        person: PersonId,
        /// Which.
        attempt: AttemptId,
        /// Programme slug.
        programme: String,
        /// Version of the badge that it was for.
        badge_version: String,
        /// Start.
        started_at: UtcMillis,
        /// End.
        closed_at: UtcMillis,
        /// When the next may start, after a fail.
        next_start_at: Option<UtcMillis>,
        /// Failed attempts up to and with this one.
        fails: u32,
        /// Result; none when it ended by an erasure.
        outcome: Option<Outcome>,
        /// The award it earned.
        award: Option<AwardId>,
    },
    /// A person was erased.
    Erased {
        /// Who it was.
        person: PersonId,
    },
    /// A mail was handed over.
    Mailed {
        /// Its job.
        mail: JobId,
        /// What the job was called; sign-in mails have no name here.
        name: Option<String>,
    },
    /// A database was brought back from a backup, or held against the journals again.
    Reconciled {
        /// A random word, so that no two journals begin with the same line.
        mark: String,
        /// The first list whose indexes are given from now on, where the journal before was lost.
        fresh_list: Option<i64>,
    },
}

/// A credential and its place in a status list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signing {
    /// Pseudonym of the award.
    pub award: AwardId,
    /// Revision of its credential.
    pub revision: i64,
    /// Its status list and index.
    pub status: (i64, i64),
    /// SHA-256 in hexadecimal: of the unsigned document for an intent, of the signed one afterwards.
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

    /// Appends lines; when this returns `Ok` they are all on the disk.
    ///
    /// # Errors
    /// When they are not, or not all.
    fn append_all(&self, entries: &[Entry]) -> Result<(), JournalError> {
        entries.iter().try_for_each(|entry| self.append(entry))
    }

    /// How far it goes, if it has a first line.
    fn position(&self) -> Option<JournalPosition> {
        None
    }

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

    fn write(&self, entries: &[Entry]) -> std::io::Result<()> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&self.path)?;
        // The server and a command beside it may write at once; the chain needs one at a time.
        file.lock()?;
        let mut before = last_line(&mut file)?;
        let is_new = before.is_empty();
        // A line cut short by a power loss is ended here, so that it harms no other.
        let mut text = String::from(if before.ends_with(b"\n") || is_new { "" } else { "\n" });
        for entry in entries {
            let mut line = serde_json::to_value(entry)?;
            line["before"] = hex(&Sha256::digest(&before)).into();
            let line = format!("{line}\n");
            text.push_str(&line);
            before = line.into_bytes();
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if is_new {
            sync_folder(&self.path)?;
        }
        Ok(())
    }

    fn end(&self) -> std::io::Result<Option<JournalPosition>> {
        let mut file = File::open(&self.path)?;
        file.lock_shared()?;
        let mut first = Vec::new();
        BufReader::new(&mut file).read_until(b'\n', &mut first)?;
        let length = file.seek(SeekFrom::End(0))?;
        let tail = tail(&mut file)?;
        let Some(whole) = tail.iter().rposition(|&byte| byte == b'\n').filter(|_| first.ends_with(b"\n")) else { return Ok(None) };
        let last = tail.get(..whole).unwrap_or_default().iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let last = tail.get(last..=whole).unwrap_or_default();
        let length = length - (tail.len() - 1 - whole) as u64;
        Ok(Some(JournalPosition {
            journal: Sha256::digest(&first).into(),
            length: i64::try_from(length).unwrap_or(i64::MAX),
            last_sha256: Sha256::digest(last).into(),
        }))
    }
}

/// A new file is found again after a power cut only when its folder was written, too.
fn sync_folder(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Folders cannot be opened everywhere; where they cannot, they need no syncing.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The file's last line, with its line end if it has one. What a power cut left may be no text.
fn last_line(file: &mut File) -> std::io::Result<Vec<u8>> {
    Ok(tail(file)?.split_inclusive(|&byte| byte == b'\n').next_back().unwrap_or_default().to_vec())
}

/// Longer than any line.
const TAIL: u64 = 64 * 1024;

/// The end of the file, which holds some lines.
fn tail(file: &mut File) -> std::io::Result<Vec<u8>> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    Ok(tail)
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

impl Journal for FileJournal {
    fn append(&self, entry: &Entry) -> Result<(), JournalError> {
        self.append_all(std::slice::from_ref(entry))
    }

    fn append_all(&self, entries: &[Entry]) -> Result<(), JournalError> {
        self.write(entries).map_err(|reason| JournalError { path: self.path.display().to_string(), reason })
    }

    fn position(&self) -> Option<JournalPosition> {
        self.end().ok().flatten()
    }

    fn newest(&self) -> Option<UtcMillis> {
        let mut file = File::open(&self.path).ok()?;
        let tail = tail(&mut file).ok()?;
        let lines = String::from_utf8_lossy(&tail);
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
        let award = AwardId(uuid::Uuid::nil());
        let entry = Entry { at: UtcMillis(1), event: Event::Intent(Signing { award, revision: 1, status: (1, 7), sha256: "00".into() }) };
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
    fn a_last_line_that_says_nothing_is_named_and_rubbish_before_the_last_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing.jsonl");
        let journal = FileJournal::new(&path);
        let line = |at| Entry { at: UtcMillis(at), event: Event::Erased { person: PersonId(uuid::Uuid::nil()) } };
        journal.append_all(&[line(1), line(2)]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let known = read(&path, &[]).unwrap().unwrap();
        assert_eq!(known.left_out, None);
        for (rest, cut_short) in [(&b"{\"at\":3,\"ev"[..], true), (b"\0\xff\0", false), (b"\xfe rubbish\n", false), (b"{\"at\":3,\n", true)]
        {
            std::fs::write(&path, [&whole[..], rest].concat()).unwrap();
            // From the beginning, and from where a database knows it.
            for from in [&[][..], std::slice::from_ref(&known.position)] {
                let reading = read(&path, from).unwrap().unwrap();
                assert_eq!(reading.left_out, Some(LeftOut { line: 3, cut_short }), "{rest:?}");
                assert_eq!(reading.position, known.position);
            }
            let copy = folder.path().join("copy.jsonl");
            std::fs::write(&copy, &whole).unwrap();
            FileJournal::new(&copy).append(&line(3)).unwrap();
            assert!(extends(&copy, &path).unwrap(), "another copy stands in for it: {rest:?}");
            journal.append(&line(4)).unwrap();
            assert!(!extends(&copy, &path).unwrap(), "it has a line that the other one does not have");
            let reading = read(&path, &[]).unwrap().unwrap();
            assert_eq!((reading.entries.len(), reading.left_out), (3, None), "a line that follows from it says that it was so");
        }
        // What was a line once.
        for rest in [&b"rubbish\nrubbish\n"[..], b"rubbish\n{\"at\":3,\n", &[b"rubbish\n", &whole[..]].concat()] {
            std::fs::write(&path, [&whole[..], rest].concat()).unwrap();
            assert!(matches!(read(&path, &[]), Err(ReadError::Broken { line: 4, .. })), "{rest:?}");
        }
        std::fs::write(&path, [&whole[..], b"{\"at\n{\"at\":3\n"].concat()).unwrap();
        assert_eq!(read(&path, &[]).unwrap().unwrap().left_out, Some(LeftOut { line: 4, cut_short: true }), "two power cuts");
    }

    #[test]
    fn a_journal_that_cannot_be_written_is_said() {
        let person = PersonId(uuid::Uuid::nil());
        let words = FileJournal::new("/nowhere/at/all").append(&Entry { at: UtcMillis(1), event: Event::Erased { person } });
        assert!(words.unwrap_err().to_string().contains("/nowhere/at/all"));
    }
}
