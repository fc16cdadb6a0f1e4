//! What all nodes of an installation share beside people and content: limits, and proof that they belong together.

use assay_core::UtcMillis;

use super::{Apply, Conn, Row, query};
use crate::{
    StoreError,
    commands::{Agree, AgreeAnew, TakeTurn},
    queries::Agreed,
};

// GCRA in one statement: a use moves the due time on by its cost, $5; whoever finds it later than $6 came too often and changes nothing.
const TAKE: &str = "INSERT INTO rate_marks (way, key_hash, due_at) VALUES ($1, $2, $3) ON CONFLICT (way, key_hash) DO UPDATE \
    SET due_at = CASE WHEN rate_marks.due_at > $4 THEN rate_marks.due_at ELSE $4 END + $5 WHERE rate_marks.due_at <= $6";
const DUE: &str = "SELECT due_at FROM rate_marks WHERE way = $1 AND key_hash = $2";

impl Apply<Conn> for TakeTurn {
    type Out = Option<UtcMillis>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let ahead = self.period_ms.saturating_mul(i64::from(self.burst)) - self.period_ms;
        let take = query(TAKE).bind(self.way).bind(&self.key_hash[..]).bind(self.at.0 + self.period_ms).bind(self.at.0);
        let take = take.bind(self.period_ms).bind(self.at.0 + ahead);
        if take.execute(&mut *conn).await?.rows_affected() > 0 {
            return Ok(None);
        }
        let row = query(DUE).bind(self.way).bind(&self.key_hash[..]).fetch_one(conn).await?;
        let due: i64 = row.try_get(0)?;
        Ok(Some(UtcMillis(due - ahead)))
    }
}

const AGREE: &str = "INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
const AGREED: &str = "SELECT value FROM installation WHERE name = $1";

impl Apply<Conn> for Agree {
    type Out = Vec<u8>;

    async fn apply(&self, conn: &mut Conn) -> Result<Vec<u8>, StoreError> {
        query(AGREE).bind(self.name).bind(&self.value).execute(&mut *conn).await?;
        let row = query(AGREED).bind(self.name).fetch_one(conn).await?;
        row.try_get(0)
    }
}

impl Apply<Conn> for Agreed {
    type Out = Option<Vec<u8>>;

    async fn apply(&self, conn: &mut Conn) -> Result<Option<Vec<u8>>, StoreError> {
        let row = query(AGREED).bind(self.name).fetch_optional(conn).await?;
        row.map(|row| row.try_get(0)).transpose()
    }
}

const AGREE_ANEW: &str = "UPDATE installation SET value = $1 WHERE name = $2 AND value = $3";

impl Apply<Conn> for AgreeAnew {
    type Out = bool;

    async fn apply(&self, conn: &mut Conn) -> Result<bool, StoreError> {
        let done = query(AGREE_ANEW).bind(&self.value).bind(self.name).bind(&self.from).execute(conn).await?;
        Ok(done.rows_affected() > 0)
    }
}

/// Every statement of this file, for the test that prepares them on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: &[&[&str]] = &[&[TAKE, DUE, AGREE, AGREED, AGREE_ANEW]];
