//! Past attempts in bulk: the finished attempt of the demo's badge holder, copied as rows to new people.
//!
//! Every table that a finished attempt leaves rows in gets real ones, with ids of their own: people, standings, attempts,
//! form_items, responses, response_saves, jobs (done), and for one in twenty (one status list has room for no more) awards,
//! intents and credentials. Sessions, links and sent mails are not copied: the server itself forgets these. A copy keeps five
//! of the fifty questions, so that a million fit on a disk. Columns are read from the schema, and only those that name somebody
//! are written by hand, so that a new column is copied like the rest.

use std::path::Path;

use rusqlite::{Connection, params};

/// Copies made in one transaction.
const BATCH: u64 = 100_000;
/// Questions that a copy keeps.
const KEPT: u32 = 5;
/// Whose attempt is copied.
const HOLDER: &str = "holder@example.org";
/// Tables of everybody, then those of whoever holds a badge; with a condition on the row that is copied.
const TABLES: [(&str, &str); 7] = [
    ("people", "1"),
    ("standings", "1"),
    ("attempts", "1"),
    ("form_items", "s.position <= KEPT"),
    ("responses", "s.position <= KEPT"),
    ("response_saves", "s.position <= KEPT"),
    ("jobs", "s.kind <> 'mail' AND (p.award IS NOT NULL OR s.kind <> 'issue')"),
];
const OF_HOLDERS: [&str; 3] = ["awards", "credential_intents", "credentials"];

/// Fills a database, which no server has open, up to so many past attempts. How many there were before.
///
/// # Errors
/// Words for the person at the terminal.
pub(crate) fn fill(database: &Path, wanted: u64) -> Result<u64, String> {
    let words = |e: rusqlite::Error| format!("{} cannot be filled: {e}", database.display());
    let conn = Connection::open(database).map_err(words)?;
    // Nothing that is written here needs to survive a crash; the server sets its own again.
    conn.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000").map_err(words)?;
    let before = count(&conn).map_err(words)?;
    let mut done = before;
    while done < wanted {
        let more = (wanted - done).min(BATCH);
        copies(&conn, done, more).map_err(words)?;
        done += more;
        if wanted > BATCH {
            eprintln!("{done} of {wanted} past attempts");
        }
    }
    conn.close().map_err(|(_, e)| words(e))?;
    // Or the kernel writes it while something is being measured.
    std::fs::File::open(database).and_then(|file| file.sync_all()).map_err(|e| e.to_string())?;
    Ok(before)
}

