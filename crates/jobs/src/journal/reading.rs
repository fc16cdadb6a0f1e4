//! Reading a journal: its chain is checked, and its lines become facts that a database is held against.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use assay_core::{
    Chance, UtcMillis,
    ids::{AwardId, JobId, PersonId, Secret128},
};
use assay_store::{
    commands::{Closed, Fact, JournalPosition},
    queries::RevokedBy,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Entry, Event, TAIL, hex};

/// A journal that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file.
    #[error("the journal {path} cannot be read: {reason}")]
    System {
        /// Which.
        path: String,
        /// Why.
        reason: io::Error,
    },
    /// The chain of hashes does not hold.
    #[error("the journal {path} was changed: line {line} does not follow from the line before it. Bring another copy of it")]
    Broken {
        /// Which.
        path: String,
        /// Counted from 1.
        line: u64,
    },
    /// A whole line that this program does not know.
    #[error(
        "the journal {path} has a line that this version of Assay does not know (line {line}: {reason}); use the version that wrote it"
    )]
    Unknown {
        /// Which.
        path: String,
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// It does not go on from where it once ended.
    #[error("the journal {path} is not the whole one: it is shorter than it was, or another one was put in its place")]
    NotContinued {
        /// Which.
        path: String,
    },
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// How far it goes.
    pub position: JournalPosition,
    /// Whether it was read from its beginning.
    pub whole: bool,
    /// Its lines, without those that were cut short.
    pub entries: Vec<Entry>,
    /// Its last line, where it cannot be read; what comes before it is whole.
    pub left_out: Option<LeftOut>,
}

/// A last line that says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Counted from 1.
    pub line: u64,
    /// Whether it ends too early, as a line does that was being written; else it is rubbish.
    pub cut_short: bool,
}

/// The part of a line that holds the chain together.
#[derive(Deserialize)]
struct Link {
    before: String,
}

/// Reads a journal, from where a database knows it or from its beginning, and checks the chain. `None` when it has no line.
///
/// # Errors
/// [`ReadError`].
pub fn read(path: &Path, from: &[JournalPosition]) -> Result<Option<Reading>, ReadError> {
    let shown = || path.display().to_string();
    let system = |reason| ReadError::System { path: shown(), reason };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(system(error)),
    };
    let mut first = Vec::new();
    BufReader::new(&mut file).read_until(b'\n', &mut first).map_err(system)?;
    if !first.ends_with(b"\n") {
        return Ok(None);
    }
    let journal: [u8; 32] = Sha256::digest(&first).into();
    let known = from.iter().find(|known| known.journal == journal);
    let mut before = match known {
        Some(known) => line_before(&mut file, known).map_err(system)?.ok_or_else(|| ReadError::NotContinued { path: shown() })?,
        None => Vec::new(),
    };
    let start = known.map_or(0, |known| u64::try_from(known.length).unwrap_or(0));
    let mut number = lines_before(&mut file, start).map_err(system)?;
    file.seek(SeekFrom::Start(start)).map_err(system)?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let (mut entries, mut line, mut length) = (Vec::new(), Vec::new(), start);
    // How far it can be read, with the hash of the line there; and the line after that, if it says nothing.
    let (mut end, mut left_out) = ((start, Sha256::digest(&before).into()), None);
    loop {
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(system)?;
        if line.is_empty() {
            break;
        }
        number += 1;
        // The last may still be in writing, or was cut short.
        if !line.ends_with(b"\n") {
            left_out = Some(LeftOut { line: number, cut_short: is_cut_short(&line) });
            break;
        }
        length += line.len() as u64;
        match serde_json::from_slice::<Link>(&line) {
            Ok(link) => {
                // A line that was cut short has got its end from the next.
                let ended = before.strip_suffix(b"\n").unwrap_or(&before);
                if ![&before[..], ended].iter().any(|before| hex(&Sha256::digest(before)) == link.before) {
                    return Err(ReadError::Broken { path: shown(), line: number });
                }
                let entry = serde_json::from_slice::<Entry>(&line);
                entries.push(entry.map_err(|e| ReadError::Unknown { path: shown(), line: number, reason: e.to_string() })?);
                left_out = None;
            }
            // Power cuts one after the other cut one line each; rubbish that no line follows from was a line once.
            Err(_) if left_out.is_some_and(|before: LeftOut| !before.cut_short) => {
                return Err(ReadError::Broken { path: shown(), line: number });
            }
            Err(_) => left_out = Some(LeftOut { line: number, cut_short: is_cut_short(line.trim_ascii_end()) }),
        }
        if left_out.is_none() || end.0 == 0 {
            end = (length, Sha256::digest(&line).into());
        }
        std::mem::swap(&mut before, &mut line);
    }
    let position = JournalPosition { journal, length: i64::try_from(end.0).unwrap_or(i64::MAX), last_sha256: end.1 };
    Ok(Some(Reading { position, whole: known.is_none(), entries, left_out }))
}

/// Whether these bytes are the beginning of a line.
fn is_cut_short(line: &[u8]) -> bool {
    serde_json::from_slice::<Link>(line).map_or_else(|error| error.is_eof(), |_| true)
}

fn lines_before(file: &mut File, end: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::with_capacity(1 << 16, file.take(end));
    let mut lines = 0;
    while reader.skip_until(b'\n')? > 0 {
        lines += 1;
    }
    Ok(lines)
}

