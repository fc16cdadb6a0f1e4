//! The two engines side by side: every statement prepared on both, the same schema in both, migrations of the same numbers.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Connection, Executor, Row};

use super::{postgres, sqlite};

/// Source of the files with statements, to see that none is missing in a list.
const SOURCES: [(&str, &str); 9] = [
    ("answers", include_str!("../ops/answers.rs")),
    ("attempts", include_str!("../ops/attempts.rs")),
    ("badges", include_str!("../ops/badges.rs")),
    ("jobs", include_str!("../ops/jobs.rs")),
    ("keep", include_str!("../ops/keep.rs")),
    ("people", include_str!("../ops/people.rs")),
    ("programmes", include_str!("../ops/programmes.rs")),
    ("shared", include_str!("../ops/shared.rs")),
    ("vitals", include_str!("../ops/vitals.rs")),
];

#[test]
fn every_statement_is_in_its_files_list() {
    let mut all = 0;
    for (file, source) in SOURCES {
        let list = source.split("pub(super) const STATEMENTS").nth(1).unwrap_or_else(|| panic!("{file}.rs has no list"));
        let names = source.lines().filter_map(|line| line.strip_prefix("const ")?.split_once(": "));
        for (name, kind) in names.filter(|(_, kind)| kind.contains("&str")) {
            assert!(list.contains(name), "{file}.rs: {name} ({kind}) is not in STATEMENTS");
            all += 1;
        }
    }
    assert!(all > 80, "{all}");
}

pub(crate) async fn embedded() -> (tempfile::TempDir, rusqlite::Connection) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("assay.db");
    crate::Store::open_sqlite(&file).await.unwrap().close().await;
    let conn = rusqlite::Connection::open(&file).unwrap();
    (folder, conn)
}

/// A migrated database of its own on the tests' server; `None` where there is none.
pub(crate) async fn server() -> Option<sqlx::PgConnection> {
    let Ok(url) = std::env::var("ASSAY_POSTGRES") else {
        eprintln!("skipped: ASSAY_POSTGRES names no PostgreSQL");
        return None;
    };
    let (server, _) = url.rsplit_once('/').unwrap();
    let name = tempfile::Builder::new().prefix("assay_").rand_bytes(12).make(|_| Ok(())).unwrap();
    let url = format!("{server}/{}", name.path().file_name().unwrap().to_str().unwrap().to_lowercase());
    crate::create_database(&url).await.unwrap();
    crate::Store::open_postgres(&url, crate::Promise::Disk).await.unwrap().close().await;
    Some(sqlx::PgConnection::connect(&url).await.unwrap())
}

#[tokio::test]
async fn every_statement_is_prepared_on_both_engines() {
    let (_folder, conn) = embedded().await;
    for (file, sql) in sqlite::statements() {
        let prepared = conn.prepare(sql);
        assert!(prepared.is_ok(), "{file}.rs on SQLite: {}\n{sql}", prepared.err().unwrap());
    }
    let Some(mut conn) = server().await else { return };
    let statements = postgres::statements();
    assert_eq!(statements.len(), sqlite::statements().len());
    for (file, sql) in statements {
        let prepared = (&mut conn).prepare(sqlx::SqlStr::from_static(sql)).await;
        assert!(prepared.is_ok(), "{file}.rs on PostgreSQL: {}\n{sql}", prepared.err().unwrap());
    }
}

/// Statements that run while a person sits, looks at a badge or is issued one: none may read a whole table, however many rows it has.
#[tokio::test]
async fn no_statement_reads_a_whole_table_but_the_named_ones() {
    let (_folder, conn) = embedded().await;
    let mut scans = BTreeSet::new();
    for (file, sql) in sqlite::statements() {
        let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = plan.raw_query().mapped(|row| row.get::<_, String>("detail")).collect::<Result<Vec<_>, _>>().unwrap();
        for step in steps {
            let short = PARTIAL.iter().any(|index| step.contains(index));
            if step.starts_with("SCAN") && !step.contains("CONSTANT ROW") && !step.contains("VIRTUAL TABLE") && !short {
                scans.insert(format!("{file}: {step}: {}", sql.chars().take(60).collect::<String>()));
            }
        }
    }
    let scans: Vec<_> = scans.into_iter().filter(|scan| !ALLOWED_SCANS.iter().any(|a| scan.contains(a))).collect();
    assert!(scans.is_empty(), "{scans:#?}");
}

