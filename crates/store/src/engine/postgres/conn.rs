//! A connection to a server, as `ops` asks it: sqlx, with columns by their number.

use sqlx::{Decode, Postgres, Type, postgres::PgArguments};

use crate::StoreError;

/// One connection.
pub(crate) type Conn = sqlx::PgConnection;
/// A row that was read.
pub(crate) type EngineRow = sqlx::postgres::PgRow;

/// A statement.
pub(crate) fn query(sql: &'static str) -> sqlx::query::Query<'static, Postgres, PgArguments> {
    sqlx::query(sql)
}

/// Columns by their number.
pub(crate) trait Row {
    /// The value in a column.
    fn try_get<'r, T: Decode<'r, Postgres> + Type<Postgres>>(&'r self, index: usize) -> Result<T, StoreError>;
}

impl Row for EngineRow {
    fn try_get<'r, T: Decode<'r, Postgres> + Type<Postgres>>(&'r self, index: usize) -> Result<T, StoreError> {
        Ok(sqlx::Row::try_get(self, index)?)
    }
}
