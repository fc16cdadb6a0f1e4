//! Brings the schema up to date. The history stands where sqlx kept it when it spoke to this engine, with the same checksums, so that
//! every database there is opens; sqlx still reads the files for both engines.

use std::collections::BTreeMap;

use sqlx::migrate::{MigrateError, Migrator};

use super::conn::{Conn, Row, query};
use crate::StoreError;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

const MAKE_HISTORY: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)";
const HISTORY: &str = "SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version";
// How long it took is nobody's question; -1 is what sqlx writes before it knows.
const DONE: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES ($1, $2, TRUE, $3, -1)";

/// The newest version.
pub(crate) fn newest() -> Option<i64> {
    MIGRATIONS.iter().map(|migration| migration.version).max()
}

/// Applies what is missing, each file in a transaction of its own.
pub(super) async fn migrate(conn: &mut Conn) -> Result<(), String> {
    let words = |error: StoreError| error.to_string();
    conn.batch(MAKE_HISTORY).map_err(words)?;
    let mut applied = BTreeMap::new();
    for row in query(HISTORY).fetch_all(conn).await.map_err(words)? {
        let (version, checksum, success) = history(&row).map_err(words)?;
        if !success {
            return Err(MigrateError::Dirty(version).to_string());
        }
        if !MIGRATIONS.version_exists(version) {
            return Err(MigrateError::VersionMissing(version).to_string());
        }
        applied.insert(version, checksum);
    }
    for migration in MIGRATIONS.iter() {
        match applied.get(&migration.version) {
            Some(checksum) if *checksum == *migration.checksum => continue,
            Some(_) => return Err(MigrateError::VersionMismatch(migration.version).to_string()),
            None => {}
        }
        // A connection that is dropped in the middle rolls back.
        conn.batch("BEGIN IMMEDIATE").map_err(words)?;
        conn.batch(migration.sql.as_str()).map_err(|error| format!("while executing migration {}: {error}", migration.version))?;
        let done = query(DONE).bind(migration.version).bind(&*migration.description).bind(&*migration.checksum);
        done.execute(conn).await.map_err(words)?;
        conn.batch("COMMIT").map_err(words)?;
    }
    Ok(())
}

fn history(row: &super::EngineRow) -> Result<(i64, Vec<u8>, bool), StoreError> {
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get::<i64>(2)? != 0))
}
