//! Content: programmes, items, pools, and what a draw needs to know of them.

use std::sync::{Arc, Mutex, PoisonError};

use assay_core::{form::Candidate, programme::Programme};
use assay_items::{Item, ItemId};
use sha2::{Digest, Sha256};

use super::{
    Apply, Conn, Row,
    people::audit,
    query,
    rows::{from_json, json, small},
};
use crate::{
    StoreError,
    commands::{Publish, Published},
    queries::{CurrentProgramme, CurrentProgrammes, Figures, Pool, ProgrammeFigures, ProgrammeVersion},
};

const CURRENT: &str = "SELECT version, pool_version FROM programmes WHERE issuer_id = $1 AND programme = $2";
const NEW_VERSION: &str = "INSERT INTO programme_versions (issuer_id, programme, version, document, published_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (issuer_id, programme, version) DO NOTHING";
const NEW_ITEM: &str = "INSERT INTO items (issuer_id, programme, item_id, version, question, answer_key, about) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (issuer_id, programme, item_id, version) DO NOTHING";
const NEW_POOL_ITEM: &str = "INSERT INTO pool_items (issuer_id, programme, pool_version, item_id, item_version, domain, family, enemies, option_count) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (issuer_id, programme, pool_version, item_id) DO NOTHING";
const SET_CURRENT: &str = "INSERT INTO programmes (issuer_id, programme, version, pool_version) VALUES ($1, $2, $3, $4) ON CONFLICT (issuer_id, programme) DO UPDATE SET version = excluded.version, pool_version = excluded.pool_version";

fn hash<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect()
}

fn pool_version(items: &[Item]) -> String {
    let mut names: Vec<(&str, &str)> = items.iter().map(|i| (i.id.0.as_str(), i.version.0.as_str())).collect();
    names.sort_unstable();
    hash(names.into_iter().flat_map(|(id, version)| [id, version]))
}

impl Apply<Conn> for Publish {
    type Out = Published;

    async fn apply(&self, conn: &mut Conn) -> Result<Published, StoreError> {
        let document = json(&self.programme)?;
        let (issuer, programme) = (self.issuer.0, &self.programme.id);
        let version = hash([document.as_str()].into_iter());
        let pool_version = pool_version(&self.items);
        let row = query(CURRENT).bind(issuer).bind(programme).fetch_optional(&mut *conn).await?;
        let before = row.map(|r| Ok::<_, StoreError>((r.try_get(0)?, r.try_get(1)?))).transpose()?;
        if before == Some((version.clone(), pool_version.clone())) {
            return Ok(Published { version, pool_version, changed: false });
        }
        query(NEW_VERSION).bind(issuer).bind(programme).bind(&version).bind(&document).bind(self.act.at.0).execute(&mut *conn).await?;
        for item in &self.items {
            add_item(self, conn, item, &pool_version).await?;
        }
        query(SET_CURRENT).bind(issuer).bind(programme).bind(&version).bind(&pool_version).execute(&mut *conn).await?;
        let detail = format!("content {version}, pool {pool_version}, {} items", self.items.len());
        audit(conn, self.issuer, &self.act, "publish", programme, &detail).await?;
        Ok(Published { version, pool_version, changed: true })
    }
}

async fn add_item(publish: &Publish, conn: &mut Conn, item: &Item, pool_version: &str) -> Result<(), StoreError> {
    let (issuer, programme) = (publish.issuer.0, &publish.programme.id);
    let domain = publish.programme.domain_of(&item.about.objective).map_or("", |d| d.id.as_str());
    let new = query(NEW_ITEM).bind(issuer).bind(programme).bind(&item.id.0).bind(&item.version.0);
    new.bind(json(&item.question)?).bind(item.key.seal().0).bind(json(&item.about)?).execute(&mut *conn).await?;
    let pool = query(NEW_POOL_ITEM).bind(issuer).bind(programme).bind(pool_version).bind(&item.id.0).bind(&item.version.0);
    let pool = pool.bind(domain).bind(&item.about.family).bind(json(&item.about.enemies)?).bind(item.question.options.len() as i64);
    pool.execute(conn).await?;
    Ok(())
}

const ALL_CURRENT: &str = "SELECT v.document, p.version, p.pool_version, \
    (SELECT COUNT(*) FROM pool_items i WHERE i.issuer_id = p.issuer_id AND i.programme = p.programme AND i.pool_version = p.pool_version) \
    FROM programmes p JOIN programme_versions v ON v.issuer_id = p.issuer_id AND v.programme = p.programme AND v.version = p.version \
    WHERE p.issuer_id = $1 ORDER BY p.programme";

impl Apply<Conn> for CurrentProgrammes {
    type Out = Vec<CurrentProgramme>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let mut all = Vec::new();
        for row in query(ALL_CURRENT).bind(self.issuer.0).fetch_all(conn).await? {
            let programme = from_json("programme", row.try_get::<&str>(0)?)?;
            all.push(CurrentProgramme { programme, version: row.try_get(1)?, pool_version: row.try_get(2)?, pool_size: row.try_get(3)? });
        }
        Ok(all)
    }
}

