//! The worker: leases, does, finishes, backs off.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use assay_badge::Issuer;
use assay_core::{
    Chance, Clock, UtcMillis,
    ids::{AttemptId, AwardId, JobId, Learner, PersonId, Secret128},
    mail::{Mail, retake_calendar},
};
use assay_store::{
    Bell, Store, StoreError,
    commands::{
        BringForward, Enqueue, FinishJob, FinishMail, FoldExposure, FoldFigures, Forgettable, JournalPosition, Lane, LeaseJobs, LeasedJob,
        NewJob, Prune, ReleaseLeases, RetryJob, Submit,
    },
    queries::{AttemptAlone, Overdue, ProgrammeVersion, WhereToMail},
};
use futures_util::FutureExt;
use serde::Deserialize;
use tokio::sync::watch;

use crate::{
    Entry, Journal, MailError, Mailer,
    issue::{IssueJob, issue, journal_revoked},
    revoked::revoked_mail,
    vitals::Vitals,
};

/// What a worker works with.
pub struct WorkerParts {
    /// The database.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
    /// The server's secret, which the links of badges follow from.
    pub secret: [u8; 32],
    /// Who signs.
    pub issuer: Arc<Issuer>,
    /// How people reach the issuer; may be empty.
    pub contact: String,
    /// Where mails go.
    pub mailer: Arc<dyn Mailer>,
    /// Where signatures are written down.
    pub journal: Arc<dyn Journal>,
    /// Rung when a job was queued; polling alone would do, later.
    pub bell: Arc<Bell>,
}

/// A job that is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Try again later.
    #[error("{0}")]
    Later(String),
    /// It can never be done.
    #[error("given up: {0}")]
    Never(String),
    /// The clock is wrong: a look every few seconds whether it is right again.
    #[error("{0}")]
    Clock(String),
    /// Journal and database do not agree: nothing is signed or mailed until they were reconciled and the server is started anew.
    #[error("{0}")]
    Held(String),
}

impl JobError {
    /// For figures.
    fn outcome(&self) -> &'static str {
        match self {
            Self::Never(_) => "given-up",
            Self::Clock(_) => "clock",
            Self::Held(_) => "held",
            Self::Store(_) | Self::Later(_) => "later",
        }
    }
}

impl WorkerParts {
    /// As [`WorkerParts::write_down`], of many lines; answers how far the journal goes then.
    pub(crate) async fn write_all_down(&self, entries: Vec<Entry>) -> Result<Option<JournalPosition>, JobError> {
        let journal = Arc::clone(&self.journal);
        let written = tokio::task::spawn_blocking(move || journal.append_all(&entries).map(|()| journal.position())).await;
        written.map_err(|e| JobError::Later(e.to_string()))?.map_err(|e| JobError::Later(e.to_string()))
    }

    /// Writes into the journal, off the threads that serve pages.
    pub(crate) async fn write_down(&self, entry: Entry) -> Result<(), JobError> {
        let journal = Arc::clone(&self.journal);
        let written = tokio::task::spawn_blocking(move || journal.append(&entry)).await;
        written.map_err(|e| JobError::Later(e.to_string()))?.map_err(|e| JobError::Later(e.to_string()))
    }
}

#[derive(Deserialize)]
struct AttemptJob {
    attempt: AttemptId,
    person: PersonId,
}

#[derive(Deserialize)]
struct FiguresJob {
    programme: String,
    passed: bool,
}

/// What was done.
enum Done {
    /// A mail was handed over: the journal is owed a line.
    Mailed,
    /// Anything else.
    Other,
}

/// See the module.
pub struct Worker {
    pub(crate) parts: WorkerParts,
    pub(crate) name: String,
    pruned_at: AtomicI64,
    vitals: Vitals,
    held: OnceLock<String>,
    /// How far the journal is known to the database, as far as this worker knows.
    noted: Mutex<Option<JournalPosition>>,
}

