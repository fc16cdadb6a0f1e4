use std::collections::BTreeMap;

use sqlx::Row;

use super::{Kind, tables::TABLES};

/// What the list says, in the words of a schema: columns with their types, and the key.
fn listed(word: fn(Kind) -> &'static str) -> BTreeMap<String, (BTreeMap<String, String>, String)> {
    let columns = |columns: &[(&str, Kind)]| columns.iter().map(|(name, kind)| ((*name).to_owned(), word(*kind).to_owned())).collect();
    TABLES.iter().map(|table| (table.name.to_owned(), (columns(table.columns), table.key.join(",")))).collect()
}

#[tokio::test]
async fn the_list_is_the_embedded_schema() {
    let (_folder, conn) = crate::engine::statements::embedded().await;
    let sql = "SELECT t.name, c.name, c.type, c.pk FROM sqlite_schema t, pragma_table_info(t.name) c \
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name <> '_sqlx_migrations' ORDER BY t.name, c.pk";
    let mut found: BTreeMap<String, (BTreeMap<String, String>, String)> = BTreeMap::new();
    let mut statement = conn.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
    for row in rows {
        let (table, column, kind, key): (String, String, String, i64) = row.unwrap();
        let entry = found.entry(table).or_default();
        if key > 0 {
            let comma = if entry.1.is_empty() { "" } else { "," };
            entry.1 = format!("{}{comma}{column}", entry.1);
        }
        entry.0.insert(column, kind);
    }
    let word = |kind| match kind {
        Kind::Id | Kind::Bytes => "BLOB",
        Kind::Whole => "INTEGER",
        Kind::Text => "TEXT",
    };
    assert_eq!(listed(word), found);
}

#[tokio::test]
async fn the_list_is_the_servers_schema() {
    let Some(mut conn) = crate::engine::statements::server().await else { return };
    let mut found: BTreeMap<String, (BTreeMap<String, String>, String)> = BTreeMap::new();
    let columns = "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns \
        WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'";
    for row in sqlx::query(columns).fetch_all(&mut conn).await.unwrap() {
        found.entry(row.get(0)).or_default().0.insert(row.get(1), row.get(2));
    }
    let keys = "SELECT t.relname::text, (SELECT string_agg(a.attname::text, ',' ORDER BY k.n) \
         FROM unnest(i.indkey) WITH ORDINALITY AS k(attnum, n) JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum) \
        FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace s ON s.oid = t.relnamespace \
        WHERE s.nspname = 'public' AND i.indisprimary AND t.relname <> '_sqlx_migrations'";
    for row in sqlx::query(keys).fetch_all(&mut conn).await.unwrap() {
        found.entry(row.get(0)).or_default().1 = row.get(1);
    }
    let word = |kind| match kind {
        Kind::Id => "uuid",
        Kind::Bytes => "bytea",
        Kind::Whole => "bigint",
        Kind::Text => "text",
    };
    assert_eq!(listed(word), found);
}
