//! Whether the server keeps what it acknowledges.

use sqlx::{PgPool, Row};

/// What a commit is promised to survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Promise {
    /// A crash or a power cut of the server.
    #[default]
    Disk,
    /// The loss of the server: a commit is acknowledged once a synchronous standby has it, too.
    Standby,
}

/// `SHOW` of each of these, and what it must not be.
const SETTINGS: [(&str, &str, &str); 3] = [
    ("SHOW fsync", "off", "a power cut of the database server can then lose or corrupt everything"),
    ("SHOW full_page_writes", "off", "a power cut can then leave torn pages"),
    ("SHOW synchronous_commit", "off", "a crash can then lose answers that were called saved"),
];
const STANDBY_NAMES: &str = "SHOW synchronous_standby_names";
const IS_STANDBY: &str = "SELECT pg_is_in_recovery()";

/// Refuses a server that would break the promise; the reason in words.
pub(super) async fn check(pool: &PgPool, promise: Promise, pooled: bool) -> Result<(), String> {
    let mut transaction =
        pool.begin_with(if pooled { "BEGIN READ ONLY; DEALLOCATE ALL" } else { "BEGIN READ ONLY" }).await.map_err(|e| e.to_string())?;
    for (statement, wrong, consequence) in SETTINGS {
        let value: String = show(&mut transaction, statement).await?;
        let name = statement.trim_start_matches("SHOW ");
        if value == wrong {
            return Err(format!("it runs with {name} = {value}: {consequence}; set {name} = on"));
        }
        if promise == Promise::Standby && name == "synchronous_commit" && value == "local" {
            return Err("the settings say durability = \"standby\", and it runs with synchronous_commit = local, which does not wait for the standby; set synchronous_commit = on".to_owned());
        }
    }
    let row = sqlx::query(IS_STANDBY).fetch_one(&mut *transaction).await.map_err(|e| e.to_string())?;
    if row.try_get::<bool, _>(0).map_err(|e| e.to_string())? {
        return Err("it is a standby, which cannot be written to; name the primary, or promote this one".to_owned());
    }
    let names = show(&mut transaction, STANDBY_NAMES).await?;
    if promise == Promise::Standby && names.trim().is_empty() {
        return Err("the settings say durability = \"standby\", and the server waits for no standby: answers that were called saved would be lost with it; \
             set synchronous_standby_names, or write durability = \"disk\""
            .to_owned());
    }
    transaction.commit().await.map_err(|e| e.to_string())?;
    if pooled {
        tracing::info!("a pooler in transaction mode stands before the database: statements are not kept prepared");
    }
    Ok(())
}

async fn show(conn: &mut super::Conn, statement: &'static str) -> Result<String, String> {
    let row = sqlx::query(statement).fetch_one(conn).await.map_err(|e| e.to_string())?;
    row.try_get(0).map_err(|e| e.to_string())
}
