//! Power cuts: a recorded story is cut at every point, in every manner, and opened again.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use assay_core::{chance::SeededChance, clock::DAY_SECONDS};
use assay_fixtures::START;

use crate::{
    check::{Checker, Promises, Standing},
    image::{Cut, Platter, lay_down},
    story::{Plan, Recording, record},
    trace::Event,
};

/// How a recording is cut.
#[derive(Clone, Debug)]
pub struct Cuts {
    /// In these manners.
    pub manners: Vec<Cut>,
    /// At most so many points in all; the recording is then cut at evenly spread ones.
    pub most: usize,
    /// Stop after so many faults.
    pub enough: usize,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Attempts in the recordings.
    pub attempts: usize,
    /// Acknowledgements in the recordings.
    pub acknowledged: usize,
    /// Changes of the disk in the recordings.
    pub changes: usize,
    /// Failures of the disk in the recordings.
    pub failures: usize,
    /// Crash points checked, by manner.
    pub points: BTreeMap<Cut, usize>,
    /// Of these, opened with the engine (others had the very bytes of one before).
    pub opened: usize,
    /// Different states for which all jobs were run.
    pub states: usize,
    /// Faults: at which point, and what.
    pub faults: Vec<String>,
    /// Points with a fault.
    pub bad: usize,
    /// Time for cutting and checking.
    pub took: Duration,
}

impl Found {
    /// All crash points.
    pub fn all(&self) -> usize {
        self.points.values().sum()
    }

    /// Adds another recording's.
    pub fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.acknowledged += other.acknowledged;
        self.changes += other.changes;
        self.failures += other.failures;
        for (cut, n) in other.points {
            *self.points.entry(cut).or_default() += n;
        }
        self.opened += other.opened;
        self.states += other.states;
        self.faults.extend(other.faults);
        self.bad += other.bad;
        self.took += other.took;
    }

    /// In one line.
    pub fn line(&self) -> String {
        format!(
            "{} crash points ({:?}) over {} disk changes ({} failures) of {} attempts, {} acknowledgements; {} images opened, jobs run for {} states; {} bad points; {:.0} s",
            self.all(),
            self.points,
            self.changes,
            self.failures,
            self.attempts,
            self.acknowledged,
            self.opened,
            self.states,
            self.bad,
            self.took.as_secs_f64()
        )
    }
}

/// A folder in memory, if there is one.
pub fn scratch() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("assay-torture-").tempdir_in(place).unwrap()
}

/// Records a story.
pub fn tell(plan: Plan) -> Recording {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = scratch();
    runtime.block_on(record(folder.path(), plan))
}

/// Cuts a recording and checks what is left, on two threads.
#[expect(clippy::disallowed_methods, reason = "measures how long it took")]
pub fn cut(recording: &Recording, seed: u8, cuts: &Cuts) -> Found {
    let began = Instant::now();
    let changes: Vec<usize> = (0..recording.events.len()).filter(|index| !matches!(recording.events[*index], Event::Told(_))).collect();
    // A point is the moment after a change. What was told before the next change was told with that change on the way.
    let points: Vec<usize> = changes.iter().skip(1).copied().chain([recording.events.len()]).collect();
    let share = points.len().min(cuts.most / cuts.manners.len().max(1)).max(1);
    let points: Vec<usize> = (0..share).map(|n| points[n * points.len() / share]).collect();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Found {
        attempts: recording.chapters.len(),
        acknowledged: recording.acknowledged,
        changes: changes.len(),
        failures: recording.failures,
        ..Found::default()
    });
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| Saw::new(recording, seed, cuts).work(&points, &next, &found));
        }
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.took = began.elapsed();
    found
}

/// One thread's part.
struct Saw<'a> {
    recording: &'a Recording,
    seed: u8,
    cuts: &'a Cuts,
    platter: Platter<'a>,
    promises: Promises,
    at: usize,
    checker: Checker<'a>,
    /// What stood when nothing but what was synced was there, and after how many syncs that was.
    synced: Option<(u64, Result<Standing, Vec<String>>)>,
    opened: usize,
}

/// Points that one thread takes at once: they lie side by side, so that little is replayed and few states are met twice.
const RUN: usize = 64;

impl<'a> Saw<'a> {
    fn new(recording: &'a Recording, seed: u8, cuts: &'a Cuts) -> Self {
        let platter = Platter::new(&recording.events);
        let checker = match recording.failures {
            0 => Checker::new(&recording.chapters),
            // Jobs that failed wait for their next try.
            _ => Checker::at(&recording.chapters, START.plus_seconds(10 * DAY_SECONDS)),
        };
        Self { recording, seed, cuts, platter, promises: Promises::default(), at: 0, checker, synced: None, opened: 0 }
    }

    fn work(mut self, points: &[usize], next: &AtomicUsize, found: &Mutex<Found>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = scratch();
        loop {
            let from = next.fetch_add(RUN, Ordering::SeqCst);
            if from >= points.len() {
                break;
            }
            for point in &points[from..points.len().min(from + RUN)] {
                self.go(*point);
                for manner in &self.cuts.manners {
                    let outcome = runtime.block_on(self.point(*manner, folder.path()));
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    *found.points.entry(*manner).or_default() += 1;
                    if let Err(faults) = outcome {
                        found.bad += 1;
                        found.faults.push(format!("seed {}, event {point}, {manner:?}: {}", self.seed, faults.join("; ")));
                    }
                    if found.bad >= self.cuts.enough {
                        next.store(points.len(), Ordering::SeqCst);
                    }
                }
                if next.load(Ordering::SeqCst) >= points.len()
                    && found.lock().unwrap_or_else(PoisonError::into_inner).bad >= self.cuts.enough
                {
                    break;
                }
            }
        }
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        found.opened += self.opened;
        found.states += self.checker.states;
    }

    fn go(&mut self, point: usize) {
        self.platter.go(point);
        for event in &self.recording.events[self.at..point] {
            if let Event::Told(told) = event {
                self.promises.add(told);
            }
        }
        self.at = point;
    }

    async fn point(&mut self, manner: Cut, folder: &std::path::Path) -> Result<(), Vec<String>> {
        if manner == Cut::Power
            && let Some((syncs, Ok(standing))) = &self.synced
            && *syncs == self.platter.syncs
        {
            let faults = self.checker.compare(standing, &self.promises);
            return if faults.is_empty() { Ok(()) } else { Err(faults) };
        }
        let mut seed = [self.seed; 32];
        seed[..8].copy_from_slice(&(self.at as u64).to_be_bytes());
        seed[8] = manner as u8;
        lay_down(&self.platter.image(manner, &SeededChance::new(seed)), folder);
        self.opened += 1;
        let outcome = self.checker.check(folder, &self.promises).await;
        if manner == Cut::Power {
            self.synced = Some((self.platter.syncs, outcome.clone()));
        }
        outcome.map(drop)
    }
}
