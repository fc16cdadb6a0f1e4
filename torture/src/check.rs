//! Opens what a power cut left, as the program would, and holds it against what people had been told.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::ControlFlow,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use assay_core::{UtcMillis, clock::SetClock, mail::Mail};
use assay_fixtures::START;
use assay_jobs::{FileJournal, Mailer, Sending};
use assay_store::{
    Promise, Store,
    moving::{self, Place},
};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    room::{AFTERWARDS, Room, worker},
    story::{Chapter, label},
    trace::Told,
};

/// What had been told up to a point.
#[derive(Clone, Debug, Default)]
pub struct Promises {
    published: bool,
    started: BTreeSet<usize>,
    /// By attempt and question: the newest revision.
    saved: BTreeMap<(usize, u16), i64>,
    handing_in: BTreeSet<usize>,
    handed_in: BTreeSet<usize>,
    /// By what a mail says: the ids it went out under.
    mailed: BTreeMap<String, BTreeSet<String>>,
}

impl Promises {
    /// One more.
    pub fn add(&mut self, told: &Told) {
        match told {
            Told::Published => self.published = true,
            Told::Started(attempt) => drop(self.started.insert(*attempt)),
            Told::Saved { attempt, position, revision } => drop(self.saved.insert((*attempt, *position), *revision)),
            Told::HandingIn(attempt) => drop(self.handing_in.insert(*attempt)),
            Told::HandedIn(attempt) => drop(self.handed_in.insert(*attempt)),
            Told::Mailed { id, mail } => drop(self.mailed.entry(mail.clone()).or_default().insert(id.clone())),
        }
    }
}

/// What stands in a database that was opened again.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    programmes: i64,
    answers: HashMap<(Uuid, u16), (i64, String)>,
    /// State and outcome.
    attempts: HashMap<Uuid, (String, Option<String>)>,
    /// Address and revision of every signed document.
    signed: BTreeSet<(String, i64)>,
    /// A hash of everything that the jobs to come depend on.
    state: [u8; 32],
}

/// What the jobs made of it.
#[derive(Clone, Debug, Default)]
struct Done {
    faults: Vec<String>,
    mailed: BTreeMap<String, BTreeSet<String>>,
    passed: Vec<usize>,
    failed: Vec<usize>,
    corrected: BTreeSet<usize>,
}

/// Checks images of one story. Jobs are run once for each state that differs.
pub struct Checker<'a> {
    chapters: &'a [Chapter],
    now: UtcMillis,
    done: HashMap<[u8; 32], Done>,
    /// The PostgreSQL database, if it is there that all happened.
    server: Option<String>,
    /// States that jobs were run for.
    pub states: usize,
}

impl<'a> Checker<'a> {
    /// For this story, a minute after its time stood still: a job that was leased is due only if leases are taken over.
    pub fn new(chapters: &'a [Chapter]) -> Self {
        Self::at(chapters, START.plus_seconds(60))
    }

    /// For this story, at this time.
    pub fn at(chapters: &'a [Chapter], now: UtcMillis) -> Self {
        Self { chapters, now, done: HashMap::new(), server: None, states: 0 }
    }

    /// The same, of what stands in a PostgreSQL database: it is looked at in a copy that `assay move`'s own code makes.
    #[must_use]
    pub fn over(self, url: Option<String>) -> Self {
        Self { server: url, ..self }
    }

    /// Opens the folder's database with the program's own engine, checks it, does the jobs, checks again. Answers what stood before
    /// the jobs.
    ///
    /// # Errors
    /// What was lost, doubled or broken, in words.
    pub async fn check(&mut self, folder: &Path, promises: &Promises) -> Result<Standing, Vec<String>> {
        let file = folder.join("assay.db");
        let store = match &self.server {
            None => Store::open_sqlite(&file).await,
            Some(url) => {
                copy(url, &file).await?;
                Store::open_postgres(url, Promise::Disk).await
            }
        };
        let store = store.map_err(|e| vec![format!("does not open: {e}")])?;
        let found = self.opened(&store, folder, promises).await;
        store.close().await;
        found
    }

