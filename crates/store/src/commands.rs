//! Everything that can be changed, as plain data. The statements are in `ops`.

use assay_core::{
    UtcMillis,
    attempt::{Save, Saved, StartRefused},
    badge::Visibility,
    form::FormItem,
    ids::{AttemptId, AwardId, IssuerId, JobId, Learner, PersonId, RowId, Secret128},
    programme::{Programme, Rules},
    score::Outcome,
};
use assay_items::Item;

pub use crate::facts::{Closed, Fact, JournalPosition, Settled};
use crate::{Command, queries::SignedIn};

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident -> $out:ty { $($(#[$field_doc:meta])* $field:ident: $kind:ty),* $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind),* }

        impl Command for $name {
            type Out = $out;
        }
    )+};
}

/// SHA-256 of a secret token: what the database keeps instead of the token.
pub type TokenHash = [u8; 32];

/// What is forgotten once it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgettable {
    /// Waits of people who were erased.
    Waits,
    /// Sessions that ran out.
    Sessions,
    /// Sign-in links that ran out.
    Links,
    /// Limits that are no longer reached.
    Marks,
    /// Jobs that were done a month ago.
    Jobs,
}

impl Forgettable {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Waits, Self::Sessions, Self::Links, Self::Marks, Self::Jobs];
}

/// A question that was shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// To whom.
    pub learner: Learner,
    /// In which attempt.
    pub attempt: AttemptId,
    /// From 1.
    pub position: u16,
    /// When.
    pub at: UtcMillis,
}

/// A job to be done after the transaction that decided on it; in the same transaction.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// What kind of work (`issue`, `mail`, …).
    pub kind: &'static str,
    /// Two jobs of one kind with the same name are one job.
    pub dedup: String,
    /// JSON.
    pub payload: String,
    /// Whose data it carries, so that erasing a person erases it too.
    pub person: Option<PersonId>,
    /// Not before.
    pub run_at: UtcMillis,
}

/// Who did what, for the audit log.
#[derive(Clone, Debug)]
pub struct Act {
    /// The log line's id.
    pub row: RowId,
    /// Who (`operator`, a pseudonym; never a mail address).
    pub actor: String,
    /// When.
    pub at: UtcMillis,
}

