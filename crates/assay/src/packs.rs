//! Programmes on their way into the server: read by the pack room, their badge art cleaned by the art room.

use std::{fmt, path::Path};

use assay_art::clean_svg;
use assay_pack::{Files, Folder, Memory, Pack, PackFault, ReadError, Report};
use include_dir::{Dir, DirEntry, include_dir};

static SERVERLESS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../packs/serverless");
static GIT_FOR_TEAMS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../packs/git-for-teams");

/// A sample programme as it was when this program was built.
fn embedded(pack: &Dir<'_>) -> Memory {
    fn gather(dir: &Dir<'_>, files: &mut Memory) {
        for entry in dir.entries() {
            match entry {
                DirEntry::Dir(dir) => gather(dir, files),
                // Paths are compared with `/`, whatever this was built on.
                DirEntry::File(file) => files.insert(file.path().to_string_lossy().replace('\\', "/"), file.contents()),
            }
        }
    }
    let mut files = Memory::new();
    gather(pack, &mut files);
    files
}

/// Everything wrong or odd in a pack, its art included. The pack that comes back has clean art.
pub(crate) fn check(files: &dyn Files, id: &str) -> Report {
    let mut report = assay_pack::check(files, id);
    match clean_art(files) {
        None => {}
        Some(Ok(clean)) => {
            if let Some(pack) = &mut report.pack {
                pack.programme.badge.art_svg = clean;
            }
        }
        Some(Err(faults)) => {
            report.pack = None;
            report.faults.extend(faults);
            report.faults.sort();
        }
    }
    report
}

/// The art, cleaned; none where the pack room has its own words for why there is nothing to clean.
fn clean_art(files: &dyn Files) -> Option<Result<String, Vec<PackFault>>> {
    let programme = String::from_utf8(files.read("programme.toml").ok()?).ok()?;
    let programme: toml::Table = programme.parse().ok()?;
    let file = programme.get("badge")?.get("art")?.as_str()?;
    let svg = String::from_utf8(files.read(file).ok()?).ok()?;
    Some(clean_svg(&svg).map_err(|lines| lines.iter().map(|line| PackFault::in_picture(file, line)).collect()))
}

/// Why a programme cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackError {
    /// No such folder.
    #[error("the pack {folder} cannot be read: {reason}")]
    Unreadable {
        /// As it was named.
        folder: String,
        /// Why.
        reason: ReadError,
    },
    /// It has faults.
    #[error("the pack {folder} has faults, so nothing was started:\n{faults}")]
    Faulty {
        /// As it was named.
        folder: String,
        /// All of them.
        faults: FaultList,
    },
}

/// Faults, one a line.
#[derive(Debug)]
pub(crate) struct FaultList {
    folder: String,
    faults: Vec<PackFault>,
}

impl fmt::Display for FaultList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.faults.iter().try_for_each(|fault| writeln!(f, "  {}/{fault}", self.folder))
    }
}

/// Reads a folder for use; warnings go to the log.
pub(crate) fn load(folder: &Path) -> Result<Pack, PackError> {
    let named = folder.display().to_string();
    let files = Folder::open(folder).map_err(|reason| PackError::Unreadable { folder: named.clone(), reason })?;
    let id = files.name().to_owned();
    use_pack(&files, &id, named)
}

/// Reads the sample programmes for use; the first is the one that sample people sit.
pub(crate) fn load_embedded() -> Result<Vec<Pack>, PackError> {
    let packs = [(&SERVERLESS, "serverless"), (&GIT_FOR_TEAMS, "git-for-teams")];
    packs.into_iter().map(|(pack, id)| use_pack(&embedded(pack), id, format!("(embedded) packs/{id}"))).collect()
}

fn use_pack(files: &dyn Files, id: &str, named: String) -> Result<Pack, PackError> {
    let report = check(files, id);
    for warning in &report.warnings {
        tracing::info!("{named}/{warning}");
    }
    report.pack.ok_or_else(|| PackError::Faulty { folder: named.clone(), faults: FaultList { folder: named, faults: report.faults } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_programmes_are_inside_and_sound() {
        let packs = load_embedded().unwrap();
        assert_eq!(packs.iter().map(|pack| pack.programme.id.as_str()).collect::<Vec<_>>(), ["serverless", "git-for-teams"]);
        for pack in packs {
            assert!(pack.programme.questions_public);
            assert!(pack.items.len() >= usize::from(pack.programme.rules.questions));
        }
    }

    #[test]
    fn unclean_art_is_a_fault_with_its_file_and_line() {
        let mut files = embedded(&SERVERLESS);
        files.insert("badge.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 10 10\">\n<script>alert(1)</script></svg>");
        let report = check(&files, "serverless");
        assert!(report.pack.is_none());
        let fault = report.faults.iter().find(|f| f.file == "badge.svg").unwrap();
        assert_eq!(fault.line, 2);
        assert!(fault.what.contains("script"), "{fault}");
    }
}
