//! Everything that can be asked, as plain data. The statements are in `ops`.

use std::sync::Arc;

use assay_core::{
    UtcMillis,
    attempt::AttemptState,
    badge::Visibility,
    form::{Candidate, OptionToken, ShownQuestion},
    ids::{AttemptId, AwardId, IssuerId, JobId, Learner, PersonId, Secret128},
    programme::{Programme, Rules},
    score::Outcome,
};

use crate::{
    Query,
    commands::{Fact, JournalPosition, TokenHash},
};

macro_rules! queries {
    ($($(#[$doc:meta])* $name:ident -> $out:ty { $($(#[$field_doc:meta])* $field:ident: $kind:ty),* $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind),* }

        impl Query for $name {
            type Out = $out;
        }
    )+};
}

queries! {
    /// Who a session belongs to.
    WhoIs -> Option<Person> {
        /// The issuer.
        issuer: IssuerId,
        /// Of the session's token.
        token_hash: TokenHash,
        /// Now.
        at: UtcMillis,
    }

    /// The address a sign-in link was made for, if the link still works.
    LinkAddress -> Option<String> {
        /// The issuer.
        issuer: IssuerId,
        /// Of the link's token.
        token_hash: TokenHash,
        /// Now.
        at: UtcMillis,
    }

    /// All current programmes with their content.
    CurrentProgrammes -> Vec<CurrentProgramme> {
        /// The issuer.
        issuer: IssuerId,
    }

    /// One version of a programme's content.
    ProgrammeVersion -> Option<Arc<Programme>> {
        /// The issuer.
        issuer: IssuerId,
        /// Slug.
        programme: String,
        /// Version.
        version: String,
    }

    /// The pool as the draw needs it, with what this person has seen.
    Pool -> Vec<Candidate> {
        /// Who.
        learner: Learner,
        /// Slug.
        programme: String,
        /// Pool version.
        pool_version: String,
    }

    /// Where a person stands in a programme.
    StandingOf -> Standing {
        /// Who.
        learner: Learner,
        /// Slug.
        programme: String,
        /// Now.
        at: UtcMillis,
    }

    /// Lessons a person has marked as done.
    LessonsDone -> Vec<String> {
        /// Who.
        learner: Learner,
        /// Slug.
        programme: String,
    }

    /// One attempt with the state of its questions.
    AttemptOf -> Option<Attempt> {
        /// Who.
        learner: Learner,
        /// The attempt.
        attempt: AttemptId,
    }

    /// The same without the state of its questions.
    AttemptAlone -> Option<Attempt> {
        /// Who.
        learner: Learner,
        /// The attempt.
        attempt: AttemptId,
    }

    /// All attempts of a person, newest first, without their questions.
    AttemptsOf -> Vec<Attempt> {
        /// Who.
        learner: Learner,
    }

    /// One question of an attempt as its learner sees it.
    QuestionOf -> Option<QuestionRow> {
        /// Who.
        learner: Learner,
        /// The attempt.
        attempt: AttemptId,
        /// From 1.
        position: u16,
    }

    /// Whose attempt this is; for the operator, who knows an attempt by its number.
    WhoseAttempt -> Option<Learner> {
        /// The issuer.
        issuer: IssuerId,
        /// The attempt.
        attempt: AttemptId,
    }

    /// Open attempts whose deadline has passed.
    Overdue -> Vec<(Learner, AttemptId, UtcMillis)> {
        /// Now.
        at: UtcMillis,
    }

    /// A person's badges, newest first.
    BadgesOf -> Vec<Badge> {
        /// Who.
        learner: Learner,
    }

    /// One badge by its public id.
    BadgeById -> Option<Badge> {
        /// The issuer.
        issuer: IssuerId,
        /// Public id.
        badge_id: Secret128,
    }

    /// What a person shows on their own page; `None` when there is no such page.
    PublicPage -> Option<Vec<Badge>> {
        /// The issuer.
        issuer: IssuerId,
        /// The page's address.
        handle: String,
    }

    /// What the issuing job needs; `None` when the award is gone or withdrawn.
    AwardForIssue -> Option<IssueFacts> {
        /// The issuer.
        issuer: IssuerId,
        /// The award.
        award: AwardId,
        /// Whose.
        person: PersonId,
    }

    /// A person's address, for a mail; none once erased.
    WhereToMail -> Option<String> {
        /// Who.
        learner: Learner,
    }

    /// Indexes that are set in a status list; `None` when there is no such list.
    RevokedIndexes -> Option<Vec<i64>> {
        /// The issuer.
        issuer: IssuerId,
        /// The list.
        status_list: i64,
    }

    /// Whose an award is. It is looked for in all of them: for jobs that were queued before they said.
    WhoseAward -> Option<PersonId> {
        /// The issuer.
        issuer: IssuerId,
        /// The award.
        award: AwardId,
    }

    /// Status entries of an award's revoked credentials; for the journal.
    RevokedOf -> Vec<RevokedEntry> {
        /// The issuer.
        issuer: IssuerId,
        /// Whose.
        person: PersonId,
        /// The award.
        award: AwardId,
    }

    /// What the draw of an attempt was made from, in order of item id.
    DrawnFrom -> Option<Vec<(i64, bool)>> {
        /// Who.
        learner: Learner,
        /// The attempt.
        attempt: AttemptId,
    }

    /// Everything that is kept about a person, without keys.
    OwnData -> serde_json::Value {
        /// Who.
        learner: Learner,
    }

    /// Public figures of a programme.
    Figures -> ProgrammeFigures {
        /// The issuer.
        issuer: IssuerId,
        /// Slug.
        programme: String,
    }

    /// The newest lines of the audit log.
    AuditLog -> Vec<AuditLine> {
        /// The issuer.
        issuer: IssuerId,
        /// Most lines.
        limit: u16,
    }

    /// Jobs by state, for operators and tests.
    JobCounts -> JobFigures {
        /// Now.
        at: UtcMillis,
    }

    /// Jobs that wait, by kind; for figures.
    WaitingJobs -> Vec<JobsOfKind> {}

    /// The newest time that intents to sign and the audit log know.
    NewestTime -> Option<UtcMillis> {
        /// The issuer.
        issuer: IssuerId,
    }

    /// For each fact whether this database knows it.
    Compare -> Vec<bool> {
        /// The issuer.
        issuer: IssuerId,
        /// What a journal says.
        facts: Vec<Fact>,
        /// Now.
        at: UtcMillis,
    }

    /// Whether any of these facts is about a person, an award or a mail that this database holds.
    KnowsAny -> bool {
        /// The issuer.
        issuer: IssuerId,
        /// What a journal says.
        facts: Vec<Fact>,
    }

    /// How far journals are known here.
    JournalPositions -> Vec<JournalPosition> {}

    /// Whether this is a copy that was not finished.
    IsHalfFilled -> bool {}

    /// What all nodes share under a name, if they do.
    Agreed -> Option<Vec<u8>> {
        /// Name.
        name: &'static str,
    }

    /// The key that signed last, and when.
    NewestKey -> Option<(String, UtcMillis)> {
        /// The issuer.
        issuer: IssuerId,
    }

    /// Whether the database answers.
    IsThere -> bool {
        /// The issuer, which is there.
        issuer: IssuerId,
    }

    /// A job's state, for tests and the operator.
    JobState -> Option<(u32, Option<String>)> {
        /// The job.
        job: JobId,
    }
}

/// A person who has signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// Who.
    pub learner: Learner,
}

