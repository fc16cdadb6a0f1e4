//! A PostgreSQL database that an earlier program left, or a later one: `assay doctor` says which and changes nothing; a start of the
//! server brings the old one up to date. Skipped, with words, where there is no PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod running;

use std::{fs, path::Path};

use assay_fixtures::{postgres_database, psql};
use running::{assay, readiness, said, site::Site};

const NEWEST: &str = "SELECT MAX(version) FROM _sqlx_migrations";

/// Makes an empty database as the program of this schema left it, by the first program's own statements and notes. `full` is one of today.
fn fill(url: &str, schema: usize, full: &str) {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/migrations/postgres");
    let mut files: Vec<_> = fs::read_dir(migrations).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in &files[..schema] {
        psql(url, &fs::read_to_string(file).unwrap());
    }
    let notes = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMPTZ NOT NULL \
        DEFAULT now(), success BOOLEAN NOT NULL, checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL)";
    psql(url, notes);
    let insert = "'INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (%s, %L, true, %L, 0)'";
    let statements =
        psql(full, &format!("SELECT format({insert}, version, description, checksum) FROM _sqlx_migrations WHERE version <= {schema}"));
    statements.lines().for_each(|statement| drop(psql(url, statement)));
}

#[test]
fn an_old_schema_is_named_by_doctor_and_mended_by_a_start() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (Some(full), Some(url)) = (runtime.block_on(postgres_database()), runtime.block_on(postgres_database())) else { return };
    let site = Site::over(&full, 1, "");
    // The folder and its keys.
    assert_eq!(site.start(0).terminate().code(), Some(0));
    let settings = fs::read_to_string(site.config(0)).unwrap();
    fs::write(site.config(0), settings.replace(&full, &url)).unwrap();
    let doctor = || said(&assay(["doctor", "--config", site.config(0)])).1;
    let own: usize = psql(&full, NEWEST).parse().unwrap();

    let words = doctor();
    assert!(
        words.contains(&format!("WRONG  database    its schema is 0, and this program works with {own}: start the server once")),
        "{words}"
    );
    assert_eq!(psql(&url, "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'"), "0", "nothing was made");

    fill(&url, own - 1, &full);
    let words = doctor();
    let wrong = format!("WRONG  database    its schema is {}, and this program works with {own}: start the server once", own - 1);
    assert!(words.contains(&wrong), "{words}");
    assert_eq!(psql(&url, NEWEST), (own - 1).to_string(), "nothing was changed");

    let server = site.start(0);
    assert_eq!(readiness(&server)["ready"], true);
    assert_eq!(server.terminate().code(), Some(0));
    assert_eq!(psql(&url, NEWEST), own.to_string());
    let words = doctor();
    assert!(words.contains(&format!("ok     database    PostgreSQL, schema {own}")), "{words}");

    psql(&url, "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, '', true, '', 0)");
    let words = doctor();
    assert!(words.contains("WRONG  database    its schema is 99") && words.contains("use the newer program"), "{words}");
}