fn count(conn: &Connection) -> rusqlite::Result<u64> {
    conn.query_row("SELECT COUNT(*) FROM people WHERE address LIKE 'past-%'", [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

/// One transaction of copies, in the order of their people's ids, as far as that order helps.
fn copies(conn: &Connection, first: u64, more: u64) -> rusqlite::Result<()> {
    conn.execute_batch(
        "BEGIN IMMEDIATE; \
         CREATE TEMP TABLE IF NOT EXISTS past (person BLOB PRIMARY KEY, n INTEGER, attempt BLOB, award BLOB, badge TEXT) WITHOUT ROWID; \
         DELETE FROM past",
    )?;
    // The n-th badge has the n-th index of the first list, unless a sample person has that.
    conn.execute_batch(&format!(
        "WITH RECURSIVE counted(n) AS (VALUES({first} + 1) UNION ALL SELECT n + 1 FROM counted WHERE n < {first} + {more}) \
         INSERT INTO past SELECT randomblob(16), n, randomblob(16), \
         CASE WHEN n % 20 = 0 AND n / 20 < 60000 AND n / 20 NOT IN (SELECT status_index FROM credential_intents) THEN randomblob(16) END, \
         lower(hex(randomblob(13))) FROM counted"
    ))?;
    for (table, condition) in TABLES {
        copy(conn, table, condition)?;
    }
    for table in OF_HOLDERS {
        copy(conn, table, "p.award IS NOT NULL")?;
    }
    conn.execute_batch("COMMIT")
}

/// Statements are put together from the schema's own names and from numbers.
fn copy(conn: &Connection, table: &str, condition: &str) -> rusqlite::Result<()> {
    let mut columns = conn.prepare("SELECT name FROM pragma_table_info($1)")?;
    let names = columns.query_map(params![table], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    let values: Vec<String> = names.iter().map(|name| value(name)).collect();
    let statement = format!(
        "INSERT INTO {table} ({}) SELECT {} FROM past p CROSS JOIN {table} s \
         WHERE s.person_id = (SELECT person_id FROM people WHERE address = '{HOLDER}') AND {} ORDER BY p.person",
        names.join(", "),
        values.join(", "),
        condition.replace("KEPT", &KEPT.to_string())
    );
    conn.execute_batch(&statement)
}

/// What stands in a column of a copy.
fn value(column: &str) -> String {
    match column {
        "person_id" => "p.person".to_owned(),
        "attempt_id" => "p.attempt".to_owned(),
        "award_id" => "p.award".to_owned(),
        "badge_id" => "p.badge".to_owned(),
        "status_index" => "p.n / 20".to_owned(),
        "address" => "'past-' || p.n || '@example.org'".to_owned(),
        "handle" => "NULL".to_owned(),
        "job_id" => "randomblob(16)".to_owned(),
        "dedup" => "'past-' || p.n || '-' || s.dedup".to_owned(),
        other => format!("s.{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "CREATE TABLE people (person_id BLOB PRIMARY KEY, address TEXT UNIQUE, handle TEXT);
        CREATE TABLE standings (person_id BLOB PRIMARY KEY, fails INTEGER);
        CREATE TABLE attempts (person_id BLOB, attempt_id BLOB, state TEXT, PRIMARY KEY (person_id, attempt_id));
        CREATE TABLE form_items (person_id BLOB, attempt_id BLOB, position INTEGER, PRIMARY KEY (person_id, attempt_id, position));
        CREATE TABLE responses (person_id BLOB, attempt_id BLOB, position INTEGER, chosen TEXT);
        CREATE TABLE response_saves (person_id BLOB, attempt_id BLOB, position INTEGER);
        CREATE TABLE jobs (job_id BLOB PRIMARY KEY, kind TEXT, dedup TEXT, person_id BLOB, UNIQUE (kind, dedup));
        CREATE TABLE awards (person_id BLOB, award_id BLOB PRIMARY KEY, badge_id TEXT UNIQUE);
        CREATE TABLE credential_intents (person_id BLOB, award_id BLOB PRIMARY KEY, status_index INTEGER UNIQUE);
        CREATE TABLE credentials (person_id BLOB, award_id BLOB PRIMARY KEY, document TEXT);
        INSERT INTO people VALUES (x'01', 'holder@example.org', 'h'), (x'02', 'other@example.org', NULL);
        INSERT INTO standings VALUES (x'01', 0); INSERT INTO attempts VALUES (x'01', x'AA', 'submitted'), (x'02', x'BB', 'open');
        INSERT INTO form_items VALUES (x'01', x'AA', 1), (x'01', x'AA', 5), (x'01', x'AA', 6);
        INSERT INTO responses VALUES (x'01', x'AA', 1, 'a'); INSERT INTO response_saves VALUES (x'01', x'AA', 1);
        INSERT INTO jobs VALUES (x'01', 'issue', 'i', x'01'), (x'02', 'fold-exposure', 'f', x'01'), (x'03', 'mail', 'm', x'01');
        INSERT INTO awards VALUES (x'01', x'CC', 'b'); INSERT INTO credential_intents VALUES (x'01', x'CC', 2);
        INSERT INTO credentials VALUES (x'01', x'CC', 'doc');";

    #[test]
    fn copies_are_whole_and_only_missing_ones_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("assay.db");
        let conn = Connection::open(&file).unwrap();
        conn.execute_batch(SCHEMA).unwrap();
        conn.close().unwrap();
        assert_eq!(fill(&file, 30), Ok(0));
        assert_eq!(fill(&file, 60), Ok(30));
        assert_eq!(fill(&file, 60), Ok(60));
        let conn = Connection::open(&file).unwrap();
        // The 20th and the 60th hold a badge; the index of the 40th is the sample person's own.
        for (question, expected) in [
            ("SELECT COUNT(*) FROM attempts WHERE state = 'submitted'", 61),
            ("SELECT COUNT(*) FROM form_items f JOIN attempts USING (person_id, attempt_id) JOIN people USING (person_id)", 60 * 2 + 3),
            ("SELECT MAX(position) FROM form_items WHERE attempt_id <> x'AA'", i64::from(KEPT)),
            ("SELECT COUNT(*) FROM jobs WHERE kind = 'fold-exposure'", 61),
            ("SELECT COUNT(*) FROM jobs WHERE kind <> 'fold-exposure'", 2 + 2),
            ("SELECT COUNT(*) FROM credentials JOIN awards USING (award_id) JOIN credential_intents USING (award_id)", 3),
        ] {
            let found: i64 = conn.query_row(question, [], |row| row.get(0)).unwrap();
            assert_eq!(found, expected, "{question}");
        }
    }
}
