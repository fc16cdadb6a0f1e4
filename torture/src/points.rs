//! Named points between a hand-in and the mail that tells of the badge: the process is killed there, or the step fails or panics.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use assay_core::{
    Clock,
    clock::SetClock,
    ids::{AttemptId, IssuerId, Learner, PersonId},
};
use assay_fixtures::{POSTGRES, START, postgres_copy, postgres_database, psql};
use assay_jobs::FileJournal;
use assay_store::{Promise, Store, queries::JobCounts};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    check::{Checker, Promises, most_tries},
    power::scratch,
    room::{QUESTIONS, Room, Sitting, worker},
    story::{Chapter, Memory, Postbox, Witness, person},
    trace::{Event, Recorder, Told},
};

/// Every named point, in the order of the work.
pub const POINTS: [&str; 13] = [
    "submit::closed",
    "submit::decided",
    "store::before_commit",
    "store::after_commit",
    "job::after_lease",
    "issue::after_intent",
    "issue::after_intent_line",
    "issue::after_sign",
    "issue::after_signed_line",
    "issue::after_store",
    "mail::before_hand_over",
    "mail::after_hand_over",
    "job::before_finish",
];

/// People of one run; two of three pass, the first of them corrects the name.
const PEOPLE: usize = 3;

/// What a process that will be killed writes down before it goes on.
#[derive(Serialize, Deserialize)]
enum Line {
    Begin { issuer: IssuerId, person: PersonId, attempt: AttemptId, address: String, passes: bool },
    Chose(usize, u16, String),
    Outcome(usize, String),
    Told(Told),
}

/// A file of such lines: what was written before a kill is there after it.
struct Diary {
    file: Mutex<(File, usize)>,
}

impl Diary {
    fn write(&self, line: &Line) -> usize {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, begun) = &mut *file;
        file.write_all(format!("{}\n", serde_json::to_string(line).unwrap()).as_bytes()).unwrap();
        if matches!(line, Line::Begin { .. }) {
            *begun += 1;
        }
        begun.saturating_sub(1)
    }
}

impl Witness for Diary {
    fn begin(&self, sitting: &Sitting, passes: bool) -> usize {
        let Learner { issuer, person } = sitting.learner;
        self.write(&Line::Begin { issuer, person, attempt: sitting.attempt, address: sitting.address.clone(), passes })
    }

    fn chose(&self, attempt: usize, position: u16, chosen: String) {
        self.write(&Line::Chose(attempt, position, chosen));
    }

    fn outcome(&self, attempt: usize, outcome: String) {
        self.write(&Line::Outcome(attempt, outcome));
    }

    fn told(&self, told: Told) {
        self.write(&Line::Told(told));
    }
}

fn read_diary(path: &Path) -> (Vec<Chapter>, Promises) {
    let (mut chapters, mut promises) = (Vec::<Chapter>::new(), Promises::default());
    for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
        // The last line may be cut short; nothing was told by it.
        match serde_json::from_str(line) {
            Ok(Line::Begin { issuer, person, attempt, address, passes }) => {
                let sitting = Sitting { learner: Learner { issuer, person }, address, attempt, options: Vec::new() };
                chapters.push(Chapter { sitting, answers: BTreeMap::new(), outcome: None, passed: passes });
            }
            Ok(Line::Chose(attempt, position, chosen)) => chapters[attempt].answers.entry(position).or_default().push(chosen),
            Ok(Line::Outcome(attempt, outcome)) => chapters[attempt].outcome = Some(outcome),
            Ok(Line::Told(told)) => promises.add(&told),
            Err(_) => {}
        }
    }
    (chapters, promises)
}

async fn open(folder: &Path, server: Option<&str>) -> Store {
    match server {
        Some(url) => Store::open_postgres(url, Promise::Disk).await.unwrap(),
        None => Store::open_sqlite(&folder.join("assay.db")).await.unwrap(),
    }
}

