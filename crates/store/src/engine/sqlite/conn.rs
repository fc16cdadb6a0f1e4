//! A connection to the embedded database: what `ops` asks of either engine, answered before the call returns.
//!
//! The methods are `async` only so that `ops` reads the same for both engines: no future made here ever waits.

use std::{borrow::Cow, path::PathBuf, time::Duration};

use futures_util::FutureExt;
use rusqlite::{
    OpenFlags,
    types::{ToSql, ToSqlOutput, ValueRef},
};
use uuid::Uuid;

use super::{assert_durable, schema};
use crate::StoreError;

/// Statements that stay prepared; `ops` has fewer.
const PREPARED: usize = 256;
/// What the writer may keep of the database in memory, in KiB: the inner pages of large tables. A reader forgets all pages at the next
/// commit, so it has SQLite's own 2 MiB.
const WRITER_KIB: i64 = 32 * 1024;
/// How long a statement waits for a lock of another process.
const PATIENCE: Duration = Duration::from_secs(5);

/// One connection.
#[derive(Debug)]
pub struct Conn(rusqlite::Connection);

/// How connections to one database are opened.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    /// The file.
    pub(crate) file: PathBuf,
    /// Name of a registered virtual file system; without one, SQLite's own.
    pub(crate) vfs: Option<String>,
    /// Whether each commit is on the disk before it is acknowledged.
    pub(crate) full_sync: bool,
}

impl Opening {
    /// A connection that writes; makes the file if it is not there.
    pub(crate) fn writer(&self) -> Result<Conn, StoreError> {
        let conn = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        self.set_up(&conn)?;
        conn.0.pragma_update(None, "cache_size", -WRITER_KIB)?;
        Ok(conn)
    }

    /// A connection that writes, in place of one that failed: to the database there is, never to an empty one in its place.
    pub(super) fn writer_again(&self) -> Result<Conn, String> {
        let words = |error: StoreError| error.to_string();
        let mut conn = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(words)?;
        let version = conn.0.query_row("SELECT MAX(version) FROM _sqlx_migrations", [], |row| row.get::<_, Option<i64>>(0));
        if version.map_err(|error| error.to_string())? != schema::newest() {
            return Err("its schema is not the one that this program works with; stop, and look what happened to the file".to_owned());
        }
        self.set_up(&conn).map_err(words)?;
        conn.0.pragma_update(None, "cache_size", -WRITER_KIB).map_err(|error| error.to_string())?;
        if self.full_sync {
            assert_durable(&mut conn).now_or_never().ok_or("it cannot be asked")??;
        }
        Ok(conn)
    }