    async fn opened(&mut self, store: &Store, folder: &Path, promises: &Promises) -> Result<Standing, Vec<String>> {
        let words = |e: rusqlite::Error| vec![format!("cannot be read: {e}")];
        let conn = Connection::open(folder.join("assay.db")).map_err(words)?;
        let sound: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(words)?;
        if sound != "ok" {
            return Err(vec![format!("is damaged: {sound}")]);
        }
        let standing = standing(&conn, folder).map_err(words)?;
        let mut faults = self.compare(&standing, promises);
        let again: Vec<usize> = promises.handing_in.iter().copied().filter(|attempt| self.is_open(&standing, *attempt)).collect();
        let mut key = Sha256::new_with_prefix(standing.state);
        again.iter().for_each(|attempt| key.update(attempt.to_be_bytes()));
        let key: [u8; 32] = key.finalize().into();
        if faults.is_empty() && standing.programmes > 0 && !self.done.contains_key(&key) {
            self.states += 1;
            let done = self.do_jobs(store, folder, &again).await?;
            self.done.insert(key, done);
        }
        if let Some(done) = self.done.get(&key) {
            faults.extend(done.faults.iter().cloned());
            faults.extend(self.compare_mails(done, promises));
        }
        // Closed before the store: the store's writer then folds the log in.
        conn.close().map_err(|(_, e)| words(e))?;
        if faults.is_empty() { Ok(standing) } else { Err(faults) }
    }

    fn is_open(&self, standing: &Standing, attempt: usize) -> bool {
        standing.attempts.get(&self.chapters[attempt].sitting.attempt.0).is_some_and(|(state, _)| state == "open")
    }

    /// What people were told against what stands.
    pub fn compare(&self, standing: &Standing, promises: &Promises) -> Vec<String> {
        let mut faults = Vec::new();
        if promises.published && standing.programmes != 1 {
            faults.push("lost the programme".to_owned());
        }
        for attempt in &promises.started {
            if !standing.attempts.contains_key(&self.chapters[*attempt].sitting.attempt.0) {
                faults.push(format!("lost attempt {attempt}"));
            }
        }
        for ((attempt, position), revision) in &promises.saved {
            let stands = standing.answers.get(&(self.chapters[*attempt].sitting.attempt.0, *position));
            if stands.is_none_or(|(stands, _)| stands < revision) {
                faults.push(format!("lost answer {attempt}/{position} revision {revision}, there is {:?}", stands.map(|s| s.0)));
            }
        }
        for chapter in self.chapters {
            for (position, given) in &chapter.answers {
                let stands = standing.answers.get(&(chapter.sitting.attempt.0, *position));
                if stands.is_some_and(|(revision, chosen)| given.get(usize::try_from(*revision).unwrap() - 1) != Some(chosen)) {
                    faults
                        .push(format!("an answer was never given like this: {}, question {position}: {stands:?}", chapter.sitting.address));
                }
            }
        }
        for attempt in &promises.handed_in {
            let chapter = &self.chapters[*attempt];
            let stands = standing.attempts.get(&chapter.sitting.attempt.0);
            if stands.is_none_or(|(state, outcome)| state != "submitted" || *outcome != chapter.outcome) {
                faults.push(format!("lost the hand-in of attempt {attempt}: {stands:?}"));
            }
        }
        for mail in promises.mailed.keys().filter(|mail| mail.contains("Your badge")) {
            let (address, _) = mail.split_once(' ').unwrap_or_default();
            let revision = if mail.ends_with("true") { 2 } else { 1 };
            if !standing.signed.contains(&(address.to_owned(), revision)) {
                faults.push(format!("lost a badge that was told of: {mail}"));
            }
        }
        faults
    }

    /// Hands in again what nobody confirmed, does all jobs, and looks at awards, credentials and the journal.
    async fn do_jobs(&self, store: &Store, folder: &Path, again: &[usize]) -> Result<Done, Vec<String>> {
        let words = |e: rusqlite::Error| vec![format!("cannot be read: {e}")];
        let mut done = Done::default();
        let room = match Room::new(store.clone(), AFTERWARDS).await {
            Ok(room) => room,
            Err(error) => return Ok(Done { faults: vec![format!("cannot be started: {error}")], ..done }),
        };
        for attempt in again {
            let sitting = &self.chapters[*attempt].sitting;
            if let Err(error) = room.submit(sitting.learner, sitting.attempt).await {
                done.faults.push(format!("attempt {attempt} cannot be handed in again: {error}"));
            }
        }
        let mails = Arc::new(Mails::default());
        let journal = Arc::new(FileJournal::new(folder.join("signing.jsonl")));
        let worker = worker(store, AFTERWARDS, &SetClock::new(self.now), mails.clone(), journal, Arc::default());
        if let Err(error) = worker.take_over().await {
            done.faults.push(format!("leases cannot be taken over: {error}"));
        }
        worker.drain().await;
        done.mailed = std::mem::take(&mut *mails.0.lock().unwrap_or_else(PoisonError::into_inner));
        let file = folder.join(if self.server.is_some() { "afterwards.db" } else { "assay.db" });
        if let Some(url) = &self.server {
            store.close().await;
            copy(url, &file).await?;
        }
        let conn = Connection::open(file).map_err(words)?;
        let open: i64 = conn.query_row("SELECT COUNT(*) FROM jobs WHERE done_at IS NULL", [], |row| row.get(0)).map_err(words)?;
        if open > 0 {
            done.faults.push(format!("{open} jobs are not done"));
        }
        let signed = self.journal(folder, &mut done.faults);
        self.awards(&conn, &signed, &mut done).map_err(words)?;
        conn.close().map_err(|(_, e)| words(e))?;
        Ok(done)
    }

