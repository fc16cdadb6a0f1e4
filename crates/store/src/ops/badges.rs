//! Awards, intents, credentials, status.

use assay_core::{
    UtcMillis,
    badge::Visibility,
    ids::{AwardId, JobId, Learner, PersonId},
};
use uuid::Uuid;

use super::{
    Apply, Conn, EngineRow, Row,
    jobs::enqueue,
    keep::{REVOKE_SPENT, owe},
    people::audit,
    programmes::programme_version,
    query,
    rows::{from_json, secret},
};
use crate::{
    StoreError,
    commands::{BadgeSet, Intent, NewJob, PassOver, RecordIntent, Revoke, SetBadge, StoreCredential},
    queries::{
        AwardForIssue, Badge, BadgeById, BadgesOf, IssueFacts, PublicPage, RevokedBy, RevokedEntry, RevokedIndexes, RevokedOf, WhereToMail,
        WhoseAward,
    },
};

/// The one select of a badge, with the part that chooses which.
macro_rules! badge_where {
    ($condition:literal) => {
        concat!(
            "SELECT w.award_id, w.person_id, w.badge_id, w.programme, a.programme_version, w.holder_name, w.name_corrected, w.visibility, w.show_score, \
             w.revision, w.awarded_at, w.revoked_at, w.withdrawn_at, a.outcome, a.rules, c.document, p.handle, c.revision, w.revoked_reason \
             FROM awards w JOIN attempts a ON a.person_id = w.person_id AND a.attempt_id = w.attempt_id \
             JOIN people p ON p.person_id = w.person_id \
             LEFT JOIN credentials c ON c.person_id = w.person_id AND c.award_id = w.award_id AND c.kind = 'ob3' \
             AND c.revision = (SELECT MAX(x.revision) FROM credentials x WHERE x.person_id = w.person_id AND x.award_id = w.award_id AND x.kind = 'ob3') WHERE ",
            $condition
        )
    };
}

const BY_ID: &str = badge_where!("w.badge_id = $1 AND w.issuer_id = $2");
const OF_PERSON: &str = badge_where!("w.person_id = $1 AND w.issuer_id = $2 ORDER BY w.awarded_at DESC");
const OF_AWARD: &str = badge_where!("w.person_id = $1 AND w.issuer_id = $2 AND w.award_id = $3");
const LISTED: &str =
    badge_where!("w.person_id = $1 AND w.issuer_id = $2 AND w.visibility = 'listed' AND w.withdrawn_at IS NULL ORDER BY w.awarded_at DESC");

fn badge(row: &EngineRow) -> Result<Badge, StoreError> {
    let moment = |index: usize| row.try_get::<Option<i64>>(index).map(|at| at.map(UtcMillis));
    let outcome: Option<String> = row.try_get(13)?;
    Ok(Badge {
        award: AwardId(row.try_get(0)?),
        person: PersonId(row.try_get(1)?),
        badge_id: secret(row.try_get(2)?)?,
        programme: row.try_get(3)?,
        programme_version: row.try_get(4)?,
        holder_name: row.try_get(5)?,
        name_corrected: row.try_get::<i64>(6)? != 0,
        // An unknown word hides the badge rather than show it.
        visibility: Visibility::parse(row.try_get(7)?).unwrap_or_default(),
        show_score: row.try_get::<i64>(8)? != 0,
        revision: row.try_get(9)?,
        awarded_at: UtcMillis(row.try_get(10)?),
        revoked_at: moment(11)?,
        withdrawn_at: moment(12)?,
        outcome: outcome.map(|t| from_json("outcome", &t)).transpose()?,
        rules: from_json("rules", row.try_get::<&str>(14)?)?,
        document: row.try_get(15)?,
        handle: row.try_get(16)?,
        signed_revision: row.try_get(17)?,
        revoked_reason: row.try_get(18)?,
    })
}