commands! {
    /// Makes the issuer exist; answers its id, which stays the same for ever.
    EnsureIssuer -> IssuerId {
        /// Its name in settings.
        slug: String,
        /// The id it gets if it is new.
        id: IssuerId,
        /// Now.
        at: UtcMillis,
    }

    /// Makes this content what new attempts are drawn from. The same content again changes nothing.
    Publish -> Published {
        /// The issuer.
        issuer: IssuerId,
        /// The programme.
        programme: Programme,
        /// Its pool.
        items: Vec<Item>,
        /// Who.
        act: Act,
    }

    /// Keeps a one-time link and queues the mail that carries it.
    RequestSignIn -> () {
        /// The issuer.
        issuer: IssuerId,
        /// Normalised address.
        address: String,
        /// Of the link's token.
        token_hash: TokenHash,
        /// Where to go afterwards: a path on this server.
        next_path: String,
        /// Now.
        at: UtcMillis,
        /// Until when the link works.
        expires_at: UtcMillis,
        /// The mail.
        mail: NewJob,
    }

    /// Uses a link up: makes the person if new, opens a session. `None` when the link is unknown, used or expired.
    ConsumeSignIn -> Option<(SignedIn, String)> {
        /// The issuer.
        issuer: IssuerId,
        /// Of the link's token.
        token_hash: TokenHash,
        /// Id for a new person.
        new_person: PersonId,
        /// Keyed hash of the address, by which an erased account's wait is found again; made by the caller, who holds the secret.
        address_mac: TokenHash,
        /// Of the session's token.
        session_hash: TokenHash,
        /// Until when the session lives.
        session_expires_at: UtcMillis,
        /// Now.
        at: UtcMillis,
    }

    /// Makes a person with a session, without a link: the demonstration's sample people, and tests.
    Introduce -> SignedIn {
        /// The issuer.
        issuer: IssuerId,
        /// Normalised address.
        address: String,
        /// Id if new.
        new_person: PersonId,
        /// Of the session's token.
        session_hash: TokenHash,
        /// Until when the session lives.
        session_expires_at: UtcMillis,
        /// Now.
        at: UtcMillis,
    }

    /// Ends a session.
    CloseSession -> () {
        /// Of the session's token.
        token_hash: TokenHash,
    }

    /// Chooses (or gives up, with `None`) the address of the person's own page. `false` when the handle is taken.
    SetHandle -> bool {
        /// Who.
        learner: Learner,
        /// Lower-case letters, digits, hyphens.
        handle: Option<String>,
    }

    /// Marks a lesson as done, or not done.
    MarkLesson -> () {
        /// Who.
        learner: Learner,
        /// Programme slug.
        programme: String,
        /// Lesson slug.
        lesson: String,
        /// Done or not.
        done: bool,
        /// Now.
        at: UtcMillis,
    }

    /// Starts an attempt with this form, or says why not. Freezes form, item versions, rules and counts.
    StartAttempt -> Result<(), StartRefused> {
        /// Who.
        learner: Learner,
        /// Id of the attempt.
        attempt: AttemptId,
        /// Programme slug.
        programme: String,
        /// Content version.
        programme_version: String,
        /// Pool version.
        pool_version: String,
        /// Badge version.
        badge_version: String,
        /// The rules, frozen.
        rules: Rules,
        /// Attempts allowed in 365 days.
        tries_a_year: Option<u16>,
        /// The form.
        form: Vec<FormItem>,
        /// What the draw was made from: for every item of the pool in order of its id, how often it had been shown and whether
        /// this person had seen it. With the seed, the form can be derived again.
        drawn_from: Vec<(i64, bool)>,
        /// Name for the badge.
        holder_name: String,
        /// Now.
        at: UtcMillis,
        /// Folds the form into the exposure counts.
        fold: NewJob,
    }

    /// Notes when questions were first shown; one that was noted before stays as it is.
    NoteShown -> () {
        /// Which, to whom, when.
        shown: Vec<Shown>,
    }

    /// Saves an answer. `None` when there is no such question in an attempt of this person, or an option is not one of its own.
    SaveAnswer -> Option<Saved> {
        /// Who.
        learner: Learner,
        /// The attempt.
        attempt: AttemptId,
        /// From 1.
        position: u16,
        /// The answer.
        save: Save,
        /// Now.
        at: UtcMillis,
    }

    /// Flags a question for later, or takes the flag away. `false` when the attempt is over or not theirs.
    SetFlag -> bool {
        /// Who.
        learner: Learner,
        /// The attempt.
        attempt: AttemptId,
        /// From 1.
        position: u16,
        /// Flagged or not.
        flagged: bool,
    }

    /// Keeps a learner's words about a question. `false` when it is not theirs.
    ReportProblem -> bool {
        /// Who.
        learner: Learner,
        /// Id of the report.
        report: RowId,
        /// The attempt.
        attempt: AttemptId,
        /// From 1.
        position: u16,
        /// Their words.
        words: String,
        /// Now.
        at: UtcMillis,
    }

    /// Closes an attempt and scores it; if passed, makes the award and queues its badge: all or nothing.
    /// `None` when there is no such attempt.
    Submit -> Option<Submitted> {
        /// Who.
        learner: Learner,
        /// The attempt.
        attempt: AttemptId,
        /// Id for an award.
        award: AwardId,
        /// Public id for a badge.
        badge_id: Secret128,
        /// Ids for the jobs it may queue.
        jobs: [JobId; 3],
        /// Now.
        at: UtcMillis,
    }

    /// Gives an open attempt more time (or a limit, if it had none). `false` when it is not open.
    GrantTime -> bool {
        /// The person whose attempt it is.
        learner: Learner,
        /// The attempt.
        attempt: AttemptId,
        /// Seconds on top of the deadline; without one, nothing changes.
        extra_seconds: i64,
        /// Who granted it.
        act: Act,
    }

    /// Changes what the holder may change. `None` when the award is not theirs.
    SetBadge -> Option<BadgeSet> {
        /// Who.
        learner: Learner,
        /// Public id.
        badge_id: Secret128,
        /// A corrected name; only once.
        name: Option<String>,
        /// Who may see it, and whether its page shows the own score; `None` leaves both as they are.
        shown: Option<(Visibility, bool)>,
        /// Id for the job that signs a corrected badge.
        job: JobId,
        /// Now.
        at: UtcMillis,
    }

    /// Takes a badge back and queues what tells its holder. `None` when there is none with this id; `Some(false)` when it was revoked
    /// before.
    Revoke -> Option<bool> {
        /// The issuer.
        issuer: IssuerId,
        /// Public id.
        badge_id: Secret128,
        /// Why, for the log and the holder.
        reason: String,
        /// Id for the job that writes the mail.
        job: JobId,
        /// Id for the line that the journal is owed.
        line: JobId,
        /// Who.
        act: Act,
    }

    /// Keeps what is about to be signed. Answers what stands: the first intent for an award, kind and revision wins.
    /// `None` when the status index is taken by another badge: draw another.
    RecordIntent -> Option<Intent> {
        /// The issuer.
        issuer: IssuerId,
        /// Whose.
        person: PersonId,
        /// The award.
        award: AwardId,
        /// Kind of credential.
        kind: &'static str,
        /// Revision of the award.
        revision: i64,
        /// The intent.
        intent: Intent,
    }

    /// Goes on to the next revision of an award, where this one was to be signed by a key that was changed meanwhile. A database that was
    /// set back may not know that it was signed after all, so its status index is revoked. Nothing happens where it is known to be signed, or is
    /// not the newest.
    PassOver -> () {
        /// The issuer.
        issuer: IssuerId,
        /// Whose.
        person: PersonId,
        /// The award.
        award: AwardId,
        /// The revision that is never signed.
        revision: i64,
        /// Now.
        at: UtcMillis,
    }

    /// Keeps a signed credential, revokes earlier revisions, queues the mail. Doing it again changes nothing.
    StoreCredential -> () {
        /// The issuer.
        issuer: IssuerId,
        /// Whose.
        person: PersonId,
        /// The award.
        award: AwardId,
        /// Kind of credential.
        kind: &'static str,
        /// Revision of the award.
        revision: i64,
        /// The signed document.
        document: String,
        /// SHA-256 of its bytes.
        sha256: [u8; 32],
        /// What tells the holder.
        mail: Option<NewJob>,
        /// Now.
        at: UtcMillis,
    }

    /// Takes up to `limit` jobs that are due, for so many seconds.
    LeaseJobs -> Vec<LeasedJob> {
        /// Name of the worker.
        owner: String,
        /// Mails, or everything else: a mail server that hangs never holds up a badge.
        lane: Lane,
        /// Most jobs.
        limit: u16,
        /// Seconds until another worker may take them.
        lease_seconds: i64,
        /// Now.
        at: UtcMillis,
    }

    /// Takes every lease back: for a start after a crash, by whoever is alone with the database.
    ReleaseLeases -> () {}

    /// Marks a job as done and forgets its payload; nothing happens when another worker has taken it over.
    FinishJob -> () {
        /// The job.
        job: JobId,
        /// Name of the worker.
        owner: String,
        /// Now.
        at: UtcMillis,
    }

    /// As [`FinishJob`], of a mail that was handed over: the journal is owed a line about it, in the same transaction.
    FinishMail -> () {
        /// The job.
        job: JobId,
        /// Name of the worker.
        owner: String,
        /// Id for the job that writes the line.
        line: JobId,
        /// Now.
        at: UtcMillis,
    }

    /// Forgets the job by which the journal was owed the lines of a revocation: they are written.
    RevocationWritten -> () {
        /// The audit line of the revocation, whose id the job has.
        row: RowId,
    }

    /// Forgets jobs whose lines stand in the journal, and notes how far that journal is known now.
    FinishLines -> bool {
        /// The jobs.
        jobs: Vec<JobId>,
        /// Name of the worker.
        owner: String,
        /// How far the journal goes; none where it has no name.
        position: Option<JournalPosition>,
        /// What this worker noted before: a database that does not know it was set back.
        noted: Option<JournalPosition>,
    }

    /// Notes how far journals are known here.
    NoteJournals -> () {
        /// Each with its end.
        positions: Vec<JournalPosition>,
        /// Whether these are all there are: others are forgotten.
        all: bool,
    }

    /// Makes good what a database that was set back does not know; what it knows is left as it is. Erasures are done by [`Erase`].
    Reconcile -> Vec<Settled> {
        /// The issuer.
        issuer: IssuerId,
        /// What a journal says.
        facts: Vec<Fact>,
        /// Now.
        at: UtcMillis,
    }

    /// Begins a status list, so that no index of an older one is given any more. Answers its number.
    BeginList -> i64 {
        /// The issuer.
        issuer: IssuerId,
        /// At least this number.
        least: i64,
    }

    /// Brings jobs forward that wait or are leased until later than `later_than`: their times are from a clock that was wrong.
    BringForward -> u64 {
        /// Now: when they may run.
        at: UtcMillis,
        /// No later than this is sensible.
        later_than: UtcMillis,
    }

    /// Writes a row and takes it back, so that the log on disk grows: shows that something can be saved.
    ProveDurable -> () {
        /// The issuer.
        issuer: IssuerId,
        /// By chance, so that no two prove with the same row.
        mark: TokenHash,
    }

    /// Puts a failed job back until later.
    RetryJob -> () {
        /// The job.
        job: JobId,
        /// Name of the worker.
        owner: String,
        /// What went wrong, without personal data.
        error: String,
        /// When to try again.
        run_at: UtcMillis,
        /// Whether this was a try: not where nothing could be tried at all.
        counts: bool,
    }

    /// Queues a job by itself.
    Enqueue -> () {
        /// The issuer.
        issuer: IssuerId,
        /// The job.
        job: NewJob,
    }

    /// Adds an attempt's form to the exposure counts and finishes the job, in one transaction.
    FoldExposure -> () {
        /// The issuer.
        issuer: IssuerId,
        /// Whose attempt.
        person: PersonId,
        /// The attempt.
        attempt: AttemptId,
        /// The job.
        job: JobId,
        /// Now.
        at: UtcMillis,
    }

    /// Adds a result to its programme's public figures and finishes the job, in one transaction.
    FoldFigures -> () {
        /// The issuer.
        issuer: IssuerId,
        /// Programme slug.
        programme: String,
        /// Passed or not.
        passed: bool,
        /// The job.
        job: JobId,
        /// Now.
        at: UtcMillis,
    }

    /// Counts one use of a way in, for all nodes together. Answers when it is free again if this use is one too many, which is then
    /// not counted. The rule is GCRA (ITU-T I.371): `burst` uses at once, then one each `period_ms`.
    TakeTurn -> Option<UtcMillis> {
        /// Which way.
        way: &'static str,
        /// Hash of whoever comes.
        key_hash: TokenHash,
        /// Milliseconds that one use costs.
        period_ms: i64,
        /// Uses at once.
        burst: u32,
        /// Now.
        at: UtcMillis,
    }

    /// Puts another value in the place of what all nodes share, if `from` is what stands; says whether.
    AgreeAnew -> bool {
        /// Name.
        name: &'static str,
        /// What stood.
        from: Vec<u8>,
        /// Hash of this node's.
        value: Vec<u8>,
    }

    /// Makes sure that all nodes share something: the first value stays, and is answered.
    Agree -> Vec<u8> {
        /// Name.
        name: &'static str,
        /// Hash of this node's.
        value: Vec<u8>,
    }

    /// Erases a person: address, answers, names, sessions, mails. Awards stay as withdrawn; answers to the credentials that were
    /// withdrawn are their public ids.
    Erase -> Vec<String> {
        /// Who.
        learner: Learner,
        /// Keyed hash of the address, under which a running wait is kept.
        address_mac: TokenHash,
        /// The audit line.
        act: Act,
    }

    /// Forgets some of what nothing needs any more, and says how much: fewer than asked for when that was all.
    Prune -> u64 {
        /// Of which kind.
        what: Forgettable,
        /// Now.
        at: UtcMillis,
        /// Rows at most: a short transaction keeps nobody waiting.
        most: u16,
    }

    /// Writes a line into the audit log.
    Audit -> () {
        /// The issuer.
        issuer: IssuerId,
        /// Who and when.
        act: Act,
        /// What (`revoke`, `publish`).
        action: String,
        /// On what.
        object: String,
        /// Particulars.
        detail: String,
    }
}

