//! A database as it was once, to be set back to.

use std::{
    fs,
    path::{Path, PathBuf},
};

use assay_fixtures::psql;

/// See the module.
pub struct Yesterday {
    root: PathBuf,
    url: Option<String>,
}

impl Yesterday {
    /// A copy of a database that nobody has open, as an operator's own means take one.
    pub fn of(root: &Path, url: Option<String>) -> Self {
        match url.as_deref() {
            None => drop(fs::copy(root.join("assay.db"), root.with_extension("yesterday.db")).unwrap()),
            Some(url) => copy(url, &kept(url)),
        }
        Self { root: root.to_owned(), url }
    }

    /// The database is that of then again. Nobody may have it open.
    pub fn bring_back(&self) {
        match self.url.as_deref() {
            None => {
                for name in ["assay.db-wal", "assay.db-shm"] {
                    // Whoever closed it in order left neither.
                    let _gone = fs::remove_file(self.root.join(name));
                }
                fs::copy(self.root.with_extension("yesterday.db"), self.root.join("assay.db")).unwrap();
            }
            Some(url) => {
                psql(&maintenance(url), &format!("DROP DATABASE {} WITH (FORCE)", name(url)));
                copy(&kept(url), url);
            }
        }
    }
}

fn name(url: &str) -> &str {
    url.rsplit_once('/').unwrap().1
}

fn maintenance(url: &str) -> String {
    format!("{}/postgres", url.rsplit_once('/').unwrap().0)
}

fn kept(url: &str) -> String {
    format!("{url}_yesterday")
}

fn copy(from: &str, to: &str) {
    psql(&maintenance(from), &format!("CREATE DATABASE {} TEMPLATE {}", name(to), name(from)));
}