/// A person as pages know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub learner: Learner,
    /// Mail address.
    pub address: String,
    /// Address of the own page.
    pub handle: Option<String>,
}

/// A programme and the versions new attempts use.
#[derive(Clone, Debug)]
pub struct CurrentProgramme {
    /// Content.
    pub programme: Programme,
    /// Content version.
    pub version: String,
    /// Pool version.
    pub pool_version: String,
    /// Items in the pool.
    pub pool_size: i64,
}

/// Where a person stands in a programme.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The attempt to continue.
    pub open: Option<AttemptId>,
    /// When the next may start, if that is later than now.
    pub next_start_at: Option<UtcMillis>,
    /// Failed attempts so far.
    pub fails: u32,
    /// Badge version that was passed.
    pub passed_version: Option<String>,
    /// Attempts started in the last 365 days.
    pub starts_this_year: u32,
    /// When the oldest of those started.
    pub oldest_start_this_year: Option<UtcMillis>,
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Id.
    pub id: AttemptId,
    /// Programme slug.
    pub programme: String,
    /// Content version it began with.
    pub programme_version: String,
    /// Open or submitted.
    pub state: AttemptState,
    /// The frozen rules.
    pub rules: Rules,
    /// Name for the badge.
    pub holder_name: String,
    /// Start.
    pub started_at: UtcMillis,
    /// End of time, if limited.
    pub deadline: Option<UtcMillis>,
    /// Submit.
    pub submitted_at: Option<UtcMillis>,
    /// Result, once submitted.
    pub outcome: Option<Outcome>,
    /// When the next may start, after a fail.
    pub retake_at: Option<UtcMillis>,
    /// Its questions; empty in lists and where it was asked for alone.
    pub questions: Vec<QuestionState>,
}