const LEASE_SECONDS: i64 = 120;
/// Longest that one job takes: a mail server is given 20 seconds, and has a few steps.
const LEASE_MARGIN_SECONDS: i64 = 60;
/// Longest that one mail may take in all.
const MAIL_TIME: Duration = Duration::from_secs(55);
/// Tries of a mail that a server refuses for good; with the longest pauses this is most of a day.
const REFUSALS: u32 = 80;
const PRUNE_SECONDS: i64 = 600;
/// Rows that are forgotten in one command.
const PRUNE_ROWS: u16 = 1000;
/// Such commands of one kind; what is left then waits for the next time.
const PRUNINGS: usize = 100;
const POLL: Duration = Duration::from_millis(500);
/// Longest pause between two tries of a job.
const LONGEST_PAUSE_SECONDS: i64 = 15 * 60;
/// Between two tries of a job that waits for the clock.
const CLOCK_PAUSE_SECONDS: i64 = 5;
/// The same of one that waits until journal and database were reconciled.
const HELD_PAUSE_SECONDS: i64 = 60;

impl Worker {
    /// A worker with a name of its own.
    pub fn new(parts: WorkerParts) -> Self {
        let name = Secret128::random(&*parts.chance).to_string();
        Self { parts, name, pruned_at: AtomicI64::new(0), vitals: Vitals::new(), held: OnceLock::new(), noted: Mutex::default() }
    }

    /// What of the worker does nothing any more, in words.
    pub fn silence(&self) -> Option<String> {
        self.vitals.silence()
    }

    /// What is wrong with the clock, in words.
    pub fn clock_trouble(&self) -> Option<String> {
        self.vitals.clock_trouble(&*self.parts.clock)
    }

    /// Tells of a time that has been, such as the newest in the database: a clock that says an earlier one is wrong.
    pub fn know(&self, at: UtcMillis) {
        self.vitals.know(at);
        self.parts.clock.not_before(at);
    }

    /// From now on, until the program is started anew: signs nothing, mails nothing, writes nothing into the journal.
    pub fn hold(&self, words: String) {
        tracing::error!("ALARM: {words}");
        metrics::gauge!("assay_journal_alarm").set(1.0);
        // The first words stay.
        let _held = self.held.set(words);
    }

    /// Why it signs and mails nothing, in words.
    pub fn held(&self) -> Option<String> {
        self.held.get().cloned()
    }

