//! A data folder in which people of a test live, and which the program's own commands work on.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, reason = "shared by tests that each use a part")]

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use assay_badge::Issuer;
use assay_core::{
    Chance, Clock, UtcMillis,
    attempt::Save,
    chance::{SeededChance, keyed_seed},
    clock::SetClock,
    entry::address_mac,
    ids::{AttemptId, AwardId, IssuerId, JobId, Learner, PersonId, RowId, Secret128},
    mail::Mail,
    programme::Programme,
};
use assay_fixtures::{items, postgres_database, programme, psql};
use assay_jobs::{FileJournal, Mailer, Sending, Worker, WorkerParts};
use assay_store::{
    Promise, Store,
    commands::{Act, EnsureIssuer, Erase, Introduce, NewJob, Publish, Published, SaveAnswer, SetBadge, StartAttempt, Submit},
    queries::{Badge, BadgesOf, Pool, QuestionOf},
};

pub mod journal;
mod yesterday;

pub use yesterday::Yesterday;

pub const SECRET: [u8; 32] = [9; 32];
const SEED: [u8; 32] = [3; 32];
const BASE: &str = "http://127.0.0.1:1";
const SLUG: &str = "house";

/// Chance that wishes for certain status indexes: eight bytes are drawn for nothing else.
pub struct Wishing {
    inner: SeededChance,
    wishes: Mutex<VecDeque<u64>>,
}

impl Chance for Wishing {
    fn fill(&self, buffer: &mut [u8]) {
        let wish = if buffer.len() == 8 { self.wishes.lock().unwrap().pop_front() } else { None };
        match wish {
            Some(index) => buffer.copy_from_slice(&index.to_be_bytes()),
            None => self.inner.fill(buffer),
        }
    }
}

/// Mails that went out.
#[derive(Default)]
pub struct Post(Mutex<Vec<Mail>>);

impl Post {
    /// Address and subject of each.
    pub fn all(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().iter().map(|mail| (mail.to.clone(), mail.subject.clone())).collect()
    }
}

impl Mailer for Post {
    fn send<'a>(&'a self, _id: &'a str, mail: &'a Mail, _at: UtcMillis) -> Sending<'a> {
        self.0.lock().unwrap().push(mail.clone());
        Box::pin(async { Ok(()) })
    }
}

/// Now; tests of commands that use the machine's clock cannot set it.
#[expect(clippy::disallowed_methods, reason = "the program beside this test has the machine's clock")]
pub fn now() -> UtcMillis {
    UtcMillis(jiff::Timestamp::now().as_millisecond())
}

fn other_journal(root: &Path) -> PathBuf {
    root.with_extension("other.jsonl")
}

/// See the module.
pub struct House {
    pub root: PathBuf,
    /// The PostgreSQL database, if it is there.
    pub url: Option<String>,
    pub store: Store,
    pub issuer: IssuerId,
    pub chance: Arc<Wishing>,
    pub clock: SetClock,
    pub post: Arc<Post>,
    pub worker: Worker,
    /// One of another node over the same database, which has a journal of its own elsewhere.
    pub other: Worker,
    pub programme: Programme,
    pub published: Published,
}

impl House {
    /// A new one, over PostgreSQL where `ASSAY_TEST_ENGINE` says so.
    pub async fn new(root: &Path) -> Self {
        let postgres = std::env::var("ASSAY_TEST_ENGINE").is_ok_and(|engine| engine == "postgres");
        let url = if postgres { Some(postgres_database().await.expect("ASSAY_TEST_ENGINE=postgres needs a server")) } else { None };
        Self::over(root, url).await
    }

    /// A new one, over the embedded engine.
    pub async fn embedded(root: &Path) -> Self {
        Self::over(root, None).await
    }

    /// A new one whose people have other ids, over the embedded engine.
    pub async fn another(root: &Path, seed: u8) -> Self {
        Self::with_keys(root);
        Self::open(root, None, seed, &[]).await
    }

    async fn over(root: &Path, url: Option<String>) -> Self {
        Self::with_keys(root);
        Self::open(root, url, 1, &[]).await
    }