/// Tables that stay small, what an operator asks, what is asked once at a start, and for jobs of an older schema.
const ALLOWED_SCANS: [&str; 7] = [
    "SCAN journals",
    "SCAN kept_waits",
    "SCAN rate_marks",
    "SELECT person_id FROM attempts WHERE attempt_id",
    "SELECT COUNT(CASE",
    "SELECT person_id FROM awards WHERE issuer_id",
    "SELECT MAX(intended_at) FROM credential_intents",
];
/// Indexes of few rows: what is open, waiting or revoked.
const PARTIAL: [&str; 3] = ["open_with_deadline", "jobs_waiting", "revoked_credentials"];

type Table = (BTreeMap<String, (String, bool)>, BTreeSet<String>);

#[tokio::test]
async fn both_engines_have_the_same_schema() {
    let (_folder, conn) = embedded().await;
    let embedded = embedded_schema(&conn);
    assert!(embedded.len() > 20);
    let Some(mut conn) = server().await else { return };
    let server = server_schema(&mut conn).await;
    for (table, of_embedded) in &embedded {
        assert_eq!(Some(of_embedded), server.get(table), "{table}");
    }
    assert_eq!(embedded.len(), server.len());
}

/// Columns with kind and whether they may be empty; unique keys as lists of columns, partial ones marked.
fn embedded_schema(conn: &rusqlite::Connection) -> BTreeMap<String, Table> {
    let mut schema = BTreeMap::new();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> '_sqlx_migrations'";
    let names = |sql: &str, of: &[&str]| -> Vec<String> {
        let mut statement = conn.prepare(sql).unwrap();
        let names = statement.query_map(rusqlite::params_from_iter(of), |row| row.get(0)).unwrap();
        names.collect::<Result<_, _>>().unwrap()
    };
    for table in names(tables, &[]) {
        let mut columns = BTreeMap::new();
        let mut primary = Vec::new();
        let mut about = conn.prepare("SELECT name, type, \"notnull\", pk FROM pragma_table_info($1)").unwrap();
        let about = about.query_map([&table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
        for column in about {
            let (name, kind, required, key): (String, String, i64, i64) = column.unwrap();
            if key > 0 {
                primary.push((key, name.clone()));
            }
            columns.insert(name, (kind, required != 0 || key > 0));
        }
        primary.sort();
        let mut unique = BTreeSet::from([primary.into_iter().map(|(_, name)| name).collect::<Vec<_>>().join(",")]);
        for (partial, mark) in [("0", ""), ("1", " where")] {
            let indexes =
                "SELECT name FROM pragma_index_list($1) WHERE \"unique\" = 1 AND origin <> 'pk' AND partial = CAST($2 AS INTEGER)";
            for index in names(indexes, &[&table, partial]) {
                let of = names("SELECT name FROM pragma_index_info($1) ORDER BY seqno", &[&index]);
                unique.insert(format!("{}{mark}", of.join(",")));
            }
        }
        schema.insert(table, (columns, unique));
    }
    schema
}

async fn server_schema(conn: &mut sqlx::PgConnection) -> BTreeMap<String, Table> {
    let mut schema: BTreeMap<String, Table> = BTreeMap::new();
    let columns = "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'NO' FROM information_schema.columns \
        WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'";
    for row in sqlx::query(columns).fetch_all(&mut *conn).await.unwrap() {
        let (table, name, kind, required): (String, String, String, bool) = (row.get(0), row.get(1), row.get(2), row.get(3));
        let kind = match kind.as_str() {
            "uuid" | "bytea" => "BLOB",
            "bigint" => "INTEGER",
            "text" => "TEXT",
            other => panic!("{table}.{name} is {other}"),
        };
        schema.entry(table).or_default().0.insert(name, (kind.to_owned(), required));
    }
    let unique = "SELECT t.relname::text, i.indpred IS NOT NULL, \
        (SELECT string_agg(a.attname::text, ',' ORDER BY k.n) FROM unnest(i.indkey) WITH ORDINALITY AS k(attnum, n) \
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum) \
        FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace s ON s.oid = t.relnamespace \
        WHERE s.nspname = 'public' AND i.indisunique AND t.relname <> '_sqlx_migrations'";
    for row in sqlx::query(unique).fetch_all(conn).await.unwrap() {
        let (table, partial, of): (String, bool, String) = (row.get(0), row.get(1), row.get(2));
        schema.entry(table).or_default().1.insert(format!("{of}{}", if partial { " where" } else { "" }));
    }
    schema
}

#[test]
fn migrations_have_the_same_numbers() {
    let names = |engine: &str| {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names("sqlite"), names("postgres"));
}
