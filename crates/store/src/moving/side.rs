//! One end of a move: a connection to either engine, and rows as plain values.

use std::{path::PathBuf, time::Duration};

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::{
    Kind, MoveError,
    tables::{TABLES, Table},
};
use crate::{
    Promise, Store, StoreError,
    engine::{
        postgres::address::Address,
        sqlite::{
            conn::{Bound, Conn, EngineRow, Opening, Row as _, query},
            schema,
        },
    },
};

/// Marks a target as half filled; the value is the fingerprint of what is being copied into it.
pub(super) const MARK: &str = "moving";
const SET_MARK: &str = "INSERT INTO installation (name, value) VALUES ($1, $2)";
const GET_MARK: &str = "SELECT value FROM installation WHERE name = $1";
const DROP_MARK: &str = "DELETE FROM installation WHERE name = $1";
const SCHEMA: &str = "SELECT MAX(version) FROM _sqlx_migrations";
const HAS_SCHEMA: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
/// Connections of servers; the one that asks has another name.
const SERVERS: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'assay' AND datname = current_database()";
/// A server that has just ended may be seen for a moment longer.
const LOOKS: u32 = 30;
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Rows in one statement: 16 columns of them stay below what either engine takes as parameters.
const ROWS: usize = 200;

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// The embedded database's file.
    File(PathBuf),
    /// A PostgreSQL database, by its URL, and what its commits are promised to survive.
    Server(String, Promise),
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Place({self})")
    }
}

/// In words, without a password.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Server(url, _) => match Address::read(url) {
                Ok(address) => write!(f, "the PostgreSQL database {address}"),
                Err(_) => write!(f, "a PostgreSQL database"),
            },
        }
    }
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Bytes(Vec<u8>),
    Whole(i64),
    Text(String),
}

impl Value {
    /// The encoding that is hashed: what it is, how long it is, what it says. No two rows share one.
    fn hash(&self, hash: &mut Sha256) {
        let mut tagged = |tag: u8, bytes: &[u8]| {
            hash.update([tag]);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        match self {
            Self::Null => tagged(0, &[]),
            Self::Bytes(bytes) => tagged(1, bytes),
            Self::Whole(whole) => tagged(2, &whole.to_be_bytes()),
            Self::Text(text) => tagged(3, text.as_bytes()),
        }
    }
}

/// What a table holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) rows: u64,
    pub(super) sha256: [u8; 32],
}

/// Whether servers may be at work meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Servers {
    MustBeStopped,
    MayWork,
}

/// An open end.
pub(super) enum Side {
    Sqlite(Conn),
    Postgres(PgConnection),
}