impl Apply<Conn> for BadgeById {
    type Out = Option<Badge>;

    async fn apply(&self, conn: &mut Conn) -> Result<Option<Badge>, StoreError> {
        let row = query(BY_ID).bind(self.badge_id.as_str()).bind(self.issuer.0).fetch_optional(conn).await?;
        row.as_ref().map(badge).transpose()
    }
}

impl Apply<Conn> for BadgesOf {
    type Out = Vec<Badge>;

    async fn apply(&self, conn: &mut Conn) -> Result<Vec<Badge>, StoreError> {
        let rows = query(OF_PERSON).bind(self.learner.person.0).bind(self.learner.issuer.0).fetch_all(conn).await?;
        rows.iter().map(badge).collect()
    }
}

const BY_HANDLE: &str = "SELECT person_id FROM people WHERE issuer_id = $1 AND handle = $2 AND erased_at IS NULL";

impl Apply<Conn> for PublicPage {
    type Out = Option<Vec<Badge>>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let row = query(BY_HANDLE).bind(self.issuer.0).bind(&self.handle).fetch_optional(&mut *conn).await?;
        let Some(row) = row else { return Ok(None) };
        let rows = query(LISTED).bind(row.try_get::<Uuid>(0)?).bind(self.issuer.0).fetch_all(conn).await?;
        rows.iter().map(badge).collect::<Result<_, _>>().map(Some)
    }
}

const CORRECT_NAME: &str = "UPDATE awards SET holder_name = $1, name_corrected = 1, revision = awards.revision + 1 \
    WHERE badge_id = $2 AND person_id = $3 AND issuer_id = $4 AND name_corrected = 0 AND withdrawn_at IS NULL AND revoked_at IS NULL RETURNING award_id, revision";
const SET_VISIBILITY: &str =
    "UPDATE awards SET visibility = $1, show_score = $2 WHERE badge_id = $3 AND person_id = $4 AND issuer_id = $5 AND withdrawn_at IS NULL";
const NAME_NOW: &str = "SELECT holder_name FROM awards WHERE badge_id = $1 AND person_id = $2 AND issuer_id = $3 AND withdrawn_at IS NULL";

impl Apply<Conn> for SetBadge {
    type Out = Option<BadgeSet>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let (person, issuer) = (self.learner.person.0, self.learner.issuer.0);
        let now = query(NAME_NOW).bind(self.badge_id.as_str()).bind(person).bind(issuer).fetch_optional(&mut *conn).await?;
        let Some(now) = now else { return Ok(None) };
        let name_now: Option<String> = now.try_get(0)?;
        if let Some(name) = self.name.as_ref().filter(|name| name_now.as_ref() != Some(name)) {
            let change = query(CORRECT_NAME).bind(name).bind(self.badge_id.as_str()).bind(person).bind(issuer);
            let Some(row) = change.fetch_optional(&mut *conn).await? else { return Ok(Some(BadgeSet::NameCorrectedBefore)) };
            let (award, revision): (Uuid, i64) = (row.try_get(0)?, row.try_get(1)?);
            let payload = serde_json::json!({ "award": award, "person": person }).to_string();
            let job = NewJob {
                id: self.job,
                kind: "issue",
                dedup: format!("{award}/{revision}"),
                payload,
                person: Some(self.learner.person),
                run_at: self.at,
            };
            enqueue(conn, self.learner.issuer, &job).await?;
        }
        if let Some((visibility, show_score)) = self.shown {
            let set = query(SET_VISIBILITY).bind(visibility.as_str()).bind(i64::from(show_score));
            set.bind(self.badge_id.as_str()).bind(person).bind(issuer).execute(conn).await?;
        }
        Ok(Some(BadgeSet::Done))
    }
}

