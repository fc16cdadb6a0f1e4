//! A mail server that refuses for five days, and what happens to the mails of that time.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use assay_core::{
    Clock, UtcMillis,
    chance::SeededChance,
    clock::DAY_SECONDS,
    ids::{IssuerId, JobId},
    mail::Mail,
};
use assay_fixtures::START;
use assay_jobs::{FileJournal, MailError, Mailer, Sending, Worker, WorkerParts};
use assay_store::{
    Store,
    commands::{Enqueue, EnsureIssuer, NewJob},
    queries::JobCounts,
};

use crate::{power::scratch, room::signer};

/// A clock that goes on by a millisecond whenever somebody looks.
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> UtcMillis {
        UtcMillis(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

/// A mail server that is up or down.
#[derive(Default)]
struct Server {
    is_up: AtomicBool,
    refused: AtomicUsize,
    /// Subjects, in the order of their coming.
    got: Mutex<Vec<String>>,
}

impl Mailer for Server {
    fn send<'a>(&'a self, _id: &'a str, mail: &'a Mail, _at: UtcMillis) -> Sending<'a> {
        Box::pin(async {
            if self.is_up.load(Ordering::SeqCst) {
                self.got.lock().unwrap_or_else(PoisonError::into_inner).push(mail.subject.clone());
                return Ok(());
            }
            self.refused.fetch_add(1, Ordering::SeqCst);
            Err(MailError::NotTaken("it answered 451".into()))
        })
    }
}

/// How it went.
#[derive(Clone, Debug)]
pub struct Drained {
    /// Mails asked for.
    pub mails: usize,
    /// Tries that were refused.
    pub refused: usize,
    /// Mails that went out, each counted as often as it did.
    pub went_out: usize,
    /// Different ones of these.
    pub different: usize,
    /// Mails that came after one that was asked for later.
    pub out_of_order: usize,
    /// Jobs left.
    pub left: i64,
    /// From the server's return to the last mail, in real time.
    pub took: Duration,
}

/// Asks for so many mails, lets the server refuse for five days in so many looks, and lets it take them.
#[expect(clippy::disallowed_methods, reason = "measures how long it took")]
pub async fn five_days(mails: usize, looks: i64) -> Drained {
    let folder = scratch();
    let store = Store::open_sqlite(&folder.path().join("assay.db")).await.unwrap();
    let chance = Arc::new(SeededChance::new([5; 32]));
    let issuer = store.run(EnsureIssuer { slug: "test".into(), id: IssuerId::random(&*chance), at: START }).await.unwrap();
    let numbers: Vec<usize> = (0..mails).collect();
    for some in numbers.chunks(1000) {
        let some: Vec<_> = some.iter().map(|n| tokio::spawn(ask(store.clone(), issuer, chance.clone(), *n))).collect();
        for one in some {
            one.await.unwrap();
        }
    }
    let (server, clock) = (Arc::new(Server::default()), Arc::new(Ticking(AtomicI64::new(START.0 + mails as i64))));
    let worker = Worker::new(WorkerParts {
        secret: [1; 32],
        store: store.clone(),
        clock: clock.clone(),
        chance,
        issuer: signer(),
        contact: String::new(),
        mailer: server.clone(),
        journal: Arc::new(FileJournal::new(folder.path().join("signing.jsonl"))),
        bell: Arc::default(),
    });
    for _ in 0..looks {
        worker.drain().await;
        clock.0.fetch_add(5 * DAY_SECONDS * 1000 / looks, Ordering::SeqCst);
    }
    server.is_up.store(true, Ordering::SeqCst);
    let back = Instant::now();
    worker.drain().await;
    let took = back.elapsed();
    let left = store.read(JobCounts { at: clock.now() }).await.unwrap().open;
    store.close().await;
    let got = std::mem::take(&mut *server.got.lock().unwrap_or_else(PoisonError::into_inner));
    let different = got.iter().collect::<std::collections::HashSet<_>>().len();
    let out_of_order = got.windows(2).filter(|pair| pair[0] > pair[1]).count();
    Drained { mails, refused: server.refused.load(Ordering::SeqCst), went_out: got.len(), different, out_of_order, left, took }
}

async fn ask(store: Store, issuer: IssuerId, chance: Arc<SeededChance>, n: usize) {
    let mail = Mail {
        to: format!("person-{n}@example.org"),
        subject: format!("{n:08}"),
        text: "Words.\n".into(),
        calendar: None,
        useless_after: None,
    };
    let payload = serde_json::to_string(&mail).unwrap();
    // One in every millisecond.
    let run_at = UtcMillis(START.0 + n as i64);
    let job = NewJob { id: JobId::random(&*chance), kind: "mail", dedup: n.to_string(), payload, person: None, run_at };
    store.run(Enqueue { issuer, job }).await.unwrap();
}
