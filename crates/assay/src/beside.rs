//! Commands beside a running server, or without one: they open the same data folder, do one thing, and leave.

use std::path::{Path, PathBuf};

use assay_core::{
    Clock, UtcMillis,
    ids::{IssuerId, RowId},
};
use assay_store::{
    Store,
    commands::{Act, EnsureIssuer},
    moving::Place,
    queries::IsHalfFilled,
};

use crate::{
    demo,
    failure::Failure,
    folder::DataFolder,
    move_to::End,
    settings::Settings,
    system::{SystemChance, SystemClock},
};

/// Which installation.
#[derive(Clone, clap::Args)]
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
    /// Whether it is a server's, by its settings.
    pub(crate) fn names_settings(&self) -> bool {
        self.config.is_some()
    }

    /// Where its database is, for a move; nothing is opened. An embedded one must be there.
    pub(crate) fn end(self) -> Result<End, Failure> {
        let end = match (self.config, self.data) {
            (Some(file), _) => End::of_settings(Settings::read(&file)?),
            (None, Some(data)) => End::of_folder(&data, None),
            (None, None) => return Err(Failure::Usage("name the settings with --config, or the data folder with --data".to_owned())),
        };
        match (&end.place, &end.root) {
            (Place::File(_), Some(root)) => Ok(End { slug: Some(DataFolder::existing(root)?.1), ..end }),
            _ => Ok(end),
        }
    }

    /// Opens a folder that is being brought back, which nothing else may.
    pub(crate) async fn restoring(root: &Path) -> Result<Beside, Failure> {
        let folder = DataFolder::at(root);
        let slug = folder.read("issuer")?.map(|text| text.trim().to_owned()).unwrap_or_default();
        let store = Store::open_sqlite(&folder.database()).await?;
        Self::beside(folder, slug, store).await
    }

    async fn beside(folder: DataFolder, slug: String, store: Store) -> Result<Beside, Failure> {
        let at = SystemClock.now().plus_seconds(demo::moved_seconds(&folder));
        let issuer = store.run(EnsureIssuer { slug, id: IssuerId::random(&SystemChance), at }).await?;
        Ok(Beside { folder, store, issuer, at })
    }

    /// Opens the installation.
    pub(crate) async fn open(self) -> Result<Beside, Failure> {
        let settings = self.config.as_deref().map(Settings::read).transpose()?;
        let (folder, slug, store) = match (settings, self.data) {
            (Some(settings), _) if settings.server.is_some() => {
                let folder = DataFolder::open(&settings.data, &settings.issuer_slug)?;
                let store = settings.open_store(&folder).await?;
                (folder, settings.issuer_slug, store)
            }
            (Some(Settings { data, .. }), _) | (None, Some(data)) => {
                let (folder, slug) = DataFolder::existing(&data)?;
                let store = Store::open_sqlite(&folder.database()).await?;
                (folder, slug, store)
            }
            (None, None) => return Err(Failure::Usage("name the settings with --config, or the data folder with --data".to_owned())),
        };
        if store.read(IsHalfFilled {}).await? {
            return Err(Failure::half_filled());
        }
        Self::beside(folder, slug, store).await
    }
}

impl Beside {
    /// Who and when, for the audit log.
    pub(crate) fn act(&self) -> Act {
        Act { row: RowId::random(&SystemChance), actor: "operator".to_owned(), at: self.at }
    }
}