const REVOKE: &str = "UPDATE awards SET revoked_at = $1, revoked_reason = $2 WHERE badge_id = $3 AND issuer_id = $4 AND revoked_at IS NULL RETURNING award_id, person_id";
const REVOKE_CREDENTIALS: &str =
    "UPDATE credentials SET revoked_at = $1 WHERE person_id = $2 AND award_id = $3 AND issuer_id = $4 AND revoked_at IS NULL";
const EXISTS: &str = "SELECT 1 FROM awards WHERE badge_id = $1 AND issuer_id = $2";

impl Apply<Conn> for Revoke {
    type Out = Option<bool>;

    async fn apply(&self, conn: &mut Conn) -> Result<Option<bool>, StoreError> {
        let revoke = query(REVOKE).bind(self.act.at.0).bind(&self.reason).bind(self.badge_id.as_str()).bind(self.issuer.0);
        let Some(row) = revoke.fetch_optional(&mut *conn).await? else {
            let known = query(EXISTS).bind(self.badge_id.as_str()).bind(self.issuer.0).fetch_optional(conn).await?;
            return Ok(known.map(|_| false));
        };
        let (award, person): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
        query(REVOKE_CREDENTIALS).bind(self.act.at.0).bind(person).bind(award).bind(self.issuer.0).execute(&mut *conn).await?;
        query(REVOKE_SPENT).bind(self.act.at.0).bind(award).bind(self.issuer.0).bind(i64::MAX).execute(&mut *conn).await?;
        audit(conn, self.issuer, &self.act, "revoke", self.badge_id.as_str(), &self.reason).await?;
        // The journal is owed a line, whoever is killed now. The caller writes it at once and drops this job, if it is not killed.
        let owed = serde_json::json!({ "award": award, "person": person }).to_string();
        let owed = NewJob {
            // The audit line's id is no other job's.
            id: JobId(self.act.row.0),
            kind: "journal-revoked",
            dedup: format!("{award}/revoked"),
            payload: owed,
            person: None,
            run_at: self.act.at.plus_seconds(60),
        };
        enqueue(conn, self.issuer, &owed).await?;
        // One of the award itself: what is not signed yet has no entry that a line could name.
        let line = serde_json::json!({ "at": self.act.at, "event": "award-revoked", "award": award });
        owe(conn, self.issuer, self.line.0, format!("award-revoked/{award}"), self.act.at, &line).await?;
        let payload = serde_json::json!({ "badge": self.badge_id, "person": person }).to_string();
        let (dedup, person) = (award.to_string(), Some(PersonId(person)));
        let job = NewJob { id: self.job, kind: "revoked-mail", dedup, payload, person, run_at: self.act.at };
        enqueue(conn, self.issuer, &job).await?;
        Ok(Some(true))
    }
}

const NEW_INTENT: &str = "INSERT INTO credential_intents (award_id, kind, revision, issuer_id, person_id, status_list, status_index, unsigned, verification_method, intended_at) \
    SELECT w.award_id, $2, $3, w.issuer_id, w.person_id, $6, $7, $8, $9, $10 FROM awards w \
    WHERE w.award_id = $1 AND w.issuer_id = $4 AND w.person_id = $5 AND w.withdrawn_at IS NULL \
    AND NOT EXISTS (SELECT 1 FROM spent_indexes s WHERE s.issuer_id = $4 AND s.status_list = $6 AND s.status_index = $7) ON CONFLICT DO NOTHING";
const INTENT: &str = "SELECT status_list, status_index, unsigned, verification_method, intended_at FROM credential_intents \
    WHERE person_id = $1 AND award_id = $2 AND kind = $3 AND revision = $4 AND issuer_id = $5";
const COUNT_INDEX: &str = "INSERT INTO status_lists (issuer_id, status_list, used) VALUES ($1, $2, 1) \
    ON CONFLICT (issuer_id, status_list) DO UPDATE SET used = status_lists.used + 1";