    fn with_keys(root: &Path) {
        for folder in ["keys", "journal"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for (name, bytes) in [("keys/signing.key", SEED), ("keys/server.secret", SECRET)] {
            fs::write(root.join(name), bytes).unwrap();
            Command::new("chmod").arg("600").arg(root.join(name)).status().unwrap();
        }
        fs::write(root.join("issuer"), format!("{SLUG}\n")).unwrap();
    }

    /// Opens it, as a server would: with a worker that wishes for these indexes.
    pub async fn open(root: &Path, url: Option<String>, seed: u8, wishes: &[i64]) -> Self {
        let store = match &url {
            Some(url) => Store::open_postgres(url, Promise::Disk).await.unwrap(),
            None => Store::open_sqlite(&root.join("assay.db")).await.unwrap(),
        };
        let wishes = Mutex::new(wishes.iter().map(|&index| u64::try_from(index).unwrap()).collect());
        let chance = Arc::new(Wishing { inner: SeededChance::new([seed; 32]), wishes });
        let clock = SetClock::new(now());
        let at = clock.now();
        let issuer = store.run(EnsureIssuer { slug: SLUG.into(), id: IssuerId::random(&*chance), at }).await.unwrap();
        let mut programme = programme(4, 3);
        programme.rules.retake_waits_seconds = vec![86_400 * 3];
        programme.entry.tries_a_year = Some(3);
        let act = Act { row: RowId::random(&*chance), actor: "operator".into(), at };
        let items = items(&programme, 20, |_| 1);
        let published = store.run(Publish { issuer, programme: programme.clone(), items, act }).await.unwrap();
        let post = Arc::new(Post::default());
        let from = jiff::Timestamp::from_millisecond(at.0 - 86_400_000).unwrap();
        let signer = Arc::new(Issuer::demonstration("House", BASE, SEED, from));
        // A copy of the database alone has no keys.
        fs::create_dir_all(root.join("keys")).unwrap();
        fs::write(root.join("keys/issuer-keys.json"), serde_json::to_string(&signer.history).unwrap()).unwrap();
        let parts = |journal: PathBuf| WorkerParts {
            secret: SECRET,
            store: store.clone(),
            clock: Arc::new(clock.clone()),
            chance: chance.clone(),
            issuer: signer.clone(),
            contact: String::new(),
            mailer: post.clone(),
            journal: Arc::new(FileJournal::new(journal)),
            bell: Arc::default(),
        };
        let worker = Worker::new(parts(root.join("journal/signing.jsonl")));
        let other = Worker::new(parts(other_journal(root)));
        Self { root: root.to_owned(), url, store, issuer, chance, clock, post, worker, other, programme, published }
    }

    /// The journal of the other node's worker.
    pub fn other_journal(&self) -> PathBuf {
        other_journal(&self.root)
    }

    /// What a command is told, so that it finds this installation.
    pub fn place(&self) -> [String; 2] {
        match &self.url {
            None => ["--data".into(), self.root.to_str().unwrap().into()],
            Some(url) => {
                let config = self.root.parent().unwrap().join("assay.toml");
                let settings = format!(
                    "data = \"{}\"\ndatabase = \"{url}\"\nlisten = \"127.0.0.1:0\"\npublic_url = \"{BASE}\"\npacks = [\"packs/none\"]\n\n[issuer]\n\
                     slug = \"{SLUG}\"\nname = \"House\"\ncontact = \"h@example.org\"\n\n[smtp]\nurl = \"smtp://127.0.0.1:2\"\nfrom = \"H <h@example.org>\"\n",
                    self.root.display()
                );
                fs::write(&config, settings).unwrap();
                ["--config".into(), config.to_str().unwrap().into()]
            }
        }
    }

    pub async fn person(&self, name: &str) -> Learner {
        let at = self.clock.now();
        let introduce = Introduce {
            issuer: self.issuer,
            address: address(name),
            new_person: PersonId::random(&*self.chance),
            session_hash: (&*self.chance as &dyn Chance).bytes(),
            session_expires_at: at.plus_seconds(100_000),
            at,
        };
        self.store.run(introduce).await.unwrap().learner
    }

    pub async fn begin(&self, learner: Learner, name: &str) -> AttemptId {
        let attempt = AttemptId::random(&*self.chance);
        let pool = Pool { learner, programme: "sample".into(), pool_version: self.published.pool_version.clone() };
        let mut pool = self.store.read(pool).await.unwrap();
        pool.sort_by(|a, b| a.item.cmp(&b.item));
        let seed = keyed_seed(&[1; 32], &[attempt.0.as_bytes()]);
        let request = assay_measure::DrawRequest { domains: &self.programme.domains, pool: &pool, pool_share_percent: 50, seed };
        let (at, id) = (self.clock.now(), JobId::random(&*self.chance));
        let payload = serde_json::json!({ "attempt": attempt, "person": learner.person }).to_string();
        let start = StartAttempt {
            learner,
            attempt,
            programme: "sample".into(),
            programme_version: self.published.version.clone(),
            pool_version: self.published.pool_version.clone(),
            badge_version: "1".into(),
            rules: self.programme.rules.clone(),
            tries_a_year: Some(3),
            form: assay_measure::draw(&request).unwrap(),
            drawn_from: pool.iter().map(|c| (c.shown, c.seen)).collect(),
            holder_name: format!("{name} of the House"),
            at,
            fold: NewJob { id, kind: "fold-exposure", dedup: attempt.to_string(), payload, person: Some(learner.person), run_at: at },
        };
        self.store.run(start).await.unwrap().unwrap();
        attempt
    }

    /// Answers a question, as the device's `counter`-th save.
    pub async fn answer(&self, learner: Learner, attempt: AttemptId, position: u16, right: bool, counter: i64) -> i64 {
        let row = self.store.read(QuestionOf { learner, attempt, position }).await.unwrap().unwrap();
        let wanted = if right { "Option 1 " } else { "Option 2 " };
        let token = row.shown.options.iter().find(|(_, html)| html.as_str().starts_with(wanted)).unwrap().0.clone();
        let save = Save { chosen: vec![token], base_revision: row.revision, device: "d".into(), counter };
        match self.store.run(SaveAnswer { learner, attempt, position, save, at: self.clock.now() }).await.unwrap().unwrap() {
            assay_core::attempt::Saved::Stands { revision, .. } => revision,
            other => panic!("{other:?}"),
        }
    }

    pub async fn hand_in(&self, learner: Learner, attempt: AttemptId, pass: bool) {
        for position in 1..=4 {
            self.answer(learner, attempt, position, pass, 1).await;
        }
        let chance = &*self.chance;
        let jobs = [(); 3].map(|()| JobId::random(chance));
        let (award, at) = (AwardId::random(chance), self.clock.now());
        let badge_id = Secret128::of_badge(&SECRET, award);
        let submitted = self.store.run(Submit { learner, attempt, award, badge_id, jobs, at }).await.unwrap().unwrap();
        assert_eq!(submitted.outcome.passed, pass);
    }

    pub async fn sit(&self, learner: Learner, name: &str, pass: bool) -> AttemptId {
        let attempt = self.begin(learner, name).await;
        self.hand_in(learner, attempt, pass).await;
        attempt
    }

    pub async fn badge(&self, learner: Learner) -> Option<Badge> {
        self.store.read(BadgesOf { learner }).await.unwrap().pop()
    }

    pub async fn correct_name(&self, learner: Learner, name: &str) {
        let badge_id = self.badge(learner).await.unwrap().badge_id;
        let (job, at) = (JobId::random(&*self.chance), self.clock.now());
        self.store.run(SetBadge { learner, badge_id, name: Some(name.into()), shown: None, job, at }).await.unwrap();
    }

    pub async fn erase(&self, learner: Learner, name: &str) {
        let act = Act { row: RowId::random(&*self.chance), actor: "the person".into(), at: self.clock.now() };
        self.store.run(Erase { learner, address_mac: address_mac(&SECRET, &address(name)), act }).await.unwrap();
        self.store.fold_log().await;
    }

    /// Does everything that is due.
    pub async fn work(&self) {
        self.worker.drain().await;
    }

    pub fn journal(&self) -> PathBuf {
        self.root.join("journal/signing.jsonl")
    }

    /// What a statement says whose rows have one column of text, each in a line.
    pub fn sql(&self, statement: &str) -> String {
        match &self.url {
            Some(url) => psql(url, statement),
            None => {
                let conn = rusqlite::Connection::open(self.root.join("assay.db")).unwrap();
                let rows: rusqlite::Result<Vec<String>> =
                    conn.prepare(statement).unwrap().query_map([], |row| row.get(0)).unwrap().collect();
                rows.unwrap().join("\n")
            }
        }
    }

    /// Closes it; answers its database as it is now.
    pub async fn yesterday(self) -> Yesterday {
        self.store.close().await;
        Yesterday::of(&self.root, self.url)
    }
}

/// A path as a command is told it.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub fn address(name: &str) -> String {
    format!("{}@example.org", name.to_lowercase())
}

/// Runs the program; its exit status and words.
pub fn assay(args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_assay")).args(args).stdin(Stdio::null()).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap_or(-1), text)
}

/// The same where it must do what it is told.
pub fn done(args: &[&str]) -> String {
    let (status, words) = assay(args);
    assert_eq!(status, 0, "{args:?}: {words}");
    words
}