    /// A connection that only reads, with all its files open.
    pub(crate) fn reader(&self) -> Result<Conn, StoreError> {
        let conn = self.open(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        self.set_up(&conn)?;
        Ok(conn)
    }

    /// A connection that only reads and sets nothing: the file is left as it is.
    pub(crate) fn visitor(&self) -> Result<Conn, StoreError> {
        self.open(OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn open(&self, flags: OpenFlags) -> Result<Conn, StoreError> {
        // One thread at a time has a connection: it needs no lock of its own.
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
        let conn = match &self.vfs {
            Some(vfs) => rusqlite::Connection::open_with_flags_and_vfs(&self.file, flags, vfs.as_str())?,
            None => rusqlite::Connection::open_with_flags(&self.file, flags)?,
        };
        conn.busy_timeout(PATIENCE)?;
        conn.set_prepared_statement_cache_capacity(PREPARED);
        Ok(Conn(conn))
    }

    fn set_up(&self, Conn(conn): &Conn) -> Result<(), StoreError> {
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.pragma_update(None, "foreign_keys", "ON")?;
        conn.pragma_update(None, "synchronous", if self.full_sync { "FULL" } else { "NORMAL" })?;
        // Erased means overwritten, not only unlinked.
        conn.pragma_update(None, "secure_delete", "ON")?;
        // The log is opened by the first look into the database.
        conn.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(())
    }
}

impl Conn {
    /// Runs statements that bind nothing and answer nothing.
    pub(crate) fn batch(&self, statements: &str) -> Result<(), StoreError> {
        Ok(self.0.execute_batch(statements)?)
    }

    /// Runs one of the writer's own statements, which stays prepared.
    pub(super) fn step(&self, statement: &'static str) -> Result<(), StoreError> {
        self.0.prepare_cached(statement)?.raw_execute()?;
        Ok(())
    }

    /// Folds the write-ahead log in and empties it; `false` when a reader still needs it.
    pub(super) fn fold(&self, patience: Duration) -> Result<bool, StoreError> {
        self.0.busy_timeout(patience)?;
        // Whether it was blocked is a row, not an error.
        let blocked = self.0.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        self.0.busy_timeout(PATIENCE)?;
        Ok(blocked? == 0)
    }

    /// Ends it; the last one to go folds the log in.
    pub(crate) fn close(self) -> Result<(), StoreError> {
        self.0.close().map_err(|(_, error)| error.into())
    }
}

/// A statement whose parameters are called `$1`, `$2` and so on, or a nameless `?` each, in order.
pub(crate) fn query(sql: &str) -> Query<'_> {
    Query { sql, values: Vec::with_capacity(8) }
}

/// A statement and what is bound to it.
#[derive(Debug)]
pub(crate) struct Query<'q> {
    sql: &'q str,
    values: Vec<Bound<'q>>,
}

/// What a statement that answers no rows has done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done(u64);

impl Done {
    /// How many rows it wrote or removed.
    pub(crate) fn rows_affected(self) -> u64 {
        self.0
    }
}

impl<'q> Query<'q> {
    /// Binds the next parameter.
    pub(crate) fn bind(mut self, value: impl Into<Bound<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it.
    pub(crate) async fn execute(self, conn: &mut Conn) -> Result<Done, StoreError> {
        let mut statement = self.prepared(conn)?;
        Ok(Done(statement.raw_execute()? as u64))
    }

    /// Its first row.
    pub(crate) async fn fetch_one(self, conn: &mut Conn) -> Result<EngineRow, StoreError> {
        self.first(conn)?.ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
    }

    /// Its first row, if there is one.
    pub(crate) async fn fetch_optional(self, conn: &mut Conn) -> Result<Option<EngineRow>, StoreError> {
        self.first(conn)
    }

    /// All its rows.
    pub(crate) async fn fetch_all(self, conn: &mut Conn) -> Result<Vec<EngineRow>, StoreError> {
        let mut statement = self.prepared(conn)?;
        let width = statement.column_count();
        let (mut rows, mut all) = (statement.raw_query(), Vec::new());
        while let Some(row) = rows.next()? {
            all.push(EngineRow::read(row, width)?);
        }
        Ok(all)
    }

    fn first(self, conn: &mut Conn) -> Result<Option<EngineRow>, StoreError> {
        let mut statement = self.prepared(conn)?;
        let width = statement.column_count();
        let mut rows = statement.raw_query();
        rows.next()?.map(|row| EngineRow::read(row, width)).transpose()
    }

    fn prepared(self, conn: &Conn) -> Result<rusqlite::CachedStatement<'_>, StoreError> {
        tracing::debug!(target: "assay_store::sql", statement = self.sql);
        let mut statement = conn.0.prepare_cached(self.sql)?;
        let wanted = statement.parameter_count();
        for index in 1..=wanted {
            // SQLite numbers `$2` by where it first stands, not by its name.
            let place = match statement.parameter_name(index) {
                None => Some(index),
                Some(name) => name.strip_prefix('$').and_then(|number| number.parse().ok()),
            };
            let value = place.and_then(|place: usize| self.values.get(place.checked_sub(1)?));
            let value = value.ok_or(rusqlite::Error::InvalidParameterCount(self.values.len(), wanted))?;
            statement.raw_bind_parameter(index, value)?;
        }
        Ok(statement)
    }
}

/// A value that is bound.
#[derive(Clone, Debug)]
pub(crate) enum Bound<'q> {
    Null,
    Whole(i64),
    Text(Cow<'q, str>),
    Bytes(Cow<'q, [u8]>),
    Id(Uuid),
}

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Whole(whole) => ValueRef::Integer(*whole),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::Id(id) => ValueRef::Blob(id.as_bytes()),
        }))
    }
}

/// What may be bound, and as what.
macro_rules! bound {
    ($($from:ty => $value:ident $make:expr;)*) => {
        $(impl<'q> From<$from> for Bound<'q> {
            fn from($value: $from) -> Self {
                $make
            }
        })*
    };
}
bound! {
    i64 => whole Self::Whole(whole);
    Uuid => id Self::Id(id);
    &'q str => text Self::Text(Cow::Borrowed(text));
    &'q String => text Self::Text(Cow::Borrowed(text));
    String => text Self::Text(Cow::Owned(text));
    &'q [u8] => bytes Self::Bytes(Cow::Borrowed(bytes));
    &'q Vec<u8> => bytes Self::Bytes(Cow::Borrowed(bytes));
    Vec<u8> => bytes Self::Bytes(Cow::Owned(bytes));
    &'q Option<String> => text text.as_ref().into();
}

impl<'q, T: Into<Bound<'q>>> From<Option<T>> for Bound<'q> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row that was read.
#[derive(Debug)]
pub(crate) struct EngineRow(Vec<Cell>);

