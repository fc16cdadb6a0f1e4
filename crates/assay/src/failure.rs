//! Why a subcommand ended early, in words for whoever typed it.

use std::{fmt::Display, io, process::ExitCode};

use assay_store::StoreError;

use crate::{folder::FolderError, packs::PackError, settings::SettingsError};

/// Exit status of wrong usage (`EX_USAGE` of sysexits).
pub(crate) const USAGE: u8 = 64;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Words.
    #[error("{0}")]
    Words(String),
    /// The command line cannot be followed as it is.
    #[error("{0}")]
    Usage(String),
    /// The database.
    #[error("{}{}", .0, restore_of(.0))]
    Store(#[from] StoreError),
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A programme.
    #[error(transparent)]
    Pack(#[from] PackError),
}

/// What the operating system said, and what to do.
pub(crate) fn in_words(reason: &io::Error) -> String {
    let (what, way_out) = match reason.kind() {
        io::ErrorKind::NotFound => ("it is not there", "look at the path, or make it first"),
        io::ErrorKind::NotADirectory => ("a file stands where a folder is wanted", "look at the path"),
        io::ErrorKind::IsADirectory => ("it is a folder, and a file is wanted", "look at the path"),
        io::ErrorKind::AlreadyExists => ("it is there already", "name another"),
        io::ErrorKind::PermissionDenied => ("this user may not", "run it as the data folder's owner, or look at owner and mode"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ("there is no room", "make room on that disk"),
        io::ErrorKind::ReadOnlyFilesystem => ("it can only be read", "name a place that can be written to"),
        _ => return reason.to_string(),
    };
    format!("{what}; {way_out}")
}

/// The way out where the embedded database is damaged; nothing otherwise.
fn restore_of(error: &StoreError) -> &'static str {
    let words = error.to_string();
    if words.contains("malformed") || words.contains("is not a database") {
        ". Keep what is there, and bring everything back into a new folder: `assay restore BACKUP --data NEW --journal FOLDER/journal/signing.jsonl`, \
         where FOLDER is the data folder of now"
    } else {
        ""
    }
}

impl Failure {
    /// The database is what `assay move` left when it was cut off.
    pub(crate) fn half_filled() -> Self {
        Self::Words(
            "the database is a copy that `assay move` has not finished: it lacks rows. Run the same `assay move` again, which goes on where it was, \
             or name the database that it was copied from"
                .to_owned(),
        )
    }

    /// Words that begin with what was being done.
    pub(crate) fn while_doing(what: &str, reason: impl Display) -> Self {
        Self::Words(format!("{what}: {reason}"))
    }

    /// 64 for wrong usage, otherwise 1.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(USAGE),
            _ => ExitCode::FAILURE,
        }
    }
}