    /// One award and one credential of each revision for what was passed, none for anything else.
    fn awards(&self, conn: &Connection, signed: &BTreeSet<String>, done: &mut Done) -> rusqlite::Result<()> {
        let mut awards: HashMap<Uuid, Vec<(Uuid, i64)>> = HashMap::new();
        let rows = all(conn, "SELECT attempt_id, award_id, revision FROM awards", |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        for (attempt, award, revision) in rows {
            awards.entry(attempt).or_default().push((award, revision));
        }
        let mut credentials: HashMap<Uuid, Vec<i64>> = HashMap::new();
        let rows = all(conn, "SELECT award_id, revision, sha256, document FROM credentials ORDER BY revision", |row| {
            Ok((row.get::<_, Uuid>(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?, row.get::<_, String>(3)?))
        })?;
        for (award, revision, sha256, document) in rows {
            if *Sha256::digest(&document) != *sha256 {
                done.faults.push("a credential is not the one that was signed".into());
            }
            if !signed.contains(&hex(&sha256)) {
                done.faults.push("a credential is not in the journal".into());
            }
            credentials.entry(award).or_default().push(revision);
        }
        let mut passed = BTreeMap::new();
        let rows = all(conn, "SELECT attempt_id, outcome FROM attempts WHERE outcome IS NOT NULL", |row| Ok((row.get(0)?, row.get(1)?)))?;
        for (attempt, outcome) in rows {
            let (attempt, outcome): (Uuid, String) = (attempt, outcome);
            passed.insert(attempt, outcome.contains("\"passed\":true"));
        }
        for (number, chapter) in self.chapters.iter().enumerate() {
            let attempt = chapter.sitting.attempt.0;
            let awards = awards.remove(&attempt).unwrap_or_default();
            match (passed.get(&attempt), &awards[..]) {
                (Some(true), [(award, revision)]) => {
                    let found = credentials.remove(award).unwrap_or_default();
                    if found != (1..=*revision).collect::<Vec<_>>() {
                        done.faults.push(format!("attempt {number}: credentials of revisions {found:?}, the award is at {revision}"));
                    }
                    done.passed.push(number);
                    if *revision > 1 {
                        done.corrected.insert(number);
                    }
                }
                (Some(false), []) => done.failed.push(number),
                (None, []) => {}
                (passed, awards) => done.faults.push(format!("attempt {number}: passed {passed:?}, but {} awards", awards.len())),
            }
        }
        if !awards.is_empty() || !credentials.is_empty() {
            done.faults.push("there are awards or credentials that nobody earned".into());
        }
        Ok(())
    }

    /// Every whole line hangs on the one before it, and nothing was signed twice, differently. Answers what was signed.
    fn journal(&self, folder: &Path, faults: &mut Vec<String>) -> BTreeSet<String> {
        let bytes = std::fs::read(folder.join("signing.jsonl")).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let mut events: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let (mut before, mut signed) = ("", BTreeSet::new());
        for line in text.split_inclusive('\n') {
            if let Ok(entry) = serde_json::from_str::<serde_json::Value>(line) {
                let chain = entry["before"].as_str().unwrap_or_default();
                // A line that was cut short has got its end from the next.
                if ![before, before.trim_end_matches('\n')].iter().any(|before| hex(&Sha256::digest(before)) == chain) {
                    faults.push(format!("the journal's chain is broken at {line}"));
                }
                let name = format!("{} {} {}", entry["event"], entry["award"], entry["revision"]);
                events.entry(name).or_default().insert(format!("{} {}", entry["sha256"], entry["status"]));
                if entry["event"] == "signed" {
                    signed.insert(entry["sha256"].as_str().unwrap_or_default().to_owned());
                }
            }
            before = line;
        }
        for (name, bytes) in events.iter().filter(|(_, bytes)| bytes.len() > 1) {
            faults.push(format!("the journal has two of {name}: {bytes:?}"));
        }
        signed
    }

    /// Each mail went out, and under one id, before and after the cut taken together.
    fn compare_mails(&self, done: &Done, promises: &Promises) -> Vec<String> {
        let mut faults = Vec::new();
        let mut all = done.mailed.clone();
        for (mail, ids) in &promises.mailed {
            all.entry(mail.clone()).or_default().extend(ids.iter().cloned());
        }
        let address = |number: &usize| &self.chapters[*number].sitting.address;
        let passed = done.passed.iter().map(|n| format!("{} | Your badge: Sample badge | false", address(n)));
        let corrected = done.corrected.iter().map(|n| format!("{} | Your badge: Sample badge | true", address(n)));
        let failed = done.failed.iter().map(|n| format!("{} | Sample programme: not passed this time | false", address(n)));
        for mail in passed.chain(corrected).chain(failed) {
            match all.remove(&mail).map_or(0, |ids| ids.len()) {
                1 => {}
                0 => faults.push(format!("never went out: {mail}")),
                n => faults.push(format!("went out under {n} ids: {mail}")),
            }
        }
        faults.extend(all.keys().map(|mail| format!("nobody should have got this: {mail}")));
        faults
    }
}

/// What stands in a PostgreSQL database, as a file.
async fn copy(url: &str, file: &Path) -> Result<(), Vec<String>> {
    let (from, to) = (Place::Server(url.to_owned(), Promise::Disk), Place::File(file.to_owned()));
    let copied = moving::copy(&from, &to, moving::BATCH, &mut |_| ControlFlow::Continue(())).await;
    copied.map(drop).map_err(|e| vec![format!("cannot be copied: {e}")])
}

/// Keeps what it is given.
#[derive(Debug, Default)]
struct Mails(Mutex<BTreeMap<String, BTreeSet<String>>>);

impl Mailer for Mails {
    fn send<'a>(&'a self, id: &'a str, mail: &'a Mail, _at: UtcMillis) -> Sending<'a> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(label(mail)).or_default().insert(id.to_owned());
        Box::pin(async { Ok(()) })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the jobs to come depend on, each table in one text.
const STATE: [&str; 5] = [
    "SELECT group_concat(hex(award_id) || revision || hex(attempt_id) || COALESCE(holder_name, ''), ';') FROM (SELECT * FROM awards ORDER BY award_id)",
    "SELECT group_concat(hex(award_id) || revision || status_index || intended_at, ';') FROM (SELECT * FROM credential_intents ORDER BY award_id, revision)",
    "SELECT group_concat(hex(award_id) || revision || hex(sha256) || (document IS NULL) || COALESCE(revoked_at, ''), ';') FROM (SELECT * FROM credentials ORDER BY award_id, revision)",
    "SELECT group_concat(hex(job_id) || kind || dedup || payload || run_at || tries || COALESCE(done_at, '') || COALESCE(leased_until, ''), ';') FROM (SELECT * FROM jobs ORDER BY job_id)",
    "SELECT group_concat(hex(person_id) || next_start_at || fails || COALESCE(passed_version, ''), ';') FROM (SELECT * FROM standings ORDER BY person_id)",
];

/// All rows of a statement.
fn all<T>(conn: &Connection, sql: &str, read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<Vec<T>> {
    conn.prepare(sql)?.query_map([], read)?.collect()
}

fn standing(conn: &Connection, folder: &Path) -> rusqlite::Result<Standing> {
    let mut standing = Standing::default();
    let mut hash = Sha256::new_with_prefix(std::fs::read(folder.join("signing.jsonl")).unwrap_or_default());
    standing.programmes = conn.query_row("SELECT COUNT(*) FROM programmes", [], |row| row.get(0))?;
    let answers = "SELECT attempt_id, position, revision, chosen FROM responses ORDER BY attempt_id, position";
    for answer in all(conn, answers, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))? {
        let (attempt, position, revision, chosen): (Uuid, u16, i64, String) = answer;
        hash.update(format!("{attempt}/{position}/{revision}/{chosen};"));
        standing.answers.insert((attempt, position), (revision, chosen));
    }
    let attempts = "SELECT attempt_id, state, outcome FROM attempts ORDER BY attempt_id";
    for attempt in all(conn, attempts, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))? {
        let (attempt, state, outcome): (Uuid, String, Option<String>) = attempt;
        hash.update(format!("{attempt}/{state}/{outcome:?};"));
        standing.attempts.insert(attempt, (state, outcome));
    }
    let signed = "SELECT p.address, c.revision FROM credentials c JOIN people p ON p.person_id = c.person_id WHERE c.document IS NOT NULL";
    standing.signed.extend(all(conn, signed, |row| Ok((row.get(0)?, row.get(1)?)))?);
    for statement in STATE {
        let text: Option<String> = conn.query_row(statement, [], |row| row.get(0))?;
        hash.update(text.unwrap_or_default());
    }
    standing.state = hash.finalize().into();
    Ok(standing)
}

/// Most tries that any job took.
pub fn most_tries(folder: &Path) -> i64 {
    let conn = Connection::open(folder.join("assay.db")).unwrap();
    conn.query_row("SELECT COALESCE(MAX(tries), 0) FROM jobs", [], |row| row.get(0)).unwrap()
}