async fn intent(conn: &mut Conn, whose: Learner, award: AwardId, kind: &str, revision: i64) -> Result<Option<Intent>, StoreError> {
    let query = query(INTENT).bind(whose.person.0).bind(award.0).bind(kind).bind(revision).bind(whose.issuer.0);
    let row = query.fetch_optional(conn).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Intent {
        status_list: row.try_get(0)?,
        status_index: row.try_get(1)?,
        unsigned: row.try_get(2)?,
        verification_method: row.try_get(3)?,
        intended_at: UtcMillis(row.try_get(4)?),
    }))
}

impl Apply<Conn> for RecordIntent {
    type Out = Option<Intent>;

    async fn apply(&self, conn: &mut Conn) -> Result<Option<Intent>, StoreError> {
        let new = query(NEW_INTENT).bind(self.award.0).bind(self.kind).bind(self.revision).bind(self.issuer.0).bind(self.person.0);
        let new = new.bind(self.intent.status_list).bind(self.intent.status_index).bind(&self.intent.unsigned);
        let new = new.bind(&self.intent.verification_method).bind(self.intent.intended_at.0).execute(&mut *conn).await?;
        if new.rows_affected() > 0 {
            query(COUNT_INDEX).bind(self.issuer.0).bind(self.intent.status_list).execute(&mut *conn).await?;
        }
        let whose = Learner { issuer: self.issuer, person: self.person };
        intent(conn, whose, self.award, self.kind, self.revision).await
    }
}

const PASS_OVER: &str = "UPDATE awards SET revision = revision + 1 WHERE person_id = $1 AND award_id = $2 AND issuer_id = $3 AND revision = $4 \
    AND NOT EXISTS (SELECT 1 FROM credentials c WHERE c.person_id = $1 AND c.award_id = $2 AND c.revision = $4)";
const SPEND_PASSED: &str = "INSERT INTO spent_indexes (issuer_id, status_list, status_index, award_id, revision, revoked_at) \
    SELECT i.issuer_id, i.status_list, i.status_index, i.award_id, i.revision, CAST($5 AS BIGINT) FROM credential_intents i \
    WHERE i.person_id = $1 AND i.award_id = $2 AND i.issuer_id = $3 AND i.revision = $4 \
    ON CONFLICT (issuer_id, status_list, status_index) DO UPDATE SET revoked_at = COALESCE(spent_indexes.revoked_at, excluded.revoked_at)";

impl Apply<Conn> for PassOver {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        let (person, award, issuer) = (self.person.0, self.award.0, self.issuer.0);
        let next = query(PASS_OVER).bind(person).bind(award).bind(issuer).bind(self.revision).execute(&mut *conn).await?;
        if next.rows_affected() > 0 {
            query(SPEND_PASSED).bind(person).bind(award).bind(issuer).bind(self.revision).bind(self.at.0).execute(conn).await?;
        }
        Ok(())
    }
}

const NEW_CREDENTIAL: &str = "INSERT INTO credentials (award_id, kind, revision, issuer_id, person_id, document, sha256, stored_at, revoked_at) \
    SELECT w.award_id, $1, $2, w.issuer_id, w.person_id, CASE WHEN w.withdrawn_at IS NULL THEN $3 END, $4, $5, COALESCE(w.revoked_at, w.withdrawn_at, CASE WHEN w.revision > $2 THEN CAST($5 AS BIGINT) END) \
    FROM awards w WHERE w.person_id = $6 AND w.award_id = $7 AND w.issuer_id = $8 ON CONFLICT (person_id, award_id, kind, revision) DO NOTHING";
const REVOKE_EARLIER: &str = "UPDATE credentials SET revoked_at = $1 WHERE person_id = $2 AND award_id = $3 AND kind = $4 AND revision < $5 AND issuer_id = $6 AND revoked_at IS NULL";

impl Apply<Conn> for StoreCredential {
    type Out = ();

