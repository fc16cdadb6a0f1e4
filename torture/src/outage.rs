//! Disks that stop working for a while, under a store that must not: nothing is told that is not on the disk, pages are read on,
//! and writing goes on by itself when the disk does.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use assay_core::{
    chance::SeededChance,
    clock::{DAY_SECONDS, SetClock},
};
use assay_fixtures::START;
use assay_jobs::FileJournal;
use assay_store::{
    SqliteTuning, Store, StoreError,
    queries::{BadgesOf, JobCounts, QuestionOf},
};

use crate::{
    check::{Checker, Promises},
    faulty::{Faulty, Rule},
    image::{Cut, Platter, lay_down},
    power::scratch,
    room::{QUESTIONS, Room, Sitting, worker},
    story::{Memory, Postbox, Witness},
    trace::{Event, RecordedJournal, Recorder, Told},
    vfs,
};

/// What happened in an outage.
#[derive(Clone, Debug, Default)]
pub struct Outage {
    /// Saves that were refused.
    pub refused: usize,
    /// The longest anybody waited for a refusal.
    pub slowest_refusal: Duration,
    /// Reads that were answered.
    pub read: usize,
    /// From the end of the outage to the first save that was taken.
    pub recovered_after: Duration,
    /// What was wrong.
    pub faults: Vec<String>,
}

/// Refused saves that make an outage.
const LONG: usize = 40;
/// Nobody waits longer than this for an answer of any kind.
const HANGS: Duration = Duration::from_secs(60);

/// One person and their answers.
struct Story {
    room: Room,
    sitting: Sitting,
    witness: Arc<dyn Witness>,
    attempt: usize,
    counter: i64,
}

impl Story {
    async fn begin(store: Store, witness: Arc<dyn Witness>) -> Self {
        let room = Room::new(store, 9).await.unwrap();
        let learner = room.person("person-0@example.org").await.unwrap();
        let sitting = room.start(learner, "person-0@example.org").await.unwrap();
        let attempt = witness.begin(&sitting, true);
        witness.told(Told::Published);
        witness.told(Told::Started(attempt));
        let mut story = Self { room, sitting, witness, attempt, counter: 0 };
        for position in 2..=QUESTIONS {
            story.choose(position);
            let revision = story.room.save(&story.sitting, position, 1, true).await.unwrap();
            story.witness.told(Told::Saved { attempt, position, revision });
        }
        story.answer().await.unwrap();
        story
    }

    fn choose(&self, position: u16) {
        let chosen = serde_json::to_string(&[&self.sitting.options[usize::from(position) - 1].0]).unwrap();
        self.witness.chose(self.attempt, position, chosen);
    }

    /// Answers the first question once more. A try that was refused is made again with the same number, as browsers do.
    async fn answer(&mut self) -> Result<(), StoreError> {
        let counter = self.counter + 1;
        let saved = tokio::time::timeout(HANGS, self.room.save(&self.sitting, 1, counter, true)).await.expect("a save hangs");
        let revision = saved?;
        self.choose(1);
        self.counter = counter;
        self.witness.told(Told::Saved { attempt: self.attempt, position: 1, revision });
        Ok(())
    }

    /// What stands, as a page would show it.
    async fn read(&self) -> Result<i64, StoreError> {
        let question = QuestionOf { learner: self.sitting.learner, attempt: self.sitting.attempt, position: 1 };
        Ok(self.room.store.read(question).await?.unwrap().revision)
    }

    /// Saves and reads while nothing can be written.
    #[expect(clippy::disallowed_methods, reason = "measures how long it took")]
    async fn suffer(&mut self, outage: &mut Outage) {
        // A full disk has some room left in pages that are there already.
        for _ in 0..10_000 {
            let began = Instant::now();
            match self.answer().await {
                Ok(()) if outage.refused > 0 => outage.faults.push("a save was told between refusals".into()),
                Ok(()) => {}
                Err(_) => {
                    outage.refused += 1;
                    outage.slowest_refusal = outage.slowest_refusal.max(began.elapsed());
                }
            }
            match tokio::time::timeout(HANGS, self.read()).await {
                Ok(Ok(revision)) if revision >= self.counter => outage.read += 1,
                wrong => outage.faults.push(format!("reading does not go on: {wrong:?}, and {} was told", self.counter)),
            }
            if outage.refused >= LONG {
                return;
            }
        }
        outage.faults.push("the outage was none".into());
    }