/// The process that is killed: three people sit, badges are signed and mailed, until the `nth` time that the point is reached.
/// Returns when it never is. Over PostgreSQL, if a database is named.
pub fn sit_and_die(folder: &Path, server: Option<&str>, point: &str, nth: usize, seed: u8) {
    let reached = AtomicUsize::new(0);
    fail::cfg_callback(point, move || {
        if reached.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            std::process::abort();
        }
    })
    .unwrap();
    let file = OpenOptions::new().create(true).append(true).open(folder.join("diary.jsonl")).unwrap();
    let diary: Arc<dyn Witness> = Arc::new(Diary { file: Mutex::new((file, 0)) });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = open(folder, server).await;
        let room = Room::new(store, seed.into()).await.unwrap();
        diary.told(Told::Published);
        let (stop, stopped) = watch::channel(false);
        let journal = Arc::new(FileJournal::new(folder.join("signing.jsonl")));
        let mails = Arc::new(Postbox(diary.clone()));
        let working = worker(&room.store, seed.into(), &SetClock::new(START), mails, journal, room.bell.clone());
        let working = tokio::spawn(Arc::new(working).run(stopped));
        let all: Vec<_> = (0..PEOPLE).map(|number| tokio::spawn(person(room.clone(), diary.clone(), seed, number))).collect();
        for one in all {
            one.await.unwrap();
        }
        room.bell.ring();
        while room.store.read(JobCounts { at: START }).await.unwrap().open > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        stop.send(true).unwrap();
        working.await.unwrap();
        room.store.close().await;
    });
}

/// How one kill went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Killed {
    /// It died at the point, and after a restart all was well.
    Well,
    /// The point was not reached that often.
    NotReached,
    /// What was wrong afterwards.
    Badly(Vec<String>),
}

/// Has `program` (this crate's own) killed at the `nth` passing of a point, starts again and checks. `postgres`: in a fresh database
/// of the tests' server, which must be there.
pub fn kill(program: &Path, postgres: bool, point: &str, nth: usize, seed: u8) -> Killed {
    let folder = scratch();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = postgres.then(|| postgres_copy(&schema(&runtime)));
    let killed = kill_over(&runtime, program, folder.path(), server.as_deref(), point, nth, seed);
    server.as_deref().map(drop_database);
    killed
}

/// An empty database with the program's schema, made once for all kills of a process; it stays on the server.
fn schema(runtime: &tokio::runtime::Runtime) -> String {
    static SCHEMA: Mutex<Option<String>> = Mutex::new(None);
    let mut made = SCHEMA.lock().unwrap_or_else(PoisonError::into_inner);
    made.get_or_insert_with(|| {
        runtime.block_on(async {
            let url = postgres_database().await.expect("there must be a server");
            Store::open_postgres(&url, Promise::Disk).await.unwrap().close().await;
            url
        })
    })
    .clone()
}

/// Databases are many in a long run.
fn drop_database(url: &str) {
    if let Some((maintenance, (_, name))) = std::env::var(POSTGRES).ok().zip(url.rsplit_once('/')) {
        psql(&maintenance, &format!("DROP DATABASE {name} WITH (FORCE)"));
    }
}