    async fn apply(&self, conn: &mut Conn) -> Result<(), StoreError> {
        let new = query(NEW_CREDENTIAL).bind(self.kind).bind(self.revision).bind(&self.document).bind(&self.sha256[..]).bind(self.at.0);
        let new = new.bind(self.person.0).bind(self.award.0).bind(self.issuer.0).execute(&mut *conn).await?;
        if new.rows_affected() == 0 {
            return Ok(());
        }
        let earlier = query(REVOKE_EARLIER).bind(self.at.0).bind(self.person.0).bind(self.award.0).bind(self.kind);
        let earlier = earlier.bind(self.revision).bind(self.issuer.0);
        earlier.execute(&mut *conn).await?;
        let spent = query(REVOKE_SPENT).bind(self.at.0).bind(self.award.0).bind(self.issuer.0).bind(self.revision);
        spent.execute(&mut *conn).await?;
        match &self.mail {
            Some(mail) => enqueue(conn, self.issuer, mail).await,
            None => Ok(()),
        }
    }
}

const ADDRESS: &str = "SELECT address FROM people WHERE person_id = $1 AND issuer_id = $2";
const NEWEST_LIST: &str = "SELECT status_list, used FROM status_lists WHERE issuer_id = $1 ORDER BY status_list DESC LIMIT 1";

impl Apply<Conn> for WhereToMail {
    type Out = Option<String>;

    async fn apply(&self, conn: &mut Conn) -> Result<Option<String>, StoreError> {
        let row = query(ADDRESS).bind(self.learner.person.0).bind(self.learner.issuer.0).fetch_optional(conn).await?;
        Ok(row.map(|r| r.try_get(0)).transpose()?.flatten())
    }
}

impl Apply<Conn> for AwardForIssue {
    type Out = Option<IssueFacts>;

    async fn apply(&self, conn: &mut Conn) -> Result<Option<IssueFacts>, StoreError> {
        let row = query(OF_AWARD).bind(self.person.0).bind(self.issuer.0).bind(self.award.0).fetch_optional(&mut *conn).await?;
        let Some(badge) = row.as_ref().map(badge).transpose()?.filter(|b| b.withdrawn_at.is_none()) else { return Ok(None) };
        let programme = programme_version(conn, self.issuer.0, &badge.programme, &badge.programme_version).await?;
        let Some(programme) = programme else { return Ok(None) };
        let address = query(ADDRESS).bind(self.person.0).bind(self.issuer.0).fetch_optional(&mut *conn).await?;
        let whose = Learner { issuer: self.issuer, person: self.person };
        let intent = intent(conn, whose, self.award, "ob3", badge.revision).await?;
        let newest = query(NEWEST_LIST).bind(self.issuer.0).fetch_optional(conn).await?;
        let newest_list = newest.map(|r| Ok::<_, StoreError>((r.try_get(0)?, r.try_get(1)?))).transpose()?;
        let address = address.map(|r| r.try_get(0)).transpose()?.flatten();
        Ok(Some(IssueFacts { badge, programme, address, intent, newest_list }))
    }
}

const AWARD_REVOKED: &str = "SELECT revoked_at, withdrawn_at FROM awards WHERE person_id = $1 AND award_id = $2 AND issuer_id = $3";
const REVOKED_SPENT: &str = "SELECT revision, status_list, status_index FROM spent_indexes WHERE award_id = $1 AND issuer_id = $2 AND revoked_at IS NOT NULL \
    ORDER BY revision, status_list, status_index";
const REVOKED_OF: &str = "SELECT c.revision, i.status_list, i.status_index FROM credentials c \
    JOIN credential_intents i ON i.person_id = c.person_id AND i.award_id = c.award_id AND i.kind = c.kind AND i.revision = c.revision \
    WHERE c.person_id = $1 AND c.award_id = $2 AND c.issuer_id = $3 AND c.revoked_at IS NOT NULL ORDER BY c.revision";

impl Apply<Conn> for RevokedOf {
    type Out = Vec<RevokedEntry>;

