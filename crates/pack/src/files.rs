//! Where a pack's files come from: a folder on disk, or memory. Nothing outside the pack's folder is ever read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read,
    path::{Component, Path, PathBuf},
};

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The most entries a folder may have.
pub const MAX_ENTRIES: usize = 10_000;

/// Why a file or folder could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is nothing of this name.
    #[error("it does not exist")]
    Missing,
    /// The path or a link leads out of the pack.
    #[error("it leads out of the pack's folder")]
    Outside,
    /// A folder, device or pipe where a file should be, or the other way round.
    #[error("it is not a plain file or folder")]
    WrongKind,
    /// Larger than [`MAX_FILE_BYTES`], or more than [`MAX_ENTRIES`] entries.
    #[error("it is too large: at most {MAX_FILE_BYTES} bytes a file and {MAX_ENTRIES} entries a folder are read")]
    TooLarge,
    /// A file name that is not UTF-8.
    #[error("it holds a file name that is not UTF-8")]
    Name,
    /// The operating system said no.
    #[error("it cannot be read: {0}")]
    System(String),
}

/// A pack's files, by paths such as `items/functions/timeout-1.md`, always with `/`.
pub trait Files {
    /// A file's bytes.
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError>;

    /// The names in a folder, sorted; those of folders end with `/`.
    fn list(&self, folder: &str) -> Result<Vec<String>, ReadError>;
}

/// A folder on disk. Links are followed while they stay inside it.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Opens a folder. Fails if it does not exist or is no folder.
    pub fn open(root: impl AsRef<Path>) -> Result<Self, ReadError> {
        let root = fs::canonicalize(root).map_err(|error| system(&error))?;
        if root.is_dir() { Ok(Self { root }) } else { Err(ReadError::WrongKind) }
    }

    /// The folder's own name, from which a programme takes its id; empty where it has none that is UTF-8.
    pub fn name(&self) -> &str {
        self.root.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    fn resolve(&self, path: &str) -> Result<PathBuf, ReadError> {
        let inside = |component| matches!(component, Component::Normal(_) | Component::CurDir);
        if path.contains(['\\', '\0']) || !Path::new(path).components().all(inside) {
            return Err(ReadError::Outside);
        }
        let full = fs::canonicalize(self.root.join(path)).map_err(|error| system(&error))?;
        if full.starts_with(&self.root) { Ok(full) } else { Err(ReadError::Outside) }
    }
}

fn system(error: &std::io::Error) -> ReadError {
    match error.kind() {
        std::io::ErrorKind::NotFound => ReadError::Missing,
        std::io::ErrorKind::NotADirectory => ReadError::WrongKind,
        _ => ReadError::System(error.to_string()),
    }
}

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let full = self.resolve(path)?;
        // Asked before opening: opening a pipe would wait for its other end.
        if !full.is_file() {
            return Err(ReadError::WrongKind);
        }
        let file = fs::File::open(&full).map_err(|error| system(&error))?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| system(&error))?;
        if bytes.len() as u64 > MAX_FILE_BYTES { Err(ReadError::TooLarge) } else { Ok(bytes) }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, ReadError> {
        let full = self.resolve(folder)?;
        let mut names = Vec::new();
        for entry in fs::read_dir(&full).map_err(|error| system(&error))? {
            let entry = entry.map_err(|error| system(&error))?;
            let mut name = entry.file_name().into_string().map_err(|_| ReadError::Name)?;
            if entry.path().is_dir() {
                name.push('/');
            }
            names.push(name);
            if names.len() > MAX_ENTRIES {
                return Err(ReadError::TooLarge);
            }
        }
        names.sort();
        Ok(names)
    }
}

/// Files in memory: an unpacked upload, or a test's.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    files: BTreeMap<String, Vec<u8>>,
}

impl Memory {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a file.
    pub fn insert(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.files.insert(path.into(), bytes.into());
    }

    /// Takes a file away.
    pub fn remove(&mut self, path: &str) {
        self.files.remove(path);
    }
}

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let bytes = self.files.get(path).ok_or(ReadError::Missing)?;
        if bytes.len() as u64 > MAX_FILE_BYTES { Err(ReadError::TooLarge) } else { Ok(bytes.clone()) }
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, ReadError> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{}/", folder.trim_end_matches('/')) };
        let below = self.files.keys().filter_map(|path| path.strip_prefix(&prefix));
        let names: BTreeSet<String> = below
            .map(|rest| match rest.split_once('/') {
                Some((folder, _)) => format!("{folder}/"),
                None => rest.to_owned(),
            })
            .collect();
        match names.len() {
            0 => Err(ReadError::Missing),
            1..=MAX_ENTRIES => Ok(names.into_iter().collect()),
            _ => Err(ReadError::TooLarge),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_lists_files_and_folders() {
        let mut files = Memory::new();
        files.insert("a.toml", "x");
        files.insert("items/b/c.md", "y");
        files.insert("items/d.md", "z");
        assert_eq!(files.list("").unwrap(), ["a.toml", "items/"]);
        assert_eq!(files.list("items").unwrap(), ["b/", "d.md"]);
        assert_eq!(files.list("lessons"), Err(ReadError::Missing));
        assert_eq!(files.read("items/d.md").unwrap(), b"z");
        files.remove("items/d.md");
        assert_eq!(files.read("items/d.md"), Err(ReadError::Missing));
    }

    #[test]
    fn a_folder_keeps_to_itself() {
        let outer = tempfile::tempdir().unwrap();
        fs::write(outer.path().join("secret"), "s").unwrap();
        let root = outer.path().join("my-pack");
        fs::create_dir_all(root.join("items/a")).unwrap();
        fs::write(root.join("items/a/b.md"), "text").unwrap();
        fs::write(root.join("large"), vec![b'x'; MAX_FILE_BYTES as usize + 1]).unwrap();
        let files = Folder::open(&root).unwrap();
        assert_eq!(files.name(), "my-pack");
        assert_eq!(files.read("items/a/b.md").unwrap(), b"text");
        assert_eq!(files.list("items").unwrap(), ["a/"]);
        assert_eq!(files.read("items/a"), Err(ReadError::WrongKind));
        assert_eq!(files.list("nothing"), Err(ReadError::Missing));
        assert_eq!(files.read("large"), Err(ReadError::TooLarge));
        for path in ["../secret", "/etc/hostname", "items/../../secret", "a\\b", "a\0b"] {
            assert_eq!(files.read(path), Err(ReadError::Outside), "{path}");
        }
        assert_eq!(Folder::open(root.join("none")).unwrap_err(), ReadError::Missing);
        assert_eq!(Folder::open(root.join("large")).unwrap_err(), ReadError::WrongKind);
    }

    #[cfg(unix)]
    #[test]
    fn links_may_not_leave() {
        let outer = tempfile::tempdir().unwrap();
        fs::write(outer.path().join("secret"), "s").unwrap();
        let root = outer.path().join("pack");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("plain"), "p").unwrap();
        std::os::unix::fs::symlink("../secret", root.join("out")).unwrap();
        std::os::unix::fs::symlink("plain", root.join("in")).unwrap();
        std::os::unix::fs::symlink("..", root.join("up")).unwrap();
        let files = Folder::open(&root).unwrap();
        assert_eq!(files.read("out"), Err(ReadError::Outside));
        assert_eq!(files.read("up/secret"), Err(ReadError::Outside));
        assert_eq!(files.list("up"), Err(ReadError::Outside));
        assert_eq!(files.read("in").unwrap(), b"p");
    }
}