fn kill_over(
    runtime: &tokio::runtime::Runtime,
    program: &Path,
    folder: &Path,
    server: Option<&str>,
    point: &str,
    nth: usize,
    seed: u8,
) -> Killed {
    let mut command = Command::new(program);
    command.args(["sit", "--folder"]).arg(folder).args(["--point", point, "--nth", &nth.to_string(), "--seed", &seed.to_string()]);
    if let Some(url) = server {
        command.args(["--server", url]);
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    if output.status.success() {
        return Killed::NotReached;
    }
    let words = String::from_utf8_lossy(&output.stderr);
    if output.status.code().is_some() {
        return Killed::Badly(vec![format!("the process was not killed but ended with {}: {words}", output.status)]);
    }
    let (chapters, promises) = read_diary(&folder.join("diary.jsonl"));
    match runtime.block_on(Checker::new(&chapters).over(server.map(str::to_owned)).check(folder, &promises)) {
        Ok(_) => Killed::Well,
        Err(faults) => Killed::Badly(faults),
    }
}

/// What came of a step that failed.
#[derive(Clone, Debug)]
pub struct Injected {
    /// Hand-ins that were refused and tried again.
    pub refused: usize,
    /// Most tries that a job took.
    pub tries: i64,
    /// What was wrong in the end.
    pub faults: Vec<String>,
}

/// Three people sit in this process while a point does something (`1*return`, `1*panic`, in the words of the crate `fail`); people
/// and jobs try again as browsers and workers do. Without a point, it is the people who go away before they hear an answer. `postgres`:
/// in a fresh database of the tests' server, which must be there.
///
/// Nothing else in the process may use the store meanwhile.
pub fn inject(postgres: bool, point: Option<(&str, &str)>, seed: u8) -> Injected {
    let scenario = fail::FailScenario::setup();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = scratch();
    let server = postgres.then(|| runtime.block_on(postgres_database()).expect("there must be a server"));
    let recorder = Arc::new(Recorder::new(false));
    let witness = Arc::new(Memory::new(recorder.clone()));
    let refused = runtime.block_on(async {
        let store = open(folder.path(), server.as_deref()).await;
        let room = Room::new(store, seed.into()).await.unwrap();
        let clock = SetClock::new(START);
        let journal = Arc::new(FileJournal::new(folder.path().join("signing.jsonl")));
        let working = worker(&room.store, seed.into(), &clock, Arc::new(Postbox(witness.clone())), journal, room.bell.clone());
        let mut sittings = Vec::new();
        for number in 0..PEOPLE {
            sittings.push(sit(&room, &*witness, number).await);
        }
        if let Some((point, action)) = point {
            fail::cfg(point, action).unwrap();
        }
        let mut refused = 0;
        for (attempt, sitting) in sittings.iter().enumerate() {
            if point.is_none() {
                go_away(&room, sitting).await;
            }
            refused += hand_in(&room, &*witness, attempt, sitting).await;
            working.drain().await;
        }
        // Failed jobs come round again; leases of jobs that nobody finished run out.
        for _ in 0..5 {
            clock.advance_seconds(200);
            working.drain().await;
        }
        let left = room.store.read(JobCounts { at: clock.now() }).await.unwrap();
        room.store.close().await;
        assert_eq!(left.open, 0, "{point:?}: {left:?}");
        refused
    });
    scenario.teardown();
    let mut promises = Promises::default();
    recorder.take().iter().for_each(|event| {
        if let Event::Told(told) = event {
            promises.add(told);
        }
    });
    let chapters = witness.take();
    let checked = runtime.block_on(Checker::new(&chapters).over(server.clone()).check(folder.path(), &promises));
    let faults = checked.err().unwrap_or_default();
    let tries = most_tries(folder.path());
    server.as_deref().map(drop_database);
    Injected { refused, tries, faults }
}

/// Answers everything; the first of three fails.
async fn sit(room: &Room, witness: &dyn Witness, number: usize) -> Sitting {
    let (address, passes) = (format!("person-{number}@example.org"), number > 0);
    let learner = room.person(&address).await.unwrap();
    let sitting = room.start(learner, &address).await.unwrap();
    let attempt = witness.begin(&sitting, passes);
    witness.told(Told::Started(attempt));
    for position in 1..=QUESTIONS {
        let (yes, no) = &sitting.options[usize::from(position) - 1];
        witness.chose(attempt, position, serde_json::to_string(&[if passes { yes } else { no }]).unwrap());
        let revision = room.save(&sitting, position, 1, passes).await.unwrap();
        witness.told(Told::Saved { attempt, position, revision });
    }
    sitting
}

/// Hands in, and is gone before there is an answer.
async fn go_away(room: &Room, sitting: &Sitting) {
    let (room, learner, attempt) = (room.clone(), sitting.learner, sitting.attempt);
    let going = tokio::spawn(async move { room.submit(learner, attempt).await });
    tokio::task::yield_now().await;
    going.abort();
    let _went = going.await;
}

/// Hands in until it is taken; answers how often it was not.
async fn hand_in(room: &Room, witness: &dyn Witness, attempt: usize, sitting: &Sitting) -> usize {
    witness.told(Told::HandingIn(attempt));
    for refused in 0..20 {
        if let Ok(submitted) = room.submit(sitting.learner, sitting.attempt).await {
            witness.outcome(attempt, serde_json::to_string(&submitted.unwrap().outcome).unwrap());
            witness.told(Told::HandedIn(attempt));
            return refused;
        }
    }
    panic!("{} cannot hand in", sitting.address);
}
