//! The file that a backup is: a tar archive of a data folder with a manifest in front, which any tool can list.
//!
//! ```text
//! manifest.json            what is inside, with sizes and SHA-256
//! assay.db                 the database as of one moment, whichever engine it came from
//! journal/*.jsonl          the journal, taken after the database: it knows at least as much
//! keys/*, issuer, …        what else belongs to the folder
//! ```

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use assay_jobs::read;
use assay_store::keeping::{Look, look, own_schema};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::failure::{Failure, in_words};

const MANIFEST: &str = "manifest.json";
/// Largest manifest, in bytes.
const MANIFEST_MAX: u64 = 1024 * 1024;
/// Version of this form.
const FORM: u32 = 1;
/// The database in it.
pub(crate) const DATABASE: &str = "assay.db";
/// Files of a data folder's root that belong to it.
const ROOT_FILES: [&str; 5] = ["issuer", "issuer-keys.json", "address", "clock-offset", "sample-people"];
/// Folders of a data folder whose files belong to it.
const FOLDERS: [&str; 2] = ["keys", "journal"];

/// What is inside.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Version of the archive's form.
    pub(crate) assay_backup: u32,
    /// When the database was taken.
    pub(crate) made_at: String,
    /// The program that made it.
    pub(crate) program: String,
    /// The engine that the database was in: `sqlite` or `postgres`.
    pub(crate) engine: String,
    /// The issuer it belongs to.
    pub(crate) issuer: String,
    /// Number of the database's schema.
    pub(crate) schema: i64,
    /// Rows of every table.
    pub(crate) tables: BTreeMap<String, u64>,
    /// Every file, in the order of the archive.
    pub(crate) files: Vec<Packed>,
}

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Packed {
    /// Its path in the data folder.
    pub(crate) name: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// Its hash, in hexadecimal.
    pub(crate) sha256: String,
}

impl Manifest {
    /// Rows of a table.
    pub(crate) fn rows(&self, table: &str) -> u64 {
        self.tables.get(table).copied().unwrap_or(0)
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = path.display().to_string();
    move |reason| Failure::while_doing(&path, in_words(&reason))
}

/// Files of a data folder that belong into a backup, but for the database.
pub(crate) fn belongings(root: &Path) -> Result<Vec<String>, Failure> {
    let mut names: Vec<String> = ROOT_FILES.into_iter().filter(|name| root.join(name).is_file()).map(str::to_owned).collect();
    for folder in FOLDERS {
        let entries = match fs::read_dir(root.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(at(&root.join(folder))(error)),
        };
        for entry in entries {
            let entry = entry.map_err(at(&root.join(folder)))?;
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            // A file that is just being replaced has a name that begins with a dot.
            if entry.file_type().is_ok_and(|kind| kind.is_file()) && is_sound(&name) {
                names.push(name);
            }
        }
    }
    names.sort();
    Ok(names)
}

/// A name that stays in the folder that it is unpacked into, and is one that a data folder has.
fn is_sound(name: &str) -> bool {
    let sound =
        |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    match name.split_once('/') {
        None => name == DATABASE || ROOT_FILES.contains(&name),
        Some((folder, file)) => FOLDERS.contains(&folder) && sound(file),
    }
}

/// Writes an archive of a folder that holds nothing else, and answers its manifest.
pub(crate) fn pack(root: &Path, manifest: Manifest, out: &mut File) -> Result<Manifest, Failure> {
    let mut names = belongings(root)?;
    names.insert(0, DATABASE.to_owned());
    let files = names.into_iter().map(|name| {
        let (bytes, sha256) = hash(&root.join(&name))?;
        Ok(Packed { name, bytes, sha256 })
    });
    let manifest = Manifest { files: files.collect::<Result<_, Failure>>()?, assay_backup: FORM, ..manifest };
    let text = serde_json::to_vec_pretty(&manifest).map_err(|e| Failure::while_doing("the manifest cannot be written", e))?;
    let mut archive = tar::Builder::new(BufWriter::with_capacity(1 << 20, &mut *out));
    let cannot = |e: io::Error| Failure::while_doing("the backup cannot be written", e);
    archive.append_data(&mut header(text.len() as u64), MANIFEST, &text[..]).map_err(cannot)?;
    for Packed { name, bytes, .. } in &manifest.files {
        let file = File::open(root.join(name)).map_err(at(&root.join(name)))?;
        archive.append_data(&mut header(*bytes), name, file).map_err(cannot)?;
    }
    archive.into_inner().and_then(|mut inner| inner.flush()).map_err(cannot)?;
    out.sync_all().map_err(cannot)?;
    Ok(manifest)
}

fn header(bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header
}

fn hash(path: &Path) -> Result<(u64, String), Failure> {
    let mut file = File::open(path).map_err(at(path))?;
    let mut digest = Sha256::new();
    let bytes = io::copy(&mut file, &mut Digesting(&mut digest, io::sink())).map_err(at(path))?;
    Ok((bytes, hex(&digest.finalize())))
}

/// Hashes what is written through it.
struct Digesting<'a, W>(&'a mut Sha256, W);

