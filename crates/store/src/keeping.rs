//! A database taken to a file of its own, as of one moment, while others write; and a look at such a file.

use std::{ops::ControlFlow, path::Path};

use crate::{
    StoreError,
    engine::sqlite::{
        conn::{Conn, Opening, Row, query},
        schema,
    },
    moving::{self, BATCH, MoveError, Place, Progress, Watch},
};

/// What a look at a database's file found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Number of its schema.
    pub schema: i64,
    /// Rows of every table, in the order of names.
    pub tables: Vec<(String, u64)>,
    /// Whether it is a copy that was not finished.
    pub half_filled: bool,
}

/// The schema that this program works with.
pub fn own_schema() -> i64 {
    schema::newest().unwrap_or(0)
}

/// Takes everything that is committed at one moment to a new file. Writers are not held up: with the embedded engine by its own
/// `VACUUM INTO` (a copy of the file would lack what stands in the write-ahead log), with PostgreSQL in one read-only transaction
/// that sees one snapshot.
///
/// # Errors
/// [`MoveError`]. The source is never changed.
pub async fn snapshot(from: &Place, to: &Path, watch: Watch<'_>) -> Result<(), MoveError> {
    match from {
        Place::File(file) => {
            let mut conn = visitor(file)?;
            // A new file takes this setting over: else pages that were split keep a second copy of what an erasure overwrites later.
            conn.batch("PRAGMA secure_delete = ON")?;
            let name = to.to_str().ok_or_else(|| cannot(to, "its name is not UTF-8; name another folder"))?;
            query("VACUUM INTO $1").bind(name).execute(&mut conn).await.map_err(|e| cannot(file, e))?;
            conn.close()?;
        }
        Place::Server(..) => {
            moving::copy_beside(from, &Place::File(to.to_owned()), BATCH, watch).await?;
        }
    }
    Ok(())
}

/// The same without anybody who watches.
///
/// # Errors
/// As [`snapshot`].
pub async fn snapshot_unwatched(from: &Place, to: &Path) -> Result<(), MoveError> {
    snapshot(from, to, &mut |_: Progress| ControlFlow::Continue(())).await
}

/// Checks a whole file and counts its rows. The file is not changed.
///
/// # Errors
/// When it is damaged, or no database of this program.
pub async fn look(file: &Path) -> Result<Look, StoreError> {
    let mut conn = visitor(file)?;
    let broken = |e: StoreError| cannot(file, e);
    let sound: String = query("PRAGMA integrity_check").fetch_one(&mut conn).await.and_then(|row| row.try_get(0)).map_err(broken)?;
    if sound != "ok" {
        return Err(cannot(file, format!("it is damaged: {sound}")));
    }
    let found = number(&mut conn, file).await?;
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_sqlx%' ESCAPE '\\' ORDER BY name";
    let mut tables = Vec::new();
    for row in query(names).fetch_all(&mut conn).await.map_err(broken)? {
        let name: String = row.try_get(0)?;
        // Safe: a name that the schema itself has, quoted.
        let count = format!("SELECT COUNT(*) FROM \"{}\"", name.replace('"', "\"\""));
        let rows: i64 = query(&count).fetch_one(&mut conn).await.and_then(|row| row.try_get(0)).map_err(broken)?;
        tables.push((name, u64::try_from(rows).unwrap_or(0)));
    }
    // A schema older than that table knows no such copies.
    let mark = "SELECT COUNT(*) FROM installation WHERE name = 'moving'";
    let marked = query(mark).fetch_one(&mut conn).await.and_then(|row| row.try_get::<i64>(0)).unwrap_or(0);
    conn.close()?;
    Ok(Look { schema: found, tables, half_filled: marked > 0 })
}

/// Only the number of a file's schema.
///
/// # Errors
/// When it is no database of this program.
pub async fn schema_of(file: &Path) -> Result<i64, StoreError> {
    let mut conn = visitor(file)?;
    let found = number(&mut conn, file).await?;
    conn.close()?;
    Ok(found)
}

async fn number(conn: &mut Conn, file: &Path) -> Result<i64, StoreError> {
    let row = query("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(conn).await.map_err(|e| cannot(file, e))?;
    let found: Option<i64> = row.try_get(0)?;
    found.ok_or_else(|| cannot(file, "it is empty"))
}

fn visitor(file: &Path) -> Result<Conn, StoreError> {
    Opening { file: file.to_owned(), vfs: None, full_sync: true }.visitor().map_err(|e| cannot(file, e))
}

fn cannot(file: &Path, reason: impl std::fmt::Display) -> StoreError {
    StoreError::CannotOpen { path: file.display().to_string(), reason: reason.to_string() }
}
