//! Commands beside a running server, or without one: they open the same data folder, do one thing, and leave.

use std::path::PathBuf;

use assay_core::{
    Clock, UtcMillis,
    ids::{IssuerId, RowId},
};
use assay_store::{
    Store,
    commands::{Act, EnsureIssuer},
};

use crate::{
    demo,
    failure::Failure,
    folder::DataFolder,
    settings::Settings,
    system::{SystemChance, SystemClock},
};

/// Which installation.
#[derive(clap::Args)]
pub(crate) struct Where {
    /// The server's settings file.
    #[arg(long, value_name = "FILE", conflicts_with = "data", required_unless_present = "data")]
    config: Option<PathBuf>,
    /// The data folder itself, such as a demonstration's.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

/// An opened installation.
pub(crate) struct Beside {
    /// Its folder.
    pub(crate) folder: DataFolder,
    /// Its database.
    pub(crate) store: Store,
    /// Its issuer.
    pub(crate) issuer: IssuerId,
    /// Now, by its clock (a demonstration's may have been moved).
    pub(crate) at: UtcMillis,
}

impl Where {
    /// Opens the installation.
    pub(crate) async fn open(self) -> Result<Beside, Failure> {
        let root = match (&self.config, self.data) {
            (Some(config), _) => Settings::read(config)?.data,
            (None, Some(data)) => data,
            (None, None) => return Err(Failure::Usage("name the settings with --config, or the data folder with --data".to_owned())),
        };
        let (folder, slug) = DataFolder::existing(&root)?;
        let store = Store::open_sqlite(&folder.database()).await?;
        let at = SystemClock.now().plus_seconds(demo::moved_seconds(&folder));
        let issuer = store.run(EnsureIssuer { slug, id: IssuerId::random(&SystemChance), at }).await?;
        Ok(Beside { folder, store, issuer, at })
    }
}

impl Beside {
    /// Who and when, for the audit log.
    pub(crate) fn act(&self) -> Act {
        Act { row: RowId::random(&SystemChance), actor: "operator".to_owned(), at: self.at }
    }
}
