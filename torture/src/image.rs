//! What a disk holds after the power went, at any point of a trace.

use std::{collections::BTreeMap, fs, path::Path};

use assay_core::chance::SeededChance;

use crate::trace::{Event, Kept};

/// How much of what was not synced is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cut {
    /// Everything: the process was killed, the machine lives.
    Kill,
    /// Nothing.
    Power,
    /// Some whole writes and not others.
    Some,
    /// Some sectors of 512 bytes and not others.
    Torn,
}

impl Cut {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kill, Self::Power, Self::Some, Self::Torn];
}

const SECTOR: u64 = 512;

type Bytes = Option<Vec<u8>>;

/// One file: as it is on the disk for sure, as the running system sees it, and the way from the one to the other.
#[derive(Clone, Debug, Default)]
struct File {
    durable: Bytes,
    now: Bytes,
    pending: Vec<usize>,
    /// Made, and not synced yet.
    is_new: bool,
}

/// The disk as a trace is replayed.
#[derive(Clone, Debug)]
pub struct Platter<'a> {
    events: &'a [Event],
    at: usize,
    files: BTreeMap<Kept, File>,
    /// Counts changes of what is on the disk for sure.
    pub syncs: u64,
}

/// The files that are found.
pub type Image = BTreeMap<Kept, Vec<u8>>;

impl<'a> Platter<'a> {
    /// Empty, before the first event.
    pub fn new(events: &'a [Event]) -> Self {
        let files = Kept::ALL.into_iter().map(|kept| (kept, File::default())).collect();
        Self { events, at: 0, files, syncs: 0 }
    }

    /// Replays up to this event, without it.
    pub fn go(&mut self, to: usize) {
        for index in self.at..to {
            let event = &self.events[index];
            let (kept, synced) = match event {
                Event::Make(kept) | Event::Write(kept, ..) | Event::Truncate(kept, _) => (*kept, false),
                Event::Sync(kept) => (*kept, true),
                Event::Delete(kept, durable) => (*kept, *durable),
                Event::SyncFailed(kept) => {
                    // The worst case: none of it. What made or removed the file is not the file's content, and stays under way.
                    let content = |index: &usize| matches!(self.events[*index], Event::Write(..) | Event::Truncate(..));
                    self.files.entry(*kept).or_default().pending.retain(|index| !content(index));
                    continue;
                }
                Event::Told(_) => continue,
            };
            let Some(file) = self.files.get_mut(&kept) else { continue };
            file.is_new |= matches!(event, Event::Make(_)) && file.now.is_none();
            if !matches!(event, Event::Sync(_)) {
                change(&mut file.now, event);
                file.pending.push(index);
            }
            if synced && !file.pending.is_empty() {
                for index in file.pending.drain(..) {
                    change(&mut file.durable, &self.events[index]);
                }
                self.syncs += 1;
            }
            if synced && std::mem::take(&mut file.is_new) && matches!(kept, Kept::Log | Kept::Rollback) {
                self.sync_folder();
            }
        }
        self.at = to;
    }

    /// SQLite syncs the folder along with the first sync of a new log or journal: what was removed before is gone for good.
    fn sync_folder(&mut self) {
        for file in self.files.values_mut() {
            let removed = file.pending.iter().rposition(|index| matches!(self.events[*index], Event::Delete(..)));
            if let Some(removed) = removed {
                file.durable = None;
                file.pending.drain(..=removed);
            }
        }
    }

    /// What is found after the power goes now.
    pub fn image(&self, cut: Cut, chance: &SeededChance) -> Image {
        let found = |file: &File| match cut {
            Cut::Kill => file.now.clone(),
            Cut::Power => file.durable.clone(),
            Cut::Some | Cut::Torn => {
                let mut bytes = file.durable.clone();
                for index in &file.pending {
                    match &self.events[*index] {
                        Event::Write(kept, offset, data) if cut == Cut::Torn => {
                            for (offset, sector) in sectors(*offset, data) {
                                if chance.below(2) == 0 {
                                    change(&mut bytes, &Event::Write(*kept, offset, sector.to_vec()));
                                }
                            }
                        }
                        event if chance.below(2) == 0 => change(&mut bytes, event),
                        _ => {}
                    }
                }
                bytes
            }
        };
        self.files.iter().filter_map(|(kept, file)| Some((*kept, found(file)?))).collect()
    }
}

/// A write, cut where sectors end.
fn sectors(offset: u64, data: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = (offset, data);
    std::iter::from_fn(move || {
        let (offset, data) = rest;
        let room = usize::try_from(SECTOR - offset % SECTOR).unwrap().min(data.len());
        let (first, after) = data.split_at_checked(room).filter(|(first, _)| !first.is_empty())?;
        rest = (offset + room as u64, after);
        Some((offset, first))
    })
}

fn change(bytes: &mut Bytes, event: &Event) {
    match event {
        Event::Make(_) => _ = bytes.get_or_insert_default(),
        Event::Write(_, offset, data) => {
            let bytes = bytes.get_or_insert_default();
            let (from, to) = (usize::try_from(*offset).unwrap(), usize::try_from(*offset).unwrap() + data.len());
            if bytes.len() < to {
                bytes.resize(to, 0);
            }
            bytes[from..to].copy_from_slice(data);
        }
        Event::Truncate(_, size) => bytes.get_or_insert_default().resize(usize::try_from(*size).unwrap(), 0),
        Event::Delete(..) => *bytes = None,
        Event::Sync(_) | Event::SyncFailed(_) | Event::Told(_) => {}
    }
}

/// Writes the files into a folder; what was there before of them is gone.
pub fn lay_down(image: &Image, folder: &Path) {
    for kept in Kept::ALL {
        let path = folder.join(kept.name());
        match image.get(&kept) {
            Some(bytes) => fs::write(path, bytes).unwrap(),
            None => drop(fs::remove_file(path)),
        }
    }
    // Shared memory of a machine that lost its power is of no use, and must do no harm.
    fs::write(folder.join("assay.db-shm"), [0xA5; 3 * 4096]).unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_stays_and_what_was_not_is_torn_by_sectors() {
        let write = |offset, byte, length| Event::Write(Kept::Log, offset, vec![byte; length]);
        let events = [write(0, 1, 2000), Event::Sync(Kept::Log), write(100, 2, 1000), Event::Truncate(Kept::Log, 1500)];
        let mut platter = Platter::new(&events);
        let chance = SeededChance::new([1; 32]);
        platter.go(1);
        assert!(platter.image(Cut::Power, &chance).is_empty());
        platter.go(3);
        let log = |platter: &Platter<'_>, cut| platter.image(cut, &chance)[&Kept::Log].clone();
        assert_eq!(log(&platter, Cut::Power), vec![1; 2000]);
        assert!(log(&platter, Cut::Kill)[100..1100].iter().all(|byte| *byte == 2));
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let torn = log(&platter, Cut::Torn);
            let parts = [&torn[100..512], &torn[512..1024], &torn[1024..1100]];
            assert!(parts.iter().all(|part| part.iter().all(|byte| *byte == part[0])), "a sector is whole or not there");
            seen.insert(parts.map(|part| part[0]));
        }
        assert_eq!(seen.len(), 8, "every subset comes up");
        platter.go(4);
        assert_eq!(log(&platter, Cut::Kill).len(), 1500);
        assert_eq!(log(&platter, Cut::Power).len(), 2000);
    }
}
