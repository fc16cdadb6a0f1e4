//! The data folder: who may use it, the keys in it, and the files that outlive the program.
//!
//! ```text
//! assay.db                 the database (with -wal and -shm while a server runs)
//! keys/signing.key         32 secret bytes: signs badges. Readable by its owner only
//! keys/server.secret       32 secret bytes: seeds of forms, keyed hashes
//! keys/issuer-keys.json    public: every key this issuer ever had (of a demonstration: issuer-keys.json)
//! journal/signing.jsonl    append-only: what a database that is set back must not forget; other *.jsonl beside it are only read
//! issuer                   the issuer's slug in the database
//! server.lock              held while a server runs
//! restoring                there while a backup is being brought back: nothing else may use the folder
//! address                  of a demonstration: where it was served, and is served again
//! ```

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use assay_badge::KeyHistory;
use assay_core::Chance;

use crate::{failure::in_words, keys};

/// How long a server waits for the one before it; longer than that one may take to end.
const HAND_OVER: Duration = Duration::from_secs(40);
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// How files begin that are not whole yet.
const HALF_WRITTEN: &str = ".tmp";
/// There while a backup is being brought back.
pub(crate) const RESTORING: &str = "restoring";

/// What is wrong with the data folder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// A file or folder did not do as asked.
    #[error("{path}: {}", in_words(reason))]
    System {
        /// Which.
        path: String,
        /// Why.
        reason: io::Error,
    },
    /// Another server runs in it.
    #[error("the data folder {0} is in use by another server; stop that one first, or give this one a folder of its own")]
    InUse(String),
    /// A secret that others can read.
    #[error(
        "the secret file {path} can be read by others on this machine (mode {mode:o}); anyone who copied it can {harm}. If nobody did, close it with `chmod 600 {path}`; if somebody may have: `assay rotate {name} --config FILE`"
    )]
    Open {
        /// The file.
        path: String,
        /// Its permissions.
        mode: u32,
        /// Its name.
        name: String,
        /// What it is good for.
        harm: &'static str,
    },
    /// A secret of the wrong size.
    #[error(
        "the secret file {path} has {length} bytes and must have 32: it was cut off or overwritten. Bring it back from a backup: `tar -xf BACKUP -C {root} keys/{name}`. If it is lost for good: `assay rotate {name} --config FILE` makes a new one"
    )]
    Length {
        /// The file.
        path: String,
        /// What it has.
        length: usize,
        /// The data folder.
        root: String,
        /// Its name.
        name: String,
    },
    /// A file with other content than expected.
    #[error("{path} cannot be read: {reason}; put it back from a backup")]
    Content {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The folder is somebody else's.
    #[error(
        "the data folder {path} belongs to the issuer “{found}”, not to “{wanted}”; name another folder, or the issuer that it belongs to"
    )]
    OtherIssuer {
        /// The folder.
        path: String,
        /// Whose it is.
        found: String,
        /// Who asks.
        wanted: String,
    },
    /// A restore that was cut off.
    #[error("{0} was being brought back from a backup, and that was cut off; remove the folder and run `assay restore` again")]
    HalfRestored(String),
    /// A file where the folder should be.
    #[error("{0} is a file, and a data folder is wanted: name the folder that `assay serve` or `assay demo --data` works in")]
    NotAFolder(String),
    /// Nobody knows whose it is.
    #[error(
        "{0}/issuer is missing, which says whose data this is: bring it back from a backup (`tar -xf BACKUP -C {0} issuer`), or write the `slug` of the settings into it"
    )]
    NoIssuer(String),
    /// The database is lost, or was never here.
    #[error(
        "{0}/assay.db is missing or empty. If it was lost, bring everything back into a new folder: `assay restore BACKUP --data NEW --journal {0}/journal/signing.jsonl`. If the database is PostgreSQL, name the settings with --config"
    )]
    NoDatabase(String),
    /// Nothing there.
    #[error("there is no data in {0}; name the folder that `assay serve` or `assay demo --data` works in")]
    Nothing(String),
}

fn system(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.display().to_string();
    move |reason| FolderError::System { path, reason }
}

/// A data folder.
#[derive(Debug)]
pub(crate) struct DataFolder {
    root: PathBuf,
}

impl DataFolder {
    /// Makes the folder if it is new, and claims it for an issuer.
    pub(crate) fn open(root: &Path, issuer: &str) -> Result<Self, FolderError> {
        let folder = Self { root: root.to_owned() };
        folder.refuse_other_than_whole()?;
        for part in ["", "keys", "journal"] {
            let path = if part.is_empty() { root.to_owned() } else { root.join(part) };
            make_private(&path).map_err(system(&path))?;
        }
        for path in [folder.database(), folder.journal()] {
            // Made before anybody writes to them: they hold people's data, and the folder may be older than this program.
            touch_private(&path).map_err(system(&path))?;
        }
        match folder.owner()? {
            None => folder.write("issuer", format!("{issuer}\n").as_bytes())?,
            Some(found) if found == issuer => {}
            Some(found) => return Err(FolderError::OtherIssuer { path: root.display().to_string(), found, wanted: issuer.to_owned() }),
        }
        Ok(folder)
    }

