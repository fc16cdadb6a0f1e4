//! What a signing journal says has been, as plain data: where a journal stands, the facts in it, and what became of them.

use assay_core::{
    UtcMillis,
    ids::{AttemptId, AwardId, JobId, PersonId, Secret128},
    score::Outcome,
};

/// How far a journal goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalPosition {
    /// Its name: SHA-256 of its first line.
    pub journal: [u8; 32],
    /// Bytes, to the end of a line.
    pub length: i64,
    /// SHA-256 of that line.
    pub last_sha256: [u8; 32],
}

/// What a journal says has been, and a database must not forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A mail was handed over.
    Mailed {
        /// Its job.
        mail: JobId,
        /// What the job was called, by which a repeat is known; sign-in mails keep none.
        name: Option<String>,
        /// When.
        at: UtcMillis,
    },
    /// An attempt was closed.
    Closed(Box<Closed>),
    /// A status index stands in a credential that was signed, or was about to be.
    Used {
        /// The award.
        award: AwardId,
        /// Revision of its credential.
        revision: i64,
        /// Its status list and index.
        status: (i64, i64),
        /// Since when it is revoked.
        revoked_at: Option<UtcMillis>,
    },
    /// An award was taken back.
    Revoked {
        /// The award.
        award: AwardId,
        /// When.
        at: UtcMillis,
        /// Id for the job that writes the mail, unless it went out.
        job: JobId,
    },
    /// A journal was lost once: its indexes may stand in any list before this one.
    FreshList {
        /// The first list whose indexes were given since.
        list: i64,
    },
    /// A later revision of an award was signed.
    Replaced {
        /// The award.
        award: AwardId,
        /// The newest revision that was.
        revision: i64,
        /// Id for the job that signs it anew.
        job: JobId,
    },
    /// A person was erased.
    Erased {
        /// Who.
        person: PersonId,
        /// When.
        at: UtcMillis,
    },
}

/// See [`Fact::Closed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Whose.
    pub person: PersonId,
    /// Which.
    pub attempt: AttemptId,
    /// Programme slug.
    pub programme: String,
    /// Version of the badge that it was for.
    pub badge_version: String,
    /// Start.
    pub started_at: UtcMillis,
    /// End.
    pub closed_at: UtcMillis,
    /// When the next may start, after a fail.
    pub next_start_at: Option<UtcMillis>,
    /// Failed attempts up to and with this one.
    pub fails: u32,
    /// Result; none when it ended by an erasure.
    pub outcome: Option<Outcome>,
    /// The award it earned.
    pub award: Option<AwardId>,
    /// Public id for a badge, should the award have to be made again: whoever makes it good puts the one here that it had.
    pub badge_id: Secret128,
    /// Ids for jobs that may be queued.
    pub jobs: [JobId; 2],
}

/// What became of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It was known.
    Known,
    /// It was not, and is now.
    Done,
    /// It is about somebody or something that this database does not hold; what can be kept of it is.
    Stranger,
    /// The status index stands in another credential here: one of the two is wrong.
    Clash,
}