impl Side {
    /// Opens what is only read: one snapshot of it, as long as this lives. Nothing is written, the schema is not touched.
    pub(super) async fn source(place: &Place, servers: Servers) -> Result<Self, MoveError> {
        let mut side = match place {
            Place::File(file) => {
                let opening = Opening { file: file.clone(), vfs: None, full_sync: true };
                Self::Sqlite(opening.visitor().map_err(|e| cannot(place, &e))?)
            }
            Place::Server(url, _) => Self::server(place, url, servers).await?,
        };
        let begin = if matches!(side, Self::Sqlite(_)) { "BEGIN" } else { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" };
        side.execute(begin).await?;
        let found = side.schema().await.map_err(|e| cannot(place, &e))?;
        if found != schema::newest() {
            return Err(MoveError::OtherSchema { place: place.to_string() });
        }
        Ok(side)
    }

    /// Opens what is written to, its schema made or brought up to date.
    pub(super) async fn target(place: &Place) -> Result<Self, MoveError> {
        match place {
            Place::File(file) => {
                Store::open_sqlite(file).await?.close().await;
                let opening = Opening { file: file.clone(), vfs: None, full_sync: true };
                Ok(Self::Sqlite(opening.writer().map_err(|e| cannot(place, &e))?))
            }
            Place::Server(url, promise) => {
                let side = Self::server(place, url, Servers::MustBeStopped).await?;
                Store::open_postgres(url, *promise).await?.close().await;
                Ok(side)
            }
        }
    }

    pub(super) async fn server(place: &Place, url: &str, servers: Servers) -> Result<Self, MoveError> {
        let unusable = |reason| StoreError::CannotOpen { path: place.to_string(), reason };
        let address = Address::read(url).map_err(unusable)?.with(|options| options.application_name("assay-move"));
        let mut conn =
            crate::engine::postgres::primary_of(&address).await.map_err(unusable)?.connect().await.map_err(|e| cannot(place, &e))?;
        if servers == Servers::MayWork {
            return Ok(Self::Postgres(conn));
        }
        for _ in 0..LOOKS {
            let servers: i64 = sqlx::query(SERVERS).fetch_one(&mut conn).await?.try_get(0)?;
            if servers == 0 {
                return Ok(Self::Postgres(conn));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(MoveError::InUse { place: place.to_string() })
    }

    /// Whether a server was ever started on this PostgreSQL database.
    pub(super) async fn has_schema(&mut self) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(true),
            Self::Postgres(conn) => Ok(sqlx::query(HAS_SCHEMA).fetch_one(conn).await?.try_get(0)?),
        }
    }

    pub(super) async fn schema(&mut self) -> Result<Option<i64>, StoreError> {
        match self {
            Self::Sqlite(conn) => query(SCHEMA).fetch_one(conn).await?.try_get(0),
            Self::Postgres(conn) => Ok(sqlx::query(SCHEMA).fetch_one(conn).await?.try_get(0)?),
        }
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), MoveError> {
        match self {
            Self::Sqlite(conn) => conn.batch(statement)?,
            Self::Postgres(conn) => {
                sqlx::query(statement).execute(conn).await?;
            }
        }
        Ok(())
    }

    /// Ends it in good order.
    pub(super) async fn close(self) -> Result<(), MoveError> {
        match self {
            Self::Sqlite(conn) => conn.close()?,
            Self::Postgres(conn) => conn.close().await?,
        }
        Ok(())
    }

    /// Whose half-filled copy this is.
    pub(super) async fn mark(&mut self) -> Result<Option<Vec<u8>>, MoveError> {
        Ok(match self {
            Self::Sqlite(conn) => query(GET_MARK).bind(MARK).fetch_optional(conn).await?.map(|row| row.try_get(0)).transpose()?,
            Self::Postgres(conn) => sqlx::query(GET_MARK).bind(MARK).fetch_optional(conn).await?.map(|row| row.try_get(0)).transpose()?,
        })
    }

    pub(super) async fn set_mark(&mut self, fingerprint: &[u8]) -> Result<(), MoveError> {
        match self {
            Self::Sqlite(conn) => {
                query(SET_MARK).bind(MARK).bind(fingerprint).execute(conn).await?;
            }
            Self::Postgres(conn) => {
                sqlx::query(SET_MARK).bind(MARK).bind(fingerprint).execute(conn).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn drop_mark(&mut self) -> Result<(), MoveError> {
        match self {
            Self::Sqlite(conn) => {
                query(DROP_MARK).bind(MARK).execute(conn).await?;
            }
            Self::Postgres(conn) => {
                sqlx::query(DROP_MARK).bind(MARK).execute(conn).await?;
            }
        }
        Ok(())
    }

    /// Whether no table holds anything.
    pub(super) async fn is_empty(&mut self) -> Result<bool, MoveError> {
        for table in TABLES {
            if !self.rows(table, None, 1).await?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The last key of a table, to go on after it.
    pub(super) async fn last_key(&mut self, table: &Table) -> Result<Option<Vec<Value>>, MoveError> {
        let order = table.key.iter().map(|column| format!("{column} DESC")).collect::<Vec<_>>().join(", ");
        let sql = format!("SELECT {} FROM {}{} ORDER BY {order} LIMIT 1", table.list(), table.name, table.without_mark(" WHERE"));
        let row = self.fetch(table, sql, None).await?.pop();
        Ok(row.map(|row| table.key_of(&row)))
    }

    /// So many rows after a key, in the order of keys.
    pub(super) async fn rows(&mut self, table: &Table, after: Option<&[Value]>, most: usize) -> Result<Vec<Vec<Value>>, MoveError> {
        let key = table.key.join(", ");
        let from = format!("SELECT {} FROM {}", table.list(), table.name);
        let sql = match after {
            None => format!("{from}{} ORDER BY {key} LIMIT {most}", table.without_mark(" WHERE")),
            Some(_) => {
                let marks = (1..=table.key.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
                format!("{from} WHERE ({key}) > ({marks}){} ORDER BY {key} LIMIT {most}", table.without_mark(" AND"))
            }
        };
        self.fetch(table, sql, after).await
    }

    async fn fetch(&mut self, table: &Table, sql: String, key: Option<&[Value]>) -> Result<Vec<Vec<Value>>, MoveError> {
        match self {
            Self::Sqlite(conn) => {
                let key = key.unwrap_or_default().iter();
                let rows = key.fold(query(&sql), |query, value| query.bind(value)).fetch_all(conn).await?;
                rows.iter().map(|row| table.read(|n, kind| read_sqlite(row, n, kind))).collect()
            }
            Self::Postgres(conn) => {
                let kinds = table.key.iter().filter_map(|name| table.kind(name)).zip(key.unwrap_or_default());
                // Safe: names from the constant list, numbers of ours, values bound.
                let query = kinds.fold(sqlx::query(AssertSqlSafe(sql)), |query, (kind, value)| bind_postgres(query, kind, value));
                query.fetch_all(conn).await?.iter().map(|row| table.read(|n, kind| Ok(read_postgres(row, n, kind)?))).collect()
            }
        }
    }

    /// Inserts rows in one transaction; those that are there already stay as they are.
    pub(super) async fn insert(&mut self, table: &Table, rows: &[Vec<Value>]) -> Result<(), MoveError> {
        self.execute(if matches!(self, Self::Sqlite(_)) { "BEGIN IMMEDIATE" } else { "BEGIN" }).await?;
        for some in rows.chunks(ROWS) {
            match self {
                Self::Sqlite(conn) => {
                    // Nameless: SQLite looks for a name from the beginning of a list.
                    let sql = table.insert(some.len(), |_| "?".to_owned());
                    some.iter().flatten().fold(query(&sql), |query, value| query.bind(value)).execute(conn).await?;
                }
                Self::Postgres(conn) => {
                    // Safe: names from the constant list, values bound.
                    let sql = AssertSqlSafe(table.insert(some.len(), |n| format!("${n}")));
                    let kinds = table.columns.iter().map(|(_, kind)| *kind);
                    let values = some.iter().flat_map(|row| kinds.clone().zip(row));
                    values.fold(sqlx::query(sql), |query, (kind, value)| bind_postgres(query, kind, value)).execute(conn).await?;
                }
            }
        }
        self.execute("COMMIT").await
    }

    /// Counts and hashes a table; says after each batch how many rows it has seen.
    pub(super) async fn content(&mut self, table: &Table, batch: usize, mut told: impl FnMut(u64)) -> Result<Content, MoveError> {
        let mut hash = Sha256::new();
        hash.update(table.name.as_bytes());
        let (mut count, mut after) = (0, None);
        loop {
            let rows = self.rows(table, after.as_deref(), batch).await?;
            rows.iter().flatten().for_each(|value| value.hash(&mut hash));
            count += rows.len() as u64;
            told(count);
            match rows.last() {
                Some(last) if rows.len() == batch => after = Some(table.key_of(last)),
                _ => return Ok(Content { rows: count, sha256: hash.finalize().into() }),
            }
        }
    }
}

impl Table {
    fn list(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    fn kind(&self, column: &str) -> Option<Kind> {
        self.columns.iter().find(|(name, _)| *name == column).map(|(_, kind)| *kind)
    }

    /// The mark of a half-filled target is no content.
    fn without_mark(&self, word: &str) -> String {
        if self.name == "installation" { format!("{word} name <> '{MARK}'") } else { String::new() }
    }

    fn insert(&self, rows: usize, mark: impl Fn(usize) -> String) -> String {
        let width = self.columns.len();
        let row = |n: usize| format!("({})", (1..=width).map(|c| mark(n * width + c)).collect::<Vec<_>>().join(", "));
        let rows = (0..rows).map(row).collect::<Vec<_>>().join(", ");
        format!("INSERT INTO {} ({}) VALUES {rows} ON CONFLICT DO NOTHING", self.name, self.list())
    }

    /// The key of one of its rows.
    pub(super) fn key_of(&self, row: &[Value]) -> Vec<Value> {
        let of = |key: &&str| self.columns.iter().zip(row).find(|((name, _), _)| name == key).map(|(_, value)| value.clone());
        self.key.iter().filter_map(of).collect()
    }

    fn read(&self, one: impl Fn(usize, Kind) -> Result<Value, StoreError>) -> Result<Vec<Value>, MoveError> {
        self.columns.iter().enumerate().map(|(n, (_, kind))| Ok(one(n, *kind)?)).collect()
    }
}

type Query = sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments>;

impl<'q> From<&'q Value> for Bound<'q> {
    fn from(value: &'q Value) -> Self {
        match value {
            Value::Bytes(bytes) => bytes.into(),
            Value::Whole(whole) => (*whole).into(),
            Value::Text(text) => text.into(),
            Value::Null => Self::Null,
        }
    }
}

fn bind_postgres(query: Query, kind: Kind, value: &Value) -> Query {
    match (kind, value.clone()) {
        // Bytes that are no id are refused by the column's type.
        (Kind::Id, Value::Bytes(bytes)) => match Uuid::from_slice(&bytes) {
            Ok(id) => query.bind(id),
            Err(_) => query.bind(bytes),
        },
        (_, Value::Bytes(bytes)) => query.bind(bytes),
        (_, Value::Whole(whole)) => query.bind(whole),
        (_, Value::Text(text)) => query.bind(text),
        (Kind::Id, Value::Null) => query.bind(None::<Uuid>),
        (Kind::Bytes, Value::Null) => query.bind(None::<Vec<u8>>),
        (Kind::Whole, Value::Null) => query.bind(None::<i64>),
        (Kind::Text, Value::Null) => query.bind(None::<String>),
    }
}

fn read_sqlite(row: &EngineRow, n: usize, kind: Kind) -> Result<Value, StoreError> {
    Ok(match kind {
        Kind::Id | Kind::Bytes => row.try_get::<Option<Vec<u8>>>(n)?.map_or(Value::Null, Value::Bytes),
        Kind::Whole => row.try_get::<Option<i64>>(n)?.map_or(Value::Null, Value::Whole),
        Kind::Text => row.try_get::<Option<String>>(n)?.map_or(Value::Null, Value::Text),
    })
}

fn read_postgres(row: &PgRow, n: usize, kind: Kind) -> Result<Value, sqlx::Error> {
    Ok(match kind {
        Kind::Id => row.try_get::<Option<Uuid>, _>(n)?.map_or(Value::Null, |id| Value::Bytes(id.as_bytes().to_vec())),
        Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(n)?.map_or(Value::Null, Value::Bytes),
        Kind::Whole => row.try_get::<Option<i64>, _>(n)?.map_or(Value::Null, Value::Whole),
        Kind::Text => row.try_get::<Option<String>, _>(n)?.map_or(Value::Null, Value::Text),
    })
}

fn cannot(place: &Place, error: &dyn std::fmt::Display) -> StoreError {
    let reason = format!("{error}. Check that it exists and can be reached");
    StoreError::CannotOpen { path: place.to_string(), reason }
}