    /// A folder as it is, or will be: nothing is looked at, nothing is made.
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// An existing folder, and the issuer it belongs to.
    pub(crate) fn existing(root: &Path) -> Result<(Self, String), FolderError> {
        let folder = Self { root: root.to_owned() };
        folder.refuse_other_than_whole()?;
        let shown = || root.display().to_string();
        match (folder.owner()?, folder.has_database()) {
            (Some(issuer), true) => Ok((folder, issuer)),
            (Some(_), false) => Err(FolderError::NoDatabase(shown())),
            (None, true) => Err(FolderError::NoIssuer(shown())),
            (None, false) => Err(FolderError::Nothing(shown())),
        }
    }

    /// Whether its database is there; the file is there, empty, before the first server has opened it.
    pub(crate) fn has_database(&self) -> bool {
        fs::metadata(self.database()).is_ok_and(|file| file.len() > 0)
    }

    fn refuse_other_than_whole(&self) -> Result<(), FolderError> {
        if self.root.is_file() {
            return Err(FolderError::NotAFolder(self.root.display().to_string()));
        }
        if self.root.join(RESTORING).exists() { Err(FolderError::HalfRestored(self.root.display().to_string())) } else { Ok(()) }
    }

    /// A folder that somebody claimed, whatever is in it, and the issuer it belongs to.
    pub(crate) fn claimed(root: &Path) -> Result<(Self, String), FolderError> {
        let folder = Self { root: root.to_owned() };
        folder.refuse_other_than_whole()?;
        let shown = || root.display().to_string();
        let nobody = || if folder.has_database() { FolderError::NoIssuer(shown()) } else { FolderError::Nothing(shown()) };
        let owner = folder.owner()?.ok_or_else(nobody)?;
        Ok((folder, owner))
    }

    /// Where it is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The database's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("assay.db")
    }

    /// The signing journal's file.
    pub(crate) fn journal(&self) -> PathBuf {
        self.root.join("journal").join("signing.jsonl")
    }

    /// Claims the folder for one server, as long as the answer lives (and no longer than the process does, however it ends).
    pub(crate) fn lock(&self) -> Result<File, FolderError> {
        let path = self.root.join("server.lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(system(&path))?;
        match file.try_lock() {
            Ok(()) => {
                self.sweep();
                Ok(file)
            }
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(self.root.display().to_string())),
            Err(TryLockError::Error(reason)) => Err(system(&path)(reason)),
        }
    }

    /// Removes what a process left that was killed while it wrote: half a secret, perhaps. Whoever claims the folder writes alone in it, but
    /// for its first file, the issuer's name. A part that is a link is somebody's own affair.
    fn sweep(&self) {
        let parts = [self.root.clone(), self.root.join("keys"), self.root.join("journal")];
        for part in parts.iter().filter(|part| **part == self.root || fs::symlink_metadata(part).is_ok_and(|found| found.is_dir())) {
            let entries = fs::read_dir(part).into_iter().flatten().flatten();
            for left in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(HALF_WRITTEN)) {
                // One that cannot be removed is nobody's way.
                let _stays = fs::remove_file(left.path());
            }
        }
    }

    /// Claims the folder; at a hand-over waits for the server before, which holds it until it has answered what was under way.
    pub(crate) async fn lock_for(&self, handed_over: bool) -> Result<File, FolderError> {
        let mut waited = Duration::ZERO;
        loop {
            match self.lock() {
                Err(FolderError::InUse(_)) if handed_over && waited < HAND_OVER => {
                    if waited.is_zero() {
                        eprintln!("Waiting for the server before this one, {} s at most: connections wait meanwhile.", HAND_OVER.as_secs());
                    }
                    tokio::time::sleep(LOOK_AGAIN).await;
                    waited += LOOK_AGAIN;
                }
                done => return done,
            }
        }
    }

    fn owner(&self) -> Result<Option<String>, FolderError> {
        Ok(self.read("issuer")?.map(|text| text.trim().to_owned()))
    }

    /// A small text file; none if it does not exist.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>, FolderError> {
        let path = self.root.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(system(&path)(e)),
        }
    }

    /// Writes a small file as a whole or not at all, for everyone to read.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.root.join(name);
        put(&path, bytes, 0o644, true).map_err(system(&path))
    }

    /// Writes a file as a whole or not at all, for its owner alone.
    pub(crate) fn put_private(&self, path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
        put(path, bytes, 0o600, true).map_err(system(path))
    }

    /// A secret of 32 bytes; none if it is not there.
    pub(crate) fn kept_secret(&self, name: &str) -> Result<Option<[u8; 32]>, FolderError> {
        let path = self.root.join("keys").join(name);
        match fs::read(&path) {
            Ok(bytes) => {
                refuse_open(&path, name)?;
                let length = bytes.len();
                let shown = |path: &Path| path.display().to_string();
                let wrong = |_| FolderError::Length { path: shown(&path), length, root: shown(&self.root), name: name.to_owned() };
                bytes.try_into().map(Some).map_err(wrong)
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(system(&path)(e)),
        }
    }

    /// Makes a secret of 32 bytes; never over one that is there.
    pub(crate) fn make_secret(&self, name: &str, chance: &dyn Chance) -> Result<[u8; 32], FolderError> {
        let path = self.root.join("keys").join(name);
        let secret: [u8; 32] = chance.bytes();
        put(&path, &secret, 0o600, false).map_err(system(&path))?;
        Ok(secret)
    }

    /// The key history in a file; none if it does not exist.
    pub(crate) fn history(&self, name: &str) -> Result<Option<KeyHistory>, FolderError> {
        let content =
            |e: serde_json::Error| FolderError::Content { path: self.root.join(name).display().to_string(), reason: e.to_string() };
        self.read(name)?.map(|text| serde_json::from_str(&text).map_err(content)).transpose()
    }

    /// Writes a key history.
    pub(crate) fn keep_history(&self, name: &str, history: &KeyHistory) -> Result<(), FolderError> {
        let content =
            |e: serde_json::Error| FolderError::Content { path: self.root.join(name).display().to_string(), reason: e.to_string() };
        let text = serde_json::to_string_pretty(history).map_err(content)?;
        self.write(name, format!("{text}\n").as_bytes())
    }
}