    /// Tells how far the journal is known to the database: one that knows less later on was set back.
    pub fn note(&self, position: Option<JournalPosition>) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        *noted = position.or(noted.take());
    }

    pub(crate) fn noted(&self) -> Option<JournalPosition> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells by how many milliseconds the database's clock is ahead of this one, where the two are of different machines.
    pub fn compared(&self, ahead_ms: i64) {
        self.vitals.compared(ahead_ms);
    }

    /// Whether this clock was found to agree with the database's, as far as leases and waits need it to.
    pub fn agrees(&self) -> bool {
        self.vitals.apart().is_none()
    }

    /// Takes over what a worker that was killed had leased. Only for whoever is sure to be the only one left: the embedded
    /// database belongs to one process.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take_over(&self) -> Result<(), StoreError> {
        self.parts.store.run(ReleaseLeases {}).await?;
        self.bring_forward().await
    }

    /// Jobs whose times are from a clock that was ahead run now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn bring_forward(&self) -> Result<(), StoreError> {
        let at = self.parts.clock.now();
        let jobs = self.parts.store.run(BringForward { at, later_than: at.plus_seconds(LONGEST_PAUSE_SECONDS + LEASE_SECONDS) }).await?;
        if jobs > 0 {
            tracing::warn!(jobs, "jobs that a wrong clock had put off are brought forward");
        }
        Ok(())
    }

    /// Works until told to stop.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let lanes = [Lane::Work, Lane::Mail].map(|lane| {
            let (worker, mut stop, mut bell) = (Arc::clone(&self), stop.clone(), self.parts.bell.listen());
            tokio::spawn(async move {
                while !*stop.borrow() {
                    let busy = worker.turn(lane).await;
                    if !busy {
                        tokio::select! {
                            () = bell.heard() => {}
                            () = tokio::time::sleep(POLL) => {}
                            _ = stop.changed() => {}
                        }
                    }
                }
            })
        });
        // The lanes end by the same signal; a lane that panicked has been logged by the runtime.
        drop(stop.wait_for(|stopped| *stopped).await);
        for lane in lanes {
            let _ended = lane.await;
        }
    }

    /// Does what is due in one lane; `true` when there was anything.
    pub async fn turn(&self, lane: Lane) -> bool {
        self.vitals.sign(lane);
        if lane == Lane::Work
            && let Err(error) = self.keep_house().await
        {
            tracing::error!(%error, "overdue attempts could not be closed or old rows not be pruned");
        }
        let wrote = lane == Lane::Work && self.write_lines().await;
        if lane == Lane::Mail && self.held().is_some() {
            // They keep their place and their tries.
            return false;
        }
        let leased_at = self.parts.clock.now();
        let lease = LeaseJobs { owner: self.name.clone(), lane, limit: 16, lease_seconds: LEASE_SECONDS, at: leased_at };
        let jobs = match self.parts.store.run(lease).await {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::error!(%error, "no jobs could be leased");
                return false;
            }
        };
        fail_point!("job::after_lease", |_| true);
        for job in &jobs {
            // What a slow mail server left no time for is another worker's by now, or will be: doing it too would mail it twice.
            if self.parts.clock.now().seconds_since(leased_at) > LEASE_SECONDS - LEASE_MARGIN_SECONDS {
                break;
            }
            self.vitals.sign(lane);
            self.handle(job).await;
        }
        wrote || !jobs.is_empty()
    }

    /// Does everything that is due, in both lanes, until nothing is; for tests and for a stop.
    pub async fn drain(&self) {
        while self.turn(Lane::Work).await | self.turn(Lane::Mail).await {}
    }

    async fn handle(&self, job: &LeasedJob) {
        let now = self.parts.clock.now();
        // A job that panics is tried again like one that fails; its lane lives on.
        let worked = std::panic::AssertUnwindSafe(self.work(job)).catch_unwind().await;
        let worked = worked.unwrap_or_else(|_| Err(JobError::Later("it panicked".into())));
        let outcome = worked.as_ref().map_or_else(JobError::outcome, |_| "done");
        metrics::counter!("assay_jobs_total", "kind" => job.kind.clone(), "outcome" => outcome).increment(1);
        fail_point!("job::before_finish", |_| ());
        let after = match worked {
            Ok(Done::Mailed) => {
                let line = JobId::random(&*self.parts.chance);
                self.parts.store.run(FinishMail { job: job.id, owner: self.name.clone(), line, at: now }).await
            }
            Ok(Done::Other) => self.parts.store.run(FinishJob { job: job.id, owner: self.name.clone(), at: now }).await,
            Err(JobError::Never(reason)) => {
                tracing::error!(kind = job.kind, job = %job.id, reason, "a job was given up");
                self.parts.store.run(FinishJob { job: job.id, owner: self.name.clone(), at: now }).await
            }
            Err(error) => {
                let pause = match &error {
                    JobError::Clock(_) => CLOCK_PAUSE_SECONDS,
                    JobError::Held(_) => HELD_PAUSE_SECONDS,
                    _ => (5_i64 << job.tries.min(10)).min(LONGEST_PAUSE_SECONDS),
                };
                tracing::warn!(kind = job.kind, job = %job.id, %error, pause_seconds = pause, "a job will be tried again");
                self.parts
                    .store
                    .run(RetryJob {
                        job: job.id,
                        owner: self.name.clone(),
                        error: error.to_string(),
                        run_at: now.plus_seconds(pause),
                        counts: !matches!(error, JobError::Held(_)),
                    })
                    .await
            }
        };
        if let Err(error) = after {
            tracing::error!(job = %job.id, %error, "a job's end could not be written; its lease will run out and it will be repeated");
        }
    }

    async fn work(&self, job: &LeasedJob) -> Result<Done, JobError> {
        if let (Some(words), "issue" | "mail" | "journal-revoked") = (self.held.get(), job.kind.as_str()) {
            return Err(JobError::Held(words.clone()));
        }
        if job.kind == "mail" {
            let mail = serde_json::from_str(&job.payload).map_err(|e| JobError::Never(format!("its payload cannot be read: {e}")))?;
            return self.mail(job, &mail).await;
        }
        self.other_work(job).await.map(|()| Done::Other)
    }

    async fn other_work(&self, job: &LeasedJob) -> Result<(), JobError> {
        let unreadable = |e: serde_json::Error| JobError::Never(format!("its payload cannot be read: {e}"));
        match job.kind.as_str() {
            "issue" => {
                if let Some(words) = self.vitals.no_signing(&*self.parts.clock) {
                    return Err(JobError::Clock(words));
                }
                issue(&self.parts, job.issuer, &serde_json::from_str::<IssueJob>(&job.payload).map_err(unreadable)?).await?;
                self.vitals.know(self.parts.clock.now());
                Ok(())
            }
            "journal-revoked" => journal_revoked(&self.parts, job.issuer, &serde_json::from_str(&job.payload).map_err(unreadable)?).await,
            "revoked-mail" => revoked_mail(&self.parts, job.issuer, &serde_json::from_str(&job.payload).map_err(unreadable)?).await,
            "result-mail" => self.result_mail(job, &serde_json::from_str(&job.payload).map_err(unreadable)?).await,
            "fold-exposure" => {
                let AttemptJob { attempt, person } = serde_json::from_str(&job.payload).map_err(unreadable)?;
                let fold = FoldExposure { issuer: job.issuer, person, attempt, job: job.id, at: self.parts.clock.now() };
                Ok(self.parts.store.run(fold).await?)
            }
            "fold-figures" => {
                let FiguresJob { programme, passed } = serde_json::from_str(&job.payload).map_err(unreadable)?;
                let fold = FoldFigures { issuer: job.issuer, programme, passed, job: job.id, at: self.parts.clock.now() };
                Ok(self.parts.store.run(fold).await?)
            }
            other => Err(JobError::Never(format!("no such kind of job: {other}"))),
        }
    }

    async fn mail(&self, job: &LeasedJob, mail: &Mail) -> Result<Done, JobError> {
        let now = self.parts.clock.now();
        if mail.useless_after.is_some_and(|end| end <= now) {
            return Ok(Done::Other);
        }
        fail_point!("mail::before_hand_over", |_| Err(JobError::Later("a fail point".into())));
        let id = job.id.to_string();
        // A server that is slow in each of its steps must not outlast the lease: another node would mail it again.
        let sent = tokio::time::timeout(MAIL_TIME, self.parts.mailer.send(&id, mail, now)).await;
        let sent = sent.unwrap_or_else(|_| Err(MailError::NotTaken("it did not take the mail in time".into())));
        let outcome = match &sent {
            Ok(()) => "sent",
            Err(MailError::Unwritable(_)) => "unwritable",
            Err(MailError::NotTaken(_)) => "not-taken",
            Err(MailError::Refused(_)) => "refused",
        };
        metrics::counter!("assay_mails_total", "outcome" => outcome).increment(1);
        sent.map_err(|e| match e {
            MailError::Unwritable(words) => JobError::Never(words),
            MailError::Refused(words) if job.tries >= REFUSALS => JobError::Never(words),
            MailError::NotTaken(words) | MailError::Refused(words) => JobError::Later(words),
        })?;
        fail_point!("mail::after_hand_over", |_| Err(JobError::Later("a fail point".into())));
        Ok(Done::Mailed)
    }

    /// After a fail: the exact time of the next try, and a calendar file.
    async fn result_mail(&self, job: &LeasedJob, of: &AttemptJob) -> Result<(), JobError> {
        let learner = Learner { issuer: job.issuer, person: of.person };
        let store = &self.parts.store;
        let Some(attempt) = store.read(AttemptAlone { learner, attempt: of.attempt }).await? else { return Ok(()) };
        let version =
            ProgrammeVersion { issuer: job.issuer, programme: attempt.programme.clone(), version: attempt.programme_version.clone() };
        let (Some(programme), Some(to)) = (store.read(version).await?, store.read(WhereToMail { learner }).await?) else { return Ok(()) };
        let (Some(outcome), Some(opens_at)) = (attempt.outcome, attempt.retake_at) else { return Ok(()) };
        let (now, base) = (self.parts.clock.now(), &self.parts.issuer.base_url);
        let text = format!(
            "You answered {} of {} questions right; {} are needed.\n\n\
             Your next try opens on {}.\nA calendar file is attached.\n\n\
             Which topics to study again:\n{base}/attempts/{}/result\n",
            outcome.right,
            outcome.of,
            attempt.rules.pass_mark,
            opens_at.full(),
            of.attempt
        );
        let calendar = retake_calendar(
            &programme.title,
            &of.attempt.to_string(),
            now,
            opens_at,
            &format!("{base}/programmes/{}/assessment", programme.id),
        );
        let mail =
            Mail { to, subject: format!("{}: not passed this time", programme.title), text, calendar: Some(calendar), useless_after: None };
        let payload = serde_json::to_string(&mail).map_err(|e| JobError::Never(e.to_string()))?;
        let new = NewJob {
            id: JobId::random(&*self.parts.chance),
            kind: "mail",
            dedup: format!("result/{}", of.attempt),
            payload,
            person: Some(of.person),
            run_at: now,
        };
        Ok(store.run(Enqueue { issuer: job.issuer, job: new }).await?)
    }

    /// Forgets a little at a time: other commands go on between.
    async fn prune(&self, at: UtcMillis) -> Result<(), StoreError> {
        for what in Forgettable::ALL {
            for _ in 0..PRUNINGS {
                if self.parts.store.run(Prune { what, at, most: PRUNE_ROWS }).await? < u64::from(PRUNE_ROWS) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Closes attempts whose time ran out; now and then forgets what nothing needs.
    async fn keep_house(&self) -> Result<(), StoreError> {
        if self.vitals.watch(&*self.parts.clock) {
            self.bring_forward().await?;
        }
        let now: UtcMillis = self.parts.clock.now();
        let pruned_at = self.pruned_at.load(Ordering::Relaxed);
        if now.seconds_since(UtcMillis(pruned_at)) >= PRUNE_SECONDS {
            self.pruned_at.store(now.0, Ordering::Relaxed);
            self.prune(now).await?;
        }
        if self.vitals.clock_trouble(&*self.parts.clock).is_some() {
            // Time may not be up at all. Whoever opens such an attempt closes it all the same, by the time that goes on here.
            return Ok(());
        }
        if self.held().is_some() {
            // It may have been handed in already, with answers that this database does not have.
            return Ok(());
        }
        for (learner, attempt, _) in self.parts.store.read(Overdue { at: now }).await? {
            let chance = &*self.parts.chance;
            let jobs = [(); 3].map(|()| JobId::random(chance));
            let award = AwardId::random(chance);
            let badge_id = Secret128::of_badge(&self.parts.secret, award);
            let submit = Submit { learner, attempt, award, badge_id, jobs, at: now };
            if let Err(error) = self.parts.store.run(submit).await {
                // One attempt that cannot be closed must not keep the others open.
                tracing::error!(%attempt, %error, "an attempt whose time ran out could not be closed");
            }
        }
        Ok(())
    }
}