/// A question on the review page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionState {
    /// From 1.
    pub position: u16,
    /// How many options are chosen.
    pub chosen: usize,
    /// How many are asked for.
    pub asked: usize,
    /// Whether it is flagged.
    pub flagged: bool,
}

impl QuestionState {
    /// Whether nothing is chosen.
    pub fn is_open(&self) -> bool {
        self.chosen == 0
    }

    /// Whether something is chosen, but fewer or more than asked for.
    pub fn is_incomplete(&self) -> bool {
        self.chosen != 0 && self.chosen != self.asked
    }
}

/// A question as its learner sees it.
#[derive(Clone, Debug)]
pub struct QuestionRow {
    /// Words and options in this form's order.
    pub shown: ShownQuestion,
    /// What is chosen.
    pub chosen: Vec<OptionToken>,
    /// Revision of the answer; 0 without one.
    pub revision: i64,
    /// When it was saved.
    pub saved_at: Option<UtcMillis>,
    /// Flag.
    pub flagged: bool,
    /// Whether it was shown before.
    pub shown_before: bool,
    /// Questions in the form.
    pub of: u16,
    /// State of the attempt.
    pub state: AttemptState,
    /// End of time, if limited.
    pub deadline: Option<UtcMillis>,
    /// Programme slug.
    pub programme: String,
    /// Content version the attempt began with.
    pub programme_version: String,
}

/// A badge.
#[derive(Clone, Debug)]
pub struct Badge {
    /// The award.
    pub award: AwardId,
    /// Whose.
    pub person: PersonId,
    /// Public id.
    pub badge_id: Secret128,
    /// Programme slug.
    pub programme: String,
    /// Content version of the attempt.
    pub programme_version: String,
    /// Name on it; none once withdrawn.
    pub holder_name: Option<String>,
    /// Whether the name was corrected.
    pub name_corrected: bool,
    /// Who may see it.
    pub visibility: Visibility,
    /// Whether the page shows the score.
    pub show_score: bool,
    /// Revision of the credential.
    pub revision: i64,
    /// When it was earned.
    pub awarded_at: UtcMillis,
    /// When it was taken back.
    pub revoked_at: Option<UtcMillis>,
    /// Why, in the operator's words; for its holder alone.
    pub revoked_reason: Option<String>,
    /// When its holder withdrew it.
    pub withdrawn_at: Option<UtcMillis>,
    /// The result it rests on.
    pub outcome: Option<Outcome>,
    /// The frozen rules of its attempt.
    pub rules: Rules,
    /// The newest signed document, once there is one; while a correction is being signed, the one before it.
    pub document: Option<String>,
    /// The revision that document is of.
    pub signed_revision: Option<i64>,
    /// Its holder's own page, if they have one.
    pub handle: Option<String>,
}

/// Why a credential is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevokedBy {
    /// Its award was taken back.
    Operator,
    /// Its holder withdrew it.
    Holder,
    /// A later revision stands in its place.
    Revision,
}

/// A credential that is revoked in a status list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedEntry {
    /// Why.
    pub by: RevokedBy,
    /// Revision of its award.
    pub revision: i64,
    /// The list.
    pub status_list: i64,
    /// Index in it.
    pub status_index: i64,
}

/// What the issuing job needs.
#[derive(Clone, Debug)]
pub struct IssueFacts {
    /// The badge.
    pub badge: Badge,
    /// The programme as it was.
    pub programme: Arc<Programme>,
    /// Where to mail.
    pub address: Option<String>,
    /// What is intended already for this revision.
    pub intent: Option<crate::commands::Intent>,
    /// The newest status list and how many of its indexes are in use; none before the first badge.
    pub newest_list: Option<(i64, i64)>,
}

/// Public figures of a programme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgrammeFigures {
    /// Attempts that were submitted.
    pub submitted: i64,
    /// Of these, passed.
    pub passed: i64,
    /// Items in the pool.
    pub pool: i64,
}

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// When.
    pub at: UtcMillis,
    /// Who.
    pub actor: String,
    /// What (`revoke`, `publish`).
    pub action: String,
    /// On what.
    pub object: String,
    /// Particulars.
    pub detail: String,
}

/// Jobs by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobFigures {
    /// Waiting or leased.
    pub open: i64,
    /// Of these, with an error on record.
    pub troubled: i64,
    /// Done.
    pub done: i64,
}

/// Jobs of one kind that are not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobsOfKind {
    /// Kind of work.
    pub kind: String,
    /// Waiting or leased.
    pub open: i64,
    /// Of these, with an error on record.
    pub troubled: i64,
    /// When the oldest was to run first.
    pub oldest: UtcMillis,
}