/// A temporary file in the same folder, synced and renamed: a power cut leaves the old file or the new one.
fn put(path: &Path, bytes: &[u8], mode: u32, replace: bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(HALF_WRITTEN);
    set_mode(&mut builder, mode);
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    let kept = if replace { file.persist(path) } else { file.persist_noclobber(path) };
    kept.map_err(|e| e.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(unix)]
fn set_mode(builder: &mut tempfile::Builder<'_, '_>, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(fs::Permissions::from_mode(mode));
}

#[cfg(not(unix))]
fn set_mode(_builder: &mut tempfile::Builder<'_, '_>, _mode: u32) {}

#[cfg(unix)]
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn make_private(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(unix)]
fn touch_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().create(true).append(true).mode(0o600).open(path).map(drop)
}

#[cfg(not(unix))]
fn touch_private(path: &Path) -> io::Result<()> {
    File::options().create(true).append(true).open(path).map(drop)
}

#[cfg(unix)]
fn refuse_open(path: &Path, name: &str) -> Result<(), FolderError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_err(system(path))?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let harm = if name == keys::SIGNING { "sign badges in your name" } else { "foretell forms, and who has which account" };
    Err(FolderError::Open { path: path.display().to_string(), mode, name: name.to_owned(), harm })
}

#[cfg(not(unix))]
fn refuse_open(_path: &Path, _name: &str) -> Result<(), FolderError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use assay_core::chance::SeededChance;

    use super::*;

    #[test]
    fn secrets_are_made_once_and_kept() {
        let root = tempfile::tempdir().unwrap();
        let chance = SeededChance::new([1; 32]);
        let folder = DataFolder::open(root.path(), "a").unwrap();
        assert_eq!(folder.kept_secret("signing.key").unwrap(), None);
        let secret = folder.make_secret("signing.key", &chance).unwrap();
        assert!(folder.make_secret("signing.key", &chance).is_err(), "never over one that is there");
        assert_eq!(DataFolder::open(root.path(), "a").unwrap().kept_secret("signing.key").unwrap(), Some(secret));
        fs::write(root.path().join("keys/signing.key"), b"short").unwrap();
        let words = folder.kept_secret("signing.key").unwrap_err().to_string();
        assert!(words.contains("has 5 bytes"), "{words}");
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let chance = SeededChance::new([1; 32]);
        let folder = DataFolder::open(root.path(), "a").unwrap();
        folder.make_secret("signing.key", &chance).unwrap();
        let path = root.path().join("keys/signing.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let words = folder.kept_secret("signing.key").unwrap_err().to_string();
        assert!(words.contains("mode 640") && words.contains("chmod 600"), "{words}");
    }

    #[test]
    fn one_server_and_one_issuer() {
        let root = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(root.path(), "a").unwrap();
        fs::create_dir_all(root.path().join("keys")).unwrap();
        let half_written = [root.path().join(".tmpA"), root.path().join("keys/.tmpB")];
        half_written.iter().for_each(|left| fs::write(left, "half").unwrap());
        let lock = folder.lock().unwrap();
        assert!(half_written.iter().all(|left| !left.exists()), "what a killed process left is gone");
        half_written.iter().for_each(|left| fs::write(left, "being written").unwrap());
        assert!(folder.lock().unwrap_err().to_string().contains("in use"));
        assert!(half_written.iter().all(|left| left.exists()), "whoever is refused removes nothing");
        drop(lock);
        folder.lock().unwrap();
        assert!(DataFolder::open(root.path(), "b").unwrap_err().to_string().contains("belongs to the issuer “a”"));
        assert!(DataFolder::existing(root.path()).unwrap_err().to_string().contains("missing or empty"));
    }
}