const ONE_VERSION: &str = "SELECT document FROM programme_versions WHERE issuer_id = $1 AND programme = $2 AND version = $3";

/// A programme as it was in one version.
pub(super) async fn programme_version(
    conn: &mut Conn,
    issuer: uuid::Uuid,
    programme: &str,
    version: &str,
) -> Result<Option<Arc<Programme>>, StoreError> {
    let read = || READ.lock().unwrap_or_else(PoisonError::into_inner);
    let same = |known: &&Version| known.issuer == issuer && known.programme == programme && known.version == version;
    if let Some(known) = read().iter().find(same) {
        return Ok(Some(Arc::clone(&known.content)));
    }
    let row = query(ONE_VERSION).bind(issuer).bind(programme).bind(version).fetch_optional(conn).await?;
    let Some(row) = row else { return Ok(None) };
    let content: Arc<Programme> = Arc::new(from_json("programme", row.try_get::<&str>(0)?)?);
    let mut read = read();
    if read.len() >= KEEP {
        read.clear();
    }
    read.push(Version { issuer, programme: programme.to_owned(), version: version.to_owned(), content: Arc::clone(&content) });
    Ok(Some(content))
}

/// Versions that were read, since every submit and every mail needs one: a version is the hash of what it holds, so none ever changes,
/// and reading one means a quarter of a megabyte.
static READ: Mutex<Vec<Version>> = Mutex::new(Vec::new());
/// How many of them are kept.
const KEEP: usize = 16;

struct Version {
    issuer: uuid::Uuid,
    programme: String,
    version: String,
    content: Arc<Programme>,
}

impl Apply<Conn> for ProgrammeVersion {
    type Out = Option<Arc<Programme>>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        programme_version(conn, self.issuer.0, &self.programme, &self.version).await
    }
}

const POOL: &str = "SELECT p.item_id, p.domain, p.family, p.enemies, p.option_count, COALESCE(e.shown, 0) FROM pool_items p \
    LEFT JOIN exposures e ON e.issuer_id = p.issuer_id AND e.programme = p.programme AND e.item_id = p.item_id \
    WHERE p.issuer_id = $1 AND p.programme = $2 AND p.pool_version = $3";
const SEEN: &str = "SELECT DISTINCT item_id FROM form_items WHERE person_id = $1 AND issuer_id = $2 AND programme = $3";

impl Apply<Conn> for Pool {
    type Out = Vec<Candidate>;

    async fn apply(&self, conn: &mut Conn) -> Result<Self::Out, StoreError> {
        let (person, issuer) = (self.learner.person.0, self.learner.issuer.0);
        let seen = query(SEEN).bind(person).bind(issuer).bind(&self.programme).fetch_all(&mut *conn).await?;
        let seen = seen.iter().map(|r| r.try_get(0)).collect::<Result<std::collections::HashSet<String>, _>>()?;
        let mut pool = Vec::new();
        for row in query(POOL).bind(issuer).bind(&self.programme).bind(&self.pool_version).fetch_all(conn).await? {
            let item: String = row.try_get(0)?;
            pool.push(Candidate {
                seen: seen.contains(&item),
                item: ItemId(item),
                domain: row.try_get(1)?,
                family: row.try_get(2)?,
                enemies: from_json("enemies", row.try_get::<&str>(3)?)?,
                options: small("option count", row.try_get(4)?)?,
                shown: row.try_get(5)?,
            });
        }
        Ok(pool)
    }
}

// Kept by a job, not counted: a page must cost the same after a million attempts.
const FIGURES: &str = "SELECT submitted, passed FROM programme_figures WHERE issuer_id = $1 AND programme = $2";
const POOL_SIZE: &str = "SELECT COUNT(*) FROM pool_items i JOIN programmes p ON p.issuer_id = i.issuer_id AND p.programme = i.programme AND p.pool_version = i.pool_version WHERE i.issuer_id = $1 AND i.programme = $2";

impl Apply<Conn> for Figures {
    type Out = ProgrammeFigures;

    async fn apply(&self, conn: &mut Conn) -> Result<ProgrammeFigures, StoreError> {
        let row = query(FIGURES).bind(self.issuer.0).bind(&self.programme).fetch_optional(&mut *conn).await?;
        let pool = query(POOL_SIZE).bind(self.issuer.0).bind(&self.programme).fetch_one(conn).await?;
        let (submitted, passed) = row.map_or(Ok::<_, StoreError>((0, 0)), |r| Ok((r.try_get(0)?, r.try_get(1)?)))?;
        Ok(ProgrammeFigures { submitted, passed, pool: pool.try_get(0)? })
    }
}

/// Every statement of this file, for the test that prepares them on both engines.
#[cfg(test)]
pub(super) const STATEMENTS: &[&[&str]] =
    &[&[CURRENT, NEW_VERSION, NEW_ITEM, NEW_POOL_ITEM, SET_CURRENT, ALL_CURRENT, ONE_VERSION, POOL, SEEN, FIGURES, POOL_SIZE]];
