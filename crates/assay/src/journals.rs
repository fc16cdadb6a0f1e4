//! The journals of a data folder as files: which is which, which goes on from which, what is read of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use assay_jobs::{LeftOut, ReadError, Reading, extends, read};
use assay_store::commands::JournalPosition;

use crate::{
    archive::{hex, journals},
    failure::Failure,
    folder::DataFolder,
};

/// Which journal a file is: the hash of its first line. None while it has none.
pub(crate) fn name(path: &Path) -> Result<Option<[u8; 32]>, Failure> {
    Ok(read(path, &[]).map_err(failure)?.map(|reading| reading.position.journal))
}

/// In words, with the way out.
pub(crate) fn failure(error: ReadError) -> Failure {
    match error {
        ReadError::NotContinued { .. } => {
            Failure::Words(format!("{error}. Give the whole one with --journal, or, where it is lost, say --journal-lost"))
        }
        ReadError::Broken { .. } => Failure::Words(format!(
            "{error}: where this one lies in the data folder, move it away, and give the other with `assay reconcile --journal FILE`; where there is \
             none, say --journal-lost"
        )),
        error => Failure::Words(error.to_string()),
    }
}

/// Lays given journals into the folder. One that the folder has an older state of takes its place; it must go on from there. Answers
/// which of those in the folder no given one goes on from.
pub(crate) fn take_journals(root: &Path, given: &[PathBuf], lost: bool) -> Result<Vec<PathBuf>, Failure> {
    let mut own: Vec<(PathBuf, Option<[u8; 32]>)> = Vec::new();
    for path in journals(root)? {
        let name = name(&path)?;
        own.push((path, name));
    }
    let signing = DataFolder::at(root).journal();
    let mut left: Vec<PathBuf> = own.iter().filter(|(_, name)| name.is_some()).map(|(path, _)| path.clone()).collect();
    for path in given {
        let Some(found) = name(path)? else {
            // Nothing was ever written down, here or there.
            if path.exists() && own.iter().all(|(_, name)| name.is_none()) {
                continue;
            }
            let what = if path.exists() { "has no line" } else { "does not exist" };
            return Err(Failure::Words(format!("the journal {} {what}; name the newest journal", path.display())));
        };
        let place = match own.iter().find(|(_, name)| *name == Some(found)) {
            Some((older, _)) => {
                if !extends(path, older).map_err(|e| Failure::while_doing(&path.display().to_string(), e))? {
                    return Err(Failure::Words(format!(
                        "the journal {} is shorter than the one that is here already ({}), or was changed: it does not go on from there. \
                         Bring the newest one; if it is lost, add --journal-lost",
                        path.display(),
                        older.display()
                    )));
                }
                older.clone()
            }
            // Where no line was written yet, the first that is given is the one to go on with.
            None if own.iter().all(|(path, name)| *path != signing || name.is_none()) && !lost => signing.clone(),
            None => root.join("journal").join(format!("of-{}.jsonl", short(&found))),
        };
        let bytes = fs::read(path).map_err(|e| Failure::while_doing(&path.display().to_string(), e))?;
        DataFolder::at(root).put_private(&place, &bytes)?;
        own.retain(|(path, _)| *path != place);
        left.retain(|path| *path != place);
        own.push((place, Some(found)));
    }
    Ok(left)
}

/// A name as people read it.
pub(crate) fn short(name: &[u8; 32]) -> String {
    hex(name).chars().take(16).collect()
}

/// Journals that were read, each with its file.
pub(crate) type Readings = Vec<(PathBuf, Reading)>;

/// What these journals say beyond what the database noted; and which of those it noted are not among them.
pub(crate) fn news(paths: Vec<PathBuf>, known: &[JournalPosition], lost: bool) -> Result<(Readings, Vec<JournalPosition>), Failure> {
    let mut readings: Readings = Vec::new();
    for path in paths {
        let reading = match read(&path, known) {
            // The part that is there is read as a whole: what follows is lost.
            Err(ReadError::NotContinued { .. }) if lost => read(&path, &[]),
            other => other,
        };
        readings.extend(reading.map_err(failure)?.map(|reading| (path, reading)));
    }
    let missing =
        known.iter().filter(|known| readings.iter().all(|(_, reading)| reading.position.journal != known.journal)).cloned().collect();
    Ok((readings, missing))
}

/// The part of a journal that is there is kept to be read; a new one is begun, so that the lost rest would still fit when it is found.
pub(crate) fn set_aside(folder: &DataFolder) -> Result<(), Failure> {
    let signing = folder.journal();
    if let Some(found) = name(&signing)? {
        let aside = folder.root().join("journal").join(format!("of-{}.jsonl", short(&found)));
        fs::rename(&signing, &aside).map_err(|e| Failure::while_doing(&aside.display().to_string(), e))?;
    }
    Ok(())
}

/// What is to be said of last lines that say nothing.
pub(crate) fn remarks(readings: &[(PathBuf, Reading)]) -> Vec<String> {
    let left_out = readings.iter().filter_map(|(path, reading)| Some((path, reading.left_out?)));
    let words = left_out.map(|(path, LeftOut { line, cut_short })| {
        let path = path.display();
        match cut_short {
            true => format!(
                "the last line of the journal {path} (line {line}) is cut short, by a power cut or because it was being written when the file was \
                 copied. It is left out: what it would have said is not known here. Whatever this database still owes the journal is written again"
            ),
            false => format!(
                "the last line of the journal {path} (line {line}) is rubbish. It is left out, everything before it is whole: one thing that was written \
                 there may be forgotten. If there is another copy of the journal, give that one to `assay reconcile --journal FILE`"
            ),
        }
    });
    words.collect()
}
