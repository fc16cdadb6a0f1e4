//! What is recorded: several people at once begin, answer, change their minds and hand in; badges are signed and mailed meanwhile;
//! one corrects a name, one erases everything; the server stops in order and starts again.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use assay_core::{
    UtcMillis,
    badge::Visibility,
    chance::SeededChance,
    clock::SetClock,
    ids::{JobId, RowId},
    mail::Mail,
};
use assay_fixtures::START;
use assay_jobs::{Mailer, Sending};
use assay_store::{
    SqliteTuning, Store,
    commands::{Act, Erase, NoteShown, SetBadge, Shown},
    queries::{BadgesOf, JobCounts},
};
use tokio::sync::watch;

use crate::{
    faulty::{Faulty, Rule},
    room::{QUESTIONS, Room, Sitting, again, worker},
    trace::{Event, RecordedJournal, Recorder, Told},
    vfs,
};

/// How a story is told.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// People in each of the two sessions.
    pub people: usize,
    /// Another seed is another story.
    pub seed: u8,
    /// What is wrong with the disk or the database, as a negative control.
    pub fault: Fault,
}

/// A defence that is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// None: what the program runs with.
    None,
    /// `synchronous=NORMAL`.
    NormalSync,
    /// The disk says that it synced, and did not.
    IgnoredSync,
    /// The signing journal is not synced.
    JournalUnsynced,
    /// None is switched off, but the disk fails now and then: one sync in ten, one write in a hundred, some of them half done.
    FailingDisk,
}

/// One attempt of the story, whole.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// Whose, and which.
    pub sitting: Sitting,
    /// For each question what was chosen, revision by revision, as the database writes it.
    pub answers: BTreeMap<u16, Vec<String>>,
    /// The outcome, as the database writes it; once it was handed in.
    pub outcome: Option<String>,
    /// Whether it passed.
    pub passed: bool,
}

/// A recorded story.
pub struct Recording {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// Every attempt, by its number.
    pub chapters: Vec<Chapter>,
    /// Commands acknowledged.
    pub acknowledged: usize,
    /// How often the disk failed.
    pub failures: usize,
}

/// Hands mails over to nobody, and writes down that it did.
pub struct Postbox(pub Arc<dyn Witness>);

impl Mailer for Postbox {
    fn send<'a>(&'a self, id: &'a str, mail: &'a Mail, _at: UtcMillis) -> Sending<'a> {
        self.0.told(Told::Mailed { id: id.to_owned(), mail: label(mail) });
        Box::pin(async { Ok(()) })
    }
}

/// What tells one mail from another.
pub fn label(mail: &Mail) -> String {
    format!("{} | {} | {}", mail.to, mail.subject, mail.text.contains("corrected name"))
}

/// Who keeps what people do and are told.
pub trait Witness: Send + Sync {
    /// An attempt begins; answers its number.
    fn begin(&self, sitting: &Sitting, passes: bool) -> usize;
    /// An answer is about to be sent.
    fn chose(&self, attempt: usize, position: u16, chosen: String);
    /// What a hand-in was answered with.
    fn outcome(&self, attempt: usize, outcome: String);
    /// Somebody was told something.
    fn told(&self, told: Told);
}

/// In memory, in one order with the changes of the disk.
pub struct Memory {
    recorder: Arc<Recorder>,
    chapters: Mutex<Vec<Chapter>>,
}

impl Memory {
    /// Empty.
    pub fn new(recorder: Arc<Recorder>) -> Self {
        Self { recorder, chapters: Mutex::default() }
    }

    fn chapters(&self) -> MutexGuard<'_, Vec<Chapter>> {
        self.chapters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over the attempts.
    pub fn take(&self) -> Vec<Chapter> {
        std::mem::take(&mut self.chapters())
    }
}

impl Witness for Memory {
    fn begin(&self, sitting: &Sitting, passes: bool) -> usize {
        let mut chapters = self.chapters();
        chapters.push(Chapter { sitting: sitting.clone(), answers: BTreeMap::new(), outcome: None, passed: passes });
        chapters.len() - 1
    }

    fn chose(&self, attempt: usize, position: u16, chosen: String) {
        self.chapters()[attempt].answers.entry(position).or_default().push(chosen);
    }

    fn outcome(&self, attempt: usize, outcome: String) {
        self.chapters()[attempt].outcome = Some(outcome);
    }

    fn told(&self, told: Told) {
        self.recorder.told(told);
    }
}