    /// Saves until it is taken again.
    #[expect(clippy::disallowed_methods, reason = "measures how long it took")]
    async fn recover(&mut self, outage: &mut Outage) {
        let began = Instant::now();
        while began.elapsed() < HANGS {
            if self.answer().await.is_ok() {
                outage.recovered_after = began.elapsed();
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        outage.faults.push("saves are refused for ever".into());
    }

    async fn hand_in(&self) {
        self.witness.told(Told::HandingIn(self.attempt));
        let submitted = self.room.submit(self.sitting.learner, self.sitting.attempt).await.unwrap().unwrap();
        self.witness.outcome(self.attempt, serde_json::to_string(&submitted.outcome).unwrap());
        self.witness.told(Told::HandedIn(self.attempt));
    }
}

fn promises(recorder: &Recorder) -> (Vec<Event>, Promises) {
    let (events, mut promises) = (recorder.take(), Promises::default());
    for event in &events {
        if let Event::Told(told) = event {
            promises.add(told);
        }
    }
    (events, promises)
}

/// A disk that fails by this rule, then works again; then the power goes.
pub async fn outage(rule: Rule) -> Outage {
    let folder = scratch();
    let recorder = Arc::new(Recorder::new(false));
    let disk = Arc::new(Faulty::new(recorder.clone()));
    let tuning = SqliteTuning { vfs: Some(vfs::register(disk.clone())), full_sync: true };
    let store = Store::open_sqlite_with(&folder.path().join("assay.db"), tuning).await.unwrap();
    let witness = Arc::new(Memory::new(recorder.clone()));
    let mut story = Story::begin(store, witness.clone()).await;
    let (clock, mut outage) = (SetClock::new(START), Outage::default());
    let journal = Arc::new(RecordedJournal::new(&folder.path().join("signing.jsonl"), recorder.clone(), true));
    let worker = worker(&story.room.store, 9, &clock, Arc::new(Postbox(witness.clone())), journal, Arc::default());
    disk.set(rule);
    story.suffer(&mut outage).await;
    worker.drain().await;
    disk.set(Rule::Well);
    story.recover(&mut outage).await;
    story.hand_in().await;
    clock.advance_seconds(3600);
    worker.drain().await;
    // The power goes with everything still open.
    let (events, promises) = promises(&recorder);
    let chapters = witness.take();
    let mut platter = Platter::new(&events);
    platter.go(events.len());
    let after = scratch();
    for cut in Cut::ALL {
        lay_down(&platter.image(cut, &SeededChance::new([3; 32])), after.path());
        if let Err(faults) = Checker::at(&chapters, START.plus_seconds(DAY_SECONDS)).check(after.path(), &promises).await {
            outage.faults.extend(faults.into_iter().map(|fault| format!("after the power went ({cut:?}): {fault}")));
        }
    }
    story.room.store.close().await;
    outage
}

/// A small file system of its own in memory, unmounted in the end.
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Of so many KiB.
    ///
    /// # Errors
    /// When nothing may be mounted here, in words.
    pub fn mount(kib: usize) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={kib}k");
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "assay-torture"]).arg(folder.path()).output();
        match output {
            Ok(output) if output.status.success() => Ok(Self(folder)),
            Ok(output) => Err(format!("nothing may be mounted here: {}", String::from_utf8_lossy(&output.stderr).trim())),
            Err(error) => Err(format!("there is no `mount`: {error}")),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes until there is no room left.
    pub fn fill(&self) {
        let mut file = File::create(self.path().join("ballast")).unwrap();
        for size in [4096, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    /// There is room again.
    pub fn empty(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }

    /// Nothing can be written any more.
    pub fn read_only(&self) {
        let status = Command::new("mount").args(["-o", "remount,ro"]).arg(self.path()).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Files that are still open keep it until they are closed.
        let _gone = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

/// A real file system that is full for a while, under database and journal.
pub async fn full_disk(disk: &SmallDisk) -> Outage {
    let recorder = Arc::new(Recorder::new(false));
    let witness = Arc::new(Memory::new(recorder.clone()));
    let store = Store::open_sqlite(&disk.path().join("assay.db")).await.unwrap();
    let mut story = Story::begin(store, witness.clone()).await;
    let (clock, mut outage) = (SetClock::new(START), Outage::default());
    let journal = Arc::new(FileJournal::new(disk.path().join("signing.jsonl")));
    let worker = worker(&story.room.store, 9, &clock, Arc::new(Postbox(witness.clone())), journal, Arc::default());
    disk.fill();
    story.suffer(&mut outage).await;
    disk.empty();
    story.recover(&mut outage).await;
    story.hand_in().await;
    worker.drain().await;
    story.room.store.close().await;
    let (_, promises) = promises(&recorder);
    let chapters = witness.take();
    if let Err(faults) = Checker::new(&chapters).check(disk.path(), &promises).await {
        outage.faults.extend(faults);
    }
    outage
}

/// A full disk under the journal alone: nothing is signed until there is room, then one badge is. Answers the faults.
pub async fn full_journal(disk: &SmallDisk) -> Vec<String> {
    let folder = scratch();
    let witness: Arc<dyn Witness> = Arc::new(Memory::new(Arc::new(Recorder::new(false))));
    let store = Store::open_sqlite(&folder.path().join("assay.db")).await.unwrap();
    let story = Story::begin(store, witness.clone()).await;
    let clock = SetClock::new(START);
    let path = disk.path().join("signing.jsonl");
    let worker = worker(&story.room.store, 9, &clock, Arc::new(Postbox(witness)), Arc::new(FileJournal::new(&path)), Arc::default());
    let signed = async || story.room.store.read(BadgesOf { learner: story.sitting.learner }).await.unwrap()[0].document.is_some();
    let mut faults = Vec::new();
    disk.fill();
    story.hand_in().await;
    for _ in 0..5 {
        worker.drain().await;
        clock.advance_seconds(600);
    }
    if signed().await {
        faults.push("signed without a line in the journal".to_owned());
    }
    disk.empty();
    clock.advance_seconds(3600);
    worker.drain().await;
    if !signed().await || story.room.store.read(JobCounts { at: START }).await.unwrap().open > 0 {
        faults.push("not signed when there was room again".to_owned());
    }
    story.room.store.close().await;
    let lines = fs::read_to_string(&path).unwrap();
    let of_signing = |line: &str| {
        let entry = serde_json::from_str::<serde_json::Value>(line).ok()?;
        Some(entry["event"] == "intent" || entry["event"] == "signed")
    };
    let whole = lines.lines().filter(|line| of_signing(line) == Some(true)).count();
    if whole != 2 {
        faults.push(format!("the journal has {whole} lines of signing: {lines}"));
    }
    faults
}

/// The process has no file descriptor left for a while; the writer loses its connection in the middle of it. For a process of its
/// own with a low limit: it opens whatever can be opened.
pub async fn no_descriptors() -> Outage {
    let folder = scratch();
    let recorder = Arc::new(Recorder::new(false));
    let disk = Arc::new(Faulty::new(recorder.clone()));
    let witness = Arc::new(Memory::new(recorder.clone()));
    let tuning = SqliteTuning { vfs: Some(vfs::register(disk.clone())), full_sync: true };
    let store = Store::open_sqlite_with(&folder.path().join("assay.db"), tuning).await.unwrap();
    let mut story = Story::begin(store, witness.clone()).await;
    let (clock, mut outage) = (SetClock::new(START), Outage::default());
    let journal = Arc::new(FileJournal::new(folder.path().join("signing.jsonl")));
    let worker = worker(&story.room.store, 9, &clock, Arc::new(Postbox(witness.clone())), journal, Arc::default());
    let take_all = || std::iter::from_fn(|| File::open("/dev/null").ok()).collect::<Vec<File>>();
    let hoard = take_all();
    if hoard.len() > 10_000 {
        outage.faults.push("this process has no low limit".into());
    }
    // What is open stays open: nothing is refused.
    for _ in 0..LONG {
        if let Err(error) = story.answer().await {
            outage.faults.push(format!("refused with every connection open: {error}"));
        }
    }
    disk.set(Rule::NoSync);
    if story.answer().await.is_ok() {
        outage.faults.push("told without a sync".into());
    }
    disk.set(Rule::Well);
    // What the lost connection leaves, which is closed on a thread of its own.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let rest = take_all();
    story.suffer(&mut outage).await;
    drop((hoard, rest));
    story.recover(&mut outage).await;
    story.hand_in().await;
    worker.drain().await;
    story.room.store.close().await;
    let (_, promises) = promises(&recorder);
    let chapters = witness.take();
    if let Err(faults) = Checker::new(&chapters).check(folder.path(), &promises).await {
        outage.faults.extend(faults);
    }
    outage
}
