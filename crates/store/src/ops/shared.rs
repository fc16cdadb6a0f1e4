//! What all nodes of an installation share beside people and content: limits, and proof that they belong together.

use assay_core::UtcMillis;
use sqlx::Row;

use super::{Apply, Conn};
use crate::{
    StoreError,
    commands::{Agree, TakeTurn},
};

// GCRA in one statement: $4 is what one use costs, $5 how far ahead the next due time may lie. Whoever finds no row changed came too often.
const TAKE: &str = "INSERT INTO rate_marks (way, key_hash, due_at) VALUES ($1, $2, $3 + $4) ON CONFLICT (way, key_hash) DO UPDATE \
    SET due_at = CASE WHEN rate_marks.due_at > $3 THEN rate_marks.due_at ELSE $3 END + $4 WHERE rate_marks.due_at - $3 <= $5 - $4";
const DUE: &str = "SELECT due_at FROM rate_marks WHERE way = $1 AND key_hash = $2";

impl Apply<Conn> for TakeTurn {
    type Out = Option<UtcMillis>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let ahead = self.period_ms.saturating_mul(i64::from(self.burst));
        let take = sqlx::query(TAKE).bind(self.way).bind(&self.key_hash[..]).bind(self.at.0).bind(self.period_ms).bind(ahead);
        if take.execute(&mut *conn).await?.rows_affected() > 0 {
            return Ok(None);
        }
        let row = sqlx::query(DUE).bind(self.way).bind(&self.key_hash[..]).fetch_one(conn).await?;
        let due: i64 = row.try_get(0)?;
        Ok(Some(UtcMillis(due - ahead + self.period_ms)))
    }
}

const AGREE: &str = "INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
const AGREED: &str = "SELECT value FROM installation WHERE name = $1";

impl Apply<Conn> for Agree {
    type Out = Vec<u8>;

    async fn apply(&self, conn: &mut Conn) -> Result<Vec<u8>, StoreError> {
        sqlx::query(AGREE).bind(self.name).bind(&self.value).execute(&mut *conn).await?;
        let row = sqlx::query(AGREED).bind(self.name).fetch_one(conn).await?;
        Ok(row.try_get(0)?)
    }
}