/// A value that was read.
#[derive(Debug)]
pub(crate) enum Cell {
    Null,
    Whole(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl EngineRow {
    fn read(row: &rusqlite::Row<'_>, width: usize) -> Result<Self, StoreError> {
        let mut cells = Vec::with_capacity(width);
        for index in 0..width {
            cells.push(match row.get_ref(index)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(whole) => Cell::Whole(whole),
                ValueRef::Text(text) => Cell::Text(std::str::from_utf8(text).map_err(|_| unreadable(index, "text in UTF-8"))?.to_owned()),
                ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
                ValueRef::Real(_) => return Err(unreadable(index, "no fraction")),
            });
        }
        Ok(Self(cells))
    }
}

fn unreadable(index: usize, wanted: &str) -> StoreError {
    StoreError::Unreadable { what: "column", reason: format!("column {index} of a row should be {wanted}") }
}

/// Columns by their number.
pub(crate) trait Row {
    /// The value in a column.
    fn try_get<'r, T: Column<'r>>(&'r self, index: usize) -> Result<T, StoreError>;
}

impl Row for EngineRow {
    fn try_get<'r, T: Column<'r>>(&'r self, index: usize) -> Result<T, StoreError> {
        self.0.get(index).and_then(T::of).ok_or_else(|| unreadable(index, std::any::type_name::<T>()))
    }
}

/// What a value can be read as.
pub(crate) trait Column<'r>: Sized {
    /// `None` when it is something else.
    fn of(cell: &'r Cell) -> Option<Self>;
}

macro_rules! column {
    ($($to:ty: $pattern:pat => $made:expr;)*) => {
        $(impl<'r> Column<'r> for $to {
            fn of(cell: &'r Cell) -> Option<Self> {
                match cell {
                    $pattern => $made,
                    _ => None,
                }
            }
        })*
    };
}
column! {
    i64: Cell::Whole(whole) => Some(*whole);
    &'r str: Cell::Text(text) => Some(text);
    String: Cell::Text(text) => Some(text.clone());
    Vec<u8>: Cell::Bytes(bytes) => Some(bytes.clone());
    Uuid: Cell::Bytes(bytes) => Uuid::from_slice(bytes).ok();
}

impl<'r, T: Column<'r>> Column<'r> for Option<T> {
    fn of(cell: &'r Cell) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            value => T::of(value).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conn() -> (tempfile::TempDir, Conn) {
        let folder = tempfile::tempdir().unwrap();
        let opening = Opening { file: folder.path().join("a.db"), vfs: None, full_sync: true };
        let conn = opening.writer().unwrap();
        conn.batch("CREATE TABLE t (id BLOB PRIMARY KEY, whole INTEGER, text TEXT, bytes BLOB) STRICT").unwrap();
        (folder, conn)
    }

    #[tokio::test]
    async fn parameters_go_by_their_number_and_values_come_back() {
        let (_folder, mut conn) = conn();
        let id = Uuid::from_u128(7);
        let insert = query("INSERT INTO t (bytes, text, whole, id) VALUES ($4, $3, $2, $1)");
        let insert = insert.bind(id).bind(2_i64).bind("drei").bind(vec![4_u8]).execute(&mut conn).await.unwrap();
        assert_eq!(insert.rows_affected(), 1);
        let row = query("SELECT id, whole, text, bytes, NULL FROM t WHERE whole = ? AND id = ?").bind(2_i64).bind(id);
        let row = row.fetch_one(&mut conn).await.unwrap();
        assert_eq!((row.try_get::<Uuid>(0).unwrap(), row.try_get::<i64>(1).unwrap()), (id, 2));
        assert_eq!((row.try_get::<&str>(2).unwrap(), row.try_get::<Vec<u8>>(3).unwrap()), ("drei", vec![4]));
        assert_eq!(row.try_get::<Option<String>>(4).unwrap(), None);
        for wrong in [row.try_get::<i64>(2).err(), row.try_get::<i64>(4).err(), row.try_get::<i64>(5).err()] {
            assert!(matches!(wrong, Some(StoreError::Unreadable { what: "column", .. })), "{wrong:?}");
        }
        let nothing = query("UPDATE t SET whole = 1 WHERE whole = $1").bind(None::<i64>).execute(&mut conn).await.unwrap();
        assert_eq!(nothing.rows_affected(), 0);
    }

    #[tokio::test]
    async fn a_parameter_that_nobody_binds_is_an_error() {
        let (_folder, mut conn) = conn();
        let refused = query("SELECT $1, $2").bind(1_i64).fetch_one(&mut conn).await;
        assert!(refused.is_err_and(|e| e.to_string().contains("parameter")));
        assert!(query("SELECT $0").bind(1_i64).fetch_one(&mut conn).await.is_err());
    }
}