/// Tells a story in this folder, and records it.
pub async fn record(folder: &Path, plan: Plan) -> Recording {
    let recorder = Arc::new(Recorder::new(plan.fault == Fault::IgnoredSync));
    let disk = Arc::new(Faulty::new(recorder.clone()));
    let tuning = SqliteTuning { vfs: Some(vfs::register(disk.clone())), full_sync: plan.fault != Fault::NormalSync };
    let witness = Arc::new(Memory::new(recorder.clone()));
    for session in 0..2 {
        let store = Store::open_sqlite_with(&folder.join("assay.db"), tuning.clone()).await.unwrap();
        let seed = u32::from(plan.seed) * 2 + u32::from(session);
        let mut room = Room::new(store, seed).await.unwrap();
        recorder.told(Told::Published);
        let clock = SetClock::new(START);
        if plan.fault == Fault::FailingDisk {
            room.tries = 1000;
            disk.set(Rule::Now { syncs: 100, writes: 10 });
        }
        // Jobs that failed come round again, leases of jobs whose end could not be written run out.
        let ticking = clock.clone();
        let ticking = (plan.fault == Fault::FailingDisk).then(|| {
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    ticking.advance_seconds(10);
                }
            })
        });
        let (stop, stopped) = watch::channel(false);
        let journal = RecordedJournal::new(&folder.join("signing.jsonl"), recorder.clone(), plan.fault != Fault::JournalUnsynced);
        let (mails, bell) = (Arc::new(Postbox(witness.clone())), room.bell.clone());
        let working = Arc::new(worker(&room.store, seed, &clock, mails, Arc::new(journal), bell));
        let working = tokio::spawn(working.run(stopped));
        let mut all = tokio::task::JoinSet::new();
        for number in 0..plan.people {
            all.spawn(person(room.clone(), witness.clone(), plan.seed, usize::from(session) * plan.people + number));
        }
        all.spawn(leaver(room.clone(), session));
        while let Some(done) = all.join_next().await {
            done.unwrap();
        }
        disk.set(Rule::Well);
        room.bell.ring();
        while room.store.read(JobCounts { at: START }).await.unwrap().open > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        stop.send(true).unwrap();
        working.await.unwrap();
        if let Some(ticking) = ticking {
            ticking.abort();
        }
        room.store.close().await;
    }
    let events = recorder.take();
    let acknowledged = events.iter().filter(|event| matches!(event, Event::Told(_))).count();
    Recording { events, chapters: witness.take(), acknowledged, failures: disk.failures() }
}

/// One person: begins, answers every question once to three times, hands in. Two of three pass; every fifth of these corrects the
/// name on the badge.
pub async fn person(room: Room, witness: Arc<dyn Witness>, seed: u8, number: usize) {
    let mut seed = [seed; 32];
    seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
    let chance = SeededChance::new(seed);
    let address = format!("person-{number}@example.org");
    let learner = room.person(&address).await.unwrap();
    pause(&chance).await;
    let sitting = room.start(learner, &address).await.unwrap();
    let passes = !number.is_multiple_of(3);
    let attempt = witness.begin(&sitting, passes);
    witness.told(Told::Started(attempt));
    for position in 1..=QUESTIONS {
        again!(room, room.store.run(NoteShown { shown: vec![Shown { learner, attempt: sitting.attempt, position, at: START }] }).await)
            .unwrap();
        let times = 1 + chance.below(3) as i64;
        for counter in 1..=times {
            // The last answer counts.
            let right = if counter == times { passes } else { chance.below(2) == 0 };
            let (yes, no) = &sitting.options[usize::from(position) - 1];
            let chosen = serde_json::to_string(&[if right { yes } else { no }]).unwrap();
            witness.chose(attempt, position, chosen);
            let revision = room.save(&sitting, position, counter, right).await.unwrap();
            assert_eq!(revision, counter);
            witness.told(Told::Saved { attempt, position, revision });
            pause(&chance).await;
        }
    }
    witness.told(Told::HandingIn(attempt));
    let submitted = room.submit(learner, sitting.attempt).await.unwrap().unwrap();
    assert_eq!(submitted.outcome.passed, passes);
    witness.outcome(attempt, serde_json::to_string(&submitted.outcome).unwrap());
    witness.told(Told::HandedIn(attempt));
    if passes && number.is_multiple_of(5) {
        correct_name(&room, &sitting).await;
    }
}

async fn correct_name(room: &Room, sitting: &Sitting) {
    loop {
        let badges = room.store.read(BadgesOf { learner: sitting.learner }).await.unwrap();
        if let Some(badge) = badges.first().filter(|badge| badge.signed_revision.is_some()) {
            let command = SetBadge {
                learner: sitting.learner,
                badge_id: badge.badge_id.clone(),
                name: Some("A corrected name".into()),
                shown: Some((Visibility::Link, false)),
                job: JobId::random(room.chance()),
                at: START,
            };
            again!(room, room.store.run(command.clone()).await).unwrap();
            room.bell.ring();
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// Begins, answers, and erases the account: the write-ahead log is folded in and cut while the others write on.
async fn leaver(room: Room, session: u8) {
    let address = format!("leaver-{session}@example.org");
    let learner = room.person(&address).await.unwrap();
    let sitting = room.start(learner, &address).await.unwrap();
    room.save(&sitting, 1, 1, true).await.unwrap();
    let act = Act { row: RowId::random(room.chance()), actor: "person".into(), at: START };
    let erase = Erase { learner, address_mac: [session; 32], act };
    again!(room, room.store.run(erase.clone()).await).unwrap();
    room.store.fold_log().await;
}

async fn pause(chance: &SeededChance) {
    if chance.below(4) == 0 {
        tokio::time::sleep(std::time::Duration::from_micros(chance.below(1500) as u64)).await;
    }
}