impl<W: Write> Write for Digesting<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.1.write(bytes)?;
        self.0.update(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.1.flush()
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Unpacks an archive into a folder, each file compared with the manifest.
pub(crate) fn unpack(archive: &Path, root: &Path) -> Result<Manifest, Failure> {
    let refuse = |why: &str| Failure::Words(format!("{} is no backup that can be used: {why}", archive.display()));
    let damaged = |e: io::Error| refuse(&format!("it cannot be read ({e})"));
    let file = File::open(archive).map_err(at(archive))?;
    let mut tar = tar::Archive::new(BufReader::with_capacity(1 << 20, file));
    let mut entries = tar.entries().map_err(damaged)?;
    // What is not an archive at all is not quoted: it may be anything.
    let first = entries
        .next()
        .transpose()
        .map_err(|_| refuse("it does not begin like one; was another file meant?"))?
        .filter(|entry| entry.path_bytes() == MANIFEST.as_bytes());
    let mut text = Vec::new();
    first.ok_or_else(|| refuse("it has no manifest"))?.take(MANIFEST_MAX).read_to_end(&mut text).map_err(damaged)?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|e| refuse(&format!("its manifest cannot be read ({e})")))?;
    if manifest.assay_backup != FORM || manifest.schema > own_schema() {
        return Err(refuse("a newer version of Assay made it; use that version"));
    }
    let mut wanted = manifest.files.iter();
    for entry in entries {
        let mut entry = entry.map_err(damaged)?;
        let packed = wanted.next().ok_or_else(|| refuse("it holds more than its manifest says"))?;
        let (name, plain) = (entry.path_bytes().into_owned(), entry.header().entry_type().is_file());
        if name != packed.name.as_bytes() || !plain || !is_sound(&packed.name) {
            return Err(refuse(&format!("it holds something else than its manifest says, in the place of {}", packed.name)));
        }
        let path = root.join(&packed.name);
        if let Some(folder) = path.parent() {
            make_private(folder).map_err(at(folder))?;
        }
        let mut out = create_private(&path).map_err(at(&path))?;
        let mut digest = Sha256::new();
        // Not a byte more than was promised is written.
        let bytes =
            io::copy(&mut (&mut entry).take(packed.bytes.saturating_add(1)), &mut Digesting(&mut digest, &mut out)).map_err(damaged)?;
        if bytes != packed.bytes || hex(&digest.finalize()) != packed.sha256 {
            return Err(refuse(&format!("{} in it is not what it was when the backup was made", packed.name)));
        }
        out.sync_all().map_err(at(&path))?;
    }
    match wanted.next() {
        Some(missing) => Err(refuse(&format!("{} is missing in it", missing.name))),
        None => Ok(manifest),
    }
}

/// Checks an unpacked folder: the database is whole and has every row, the journals' chains hold, the keys are keys.
pub(crate) async fn check(root: &Path, manifest: &Manifest) -> Result<(), Failure> {
    let Look { schema, tables, half_filled } = look(&root.join(DATABASE)).await?;
    if half_filled || schema != manifest.schema || tables.into_iter().collect::<BTreeMap<_, _>>() != manifest.tables {
        return Err(Failure::Words("the database in the backup does not have the rows that its manifest counts".to_owned()));
    }
    for path in journals(root)? {
        read(&path, &[]).map_err(|e| Failure::Words(e.to_string()))?;
    }
    for secret in ["keys/signing.key", "keys/server.secret"] {
        let length = fs::metadata(root.join(secret)).map_or(0, |file| file.len());
        if length != 32 {
            return Err(Failure::Words(format!("{secret} in the backup has {length} bytes and must have 32")));
        }
    }
    Ok(())
}

/// The journals of a folder, in the order of their names.
pub(crate) fn journals(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let journal = |name: &String| name.starts_with("journal/") && name.ends_with(".jsonl");
    Ok(belongings(root)?.into_iter().filter(journal).map(|name| root.join(name)).collect())
}

#[cfg(unix)]
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}