/// The line that ends at a position, if it is the one that was noted.
fn line_before(file: &mut File, position: &JournalPosition) -> io::Result<Option<Vec<u8>>> {
    let end = u64::try_from(position.length).unwrap_or(0);
    let start = end.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(end - start).read_to_end(&mut tail)?;
    let line = match tail.split_last() {
        Some((b'\n', rest)) if tail.len() as u64 == end - start => rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1),
        _ => return Ok(None),
    };
    let line = tail.split_off(line);
    Ok((<[u8; 32]>::from(Sha256::digest(&line)) == position.last_sha256).then_some(line))
}

/// Whether the longer file begins with every byte of the shorter one, up to its last line that says something.
///
/// # Errors
/// When one cannot be read.
pub fn extends(longer: &Path, shorter: &Path) -> io::Result<bool> {
    let (mut longer, mut shorter) = (BufReader::new(File::open(longer)?), BufReader::new(File::open(shorter)?));
    let (mut one, mut other) = (Vec::new(), Vec::new());
    loop {
        one.clear();
        other.clear();
        shorter.read_until(b'\n', &mut other)?;
        if !other.ends_with(b"\n") {
            return Ok(true);
        }
        longer.read_until(b'\n', &mut one)?;
        if one != other {
            let is_last = shorter.fill_buf()?.is_empty();
            return Ok(is_last && serde_json::from_slice::<Link>(&other).is_err());
        }
    }
}

#[derive(Clone, Copy)]
struct Place {
    award: AwardId,
    revision: i64,
    revoked_at: Option<UtcMillis>,
}

/// What these lines say has been, in the order in which it is made good: mails first, so that nothing that follows sends one again;
/// erasures last, so that they reach whatever was made good before. `whole` says that nothing came before these lines.
pub fn facts(entries: &[Entry], whole: bool, chance: &dyn Chance) -> Vec<Fact> {
    let (mut mailed, mut closed) = (Vec::new(), Vec::new());
    let mut places: BTreeMap<(i64, i64), Place> = BTreeMap::new();
    let mut newest: BTreeMap<AwardId, i64> = BTreeMap::new();
    let mut revoked: BTreeMap<AwardId, UtcMillis> = BTreeMap::new();
    let mut unsaid: Vec<(AwardId, i64, UtcMillis)> = Vec::new();
    let mut erased: BTreeMap<PersonId, UtcMillis> = BTreeMap::new();
    let mut attempts = BTreeSet::new();
    let mut fresh: Option<i64> = None;
    for Entry { at, event } in entries {
        match event {
            Event::Intent(signing) | Event::Signed(signing) => {
                let place = Place { award: signing.award, revision: signing.revision, revoked_at: None };
                places.entry(signing.status).or_insert(place);
                newest.entry(signing.award).and_modify(|newest| *newest = signing.revision.max(*newest)).or_insert(signing.revision);
            }
            Event::Revoked { award, revision, status, by } => {
                let place = places.entry(*status).or_insert(Place { award: *award, revision: *revision, revoked_at: None });
                place.revoked_at.get_or_insert(*at);
                match by {
                    Some(RevokedBy::Operator) => drop(revoked.entry(*award).or_insert(*at)),
                    Some(RevokedBy::Holder | RevokedBy::Revision) => {}
                    None => unsaid.push((*award, *revision, *at)),
                }
            }
            Event::Closed { person, attempt, programme, badge_version, started_at, closed_at, next_start_at, fails, outcome, award } => {
                if attempts.insert(*attempt) {
                    closed.push(Fact::Closed(Box::new(Closed {
                        person: *person,
                        attempt: *attempt,
                        programme: programme.clone(),
                        badge_version: badge_version.clone(),
                        started_at: *started_at,
                        closed_at: *closed_at,
                        next_start_at: *next_start_at,
                        fails: *fails,
                        outcome: outcome.clone(),
                        award: *award,
                        badge_id: Secret128::random(chance),
                        jobs: [(); 2].map(|()| JobId::random(chance)),
                    })));
                }
            }
            Event::Erased { person } => drop(erased.entry(*person).or_insert(*at)),
            Event::Mailed { mail, name } => mailed.push(Fact::Mailed { mail: *mail, name: name.clone(), at: *at }),
            Event::AwardRevoked { award } => drop(revoked.entry(*award).or_insert(*at)),
            Event::Reconciled { fresh_list, .. } => fresh = fresh.max(*fresh_list),
        }
    }
    // Lines of the first version do not say why: where a later revision followed, it was that; else the award was taken back.
    for (award, revision, at) in unsaid.into_iter().filter(|_| whole) {
        if newest.get(&award).is_none_or(|newest| *newest <= revision) {
            revoked.entry(award).or_insert(at);
        }
    }
    let mut all = mailed;
    all.extend(fresh.map(|list| Fact::FreshList { list }));
    all.extend(closed);
    all.extend(places.into_iter().map(|(status, Place { award, revision, revoked_at })| Fact::Used {
        award,
        revision,
        status,
        revoked_at,
    }));
    all.extend(revoked.into_iter().map(|(award, at)| Fact::Revoked { award, at, job: JobId::random(chance) }));
    let replaced = newest.into_iter().filter(|(_, revision)| *revision > 1);
    all.extend(replaced.map(|(award, revision)| Fact::Replaced { award, revision, job: JobId::random(chance) }));
    all.extend(erased.into_iter().map(|(person, at)| Fact::Erased { person, at }));
    all
}