    async fn apply(&self, conn: &mut Conn) -> Result<Vec<RevokedEntry>, StoreError> {
        let rows = query(REVOKED_OF).bind(self.person.0).bind(self.award.0).bind(self.issuer.0).fetch_all(&mut *conn).await?;
        let award = query(AWARD_REVOKED).bind(self.person.0).bind(self.award.0).bind(self.issuer.0).fetch_optional(&mut *conn).await?;
        let by = match award {
            Some(row) if row.try_get::<Option<i64>>(0)?.is_some() => RevokedBy::Operator,
            Some(row) if row.try_get::<Option<i64>>(1)?.is_some() => RevokedBy::Holder,
            _ => RevokedBy::Revision,
        };
        // Credentials that only the journal knew are revoked with their award, and the journal hears of that, too.
        let spent = query(REVOKED_SPENT).bind(self.award.0).bind(self.issuer.0).fetch_all(conn).await?;
        let entry =
            |r: &EngineRow| Ok(RevokedEntry { by, revision: r.try_get(0)?, status_list: r.try_get(1)?, status_index: r.try_get(2)? });
        rows.iter().chain(&spent).map(entry).collect()
    }
}

const WHOSE: &str = "SELECT person_id FROM awards WHERE issuer_id = $1 AND award_id = $2";

impl Apply<Conn> for WhoseAward {
    type Out = Option<PersonId>;

    async fn apply(&self, conn: &mut Conn) -> Result<Option<PersonId>, StoreError> {
        let row = query(WHOSE).bind(self.issuer.0).bind(self.award.0).fetch_optional(conn).await?;
        row.map(|row| Ok(PersonId(row.try_get(0)?))).transpose()
    }
}

const LIST_EXISTS: &str = "SELECT used FROM status_lists WHERE issuer_id = $1 AND status_list = $2";
const REVOKED: &str = "SELECT i.status_index FROM credentials c \
    JOIN credential_intents i ON i.person_id = c.person_id AND i.award_id = c.award_id AND i.kind = c.kind AND i.revision = c.revision \
    WHERE c.issuer_id = $1 AND c.revoked_at IS NOT NULL AND i.status_list = $2";

const SPENT_REVOKED: &str = "SELECT status_index FROM spent_indexes WHERE issuer_id = $1 AND status_list = $2 AND revoked_at IS NOT NULL";

impl Apply<Conn> for RevokedIndexes {
    type Out = Option<Vec<i64>>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        if query(LIST_EXISTS).bind(self.issuer.0).bind(self.status_list).fetch_optional(&mut *conn).await?.is_none() {
            return Ok(None);
        }
        let mut rows = query(REVOKED).bind(self.issuer.0).bind(self.status_list).fetch_all(&mut *conn).await?;
        rows.extend(query(SPENT_REVOKED).bind(self.issuer.0).bind(self.status_list).fetch_all(conn).await?);
        rows.iter().map(|r| r.try_get(0)).collect::<Result<_, _>>().map(Some)
    }
}

/// Every statement of this file, for the test that prepares them on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: &[&[&str]] = &[&[
    BY_ID,
    OF_PERSON,
    OF_AWARD,
    LISTED,
    BY_HANDLE,
    CORRECT_NAME,
    SET_VISIBILITY,
    NAME_NOW,
    REVOKE,
    REVOKE_CREDENTIALS,
    EXISTS,
    NEW_INTENT,
    INTENT,
    COUNT_INDEX,
    PASS_OVER,
    SPEND_PASSED,
    NEW_CREDENTIAL,
    REVOKE_EARLIER,
    ADDRESS,
    NEWEST_LIST,
    REVOKED_OF,
    AWARD_REVOKED,
    REVOKED_SPENT,
    WHOSE,
    LIST_EXISTS,
    REVOKED,
    SPENT_REVOKED,
]];