/// What [`Publish`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Content version (a hash).
    pub version: String,
    /// Pool version (a hash).
    pub pool_version: String,
    /// Whether it differs from what stood before.
    pub changed: bool,
}

/// What [`Submit`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// The result: this submit's, or the one that stands.
    pub outcome: Outcome,
    /// Whether this call closed the attempt.
    pub by_this_call: bool,
}

/// What [`SetBadge`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadgeSet {
    /// Changed as asked.
    Done,
    /// The name was corrected once before; nothing was changed.
    NameCorrectedBefore,
}

/// What is about to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Number of the status list.
    pub status_list: i64,
    /// Index in it.
    pub status_index: i64,
    /// The document without its proof.
    pub unsigned: String,
    /// The key that shall sign.
    pub verification_method: String,
    /// When it was decided; the proof's `created`.
    pub intended_at: UtcMillis,
}

/// Which jobs a worker takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Jobs of kind `mail`.
    Mail,
    /// Jobs of kind `journal`: lines that the journal is owed.
    Journal,
    /// All others.
    Work,
}

/// A job as a worker gets it.
#[derive(Clone, Debug)]
pub struct LeasedJob {
    /// Its id.
    pub id: JobId,
    /// The issuer.
    pub issuer: IssuerId,
    /// Kind of work.
    pub kind: String,
    /// JSON.
    pub payload: String,
    /// How often it was taken before.
    pub tries: u32,
}
