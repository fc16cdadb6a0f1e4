//! `assay move --config FILE --to PLACE`: copies an installation's database to the other engine.

use std::{
    fs::File,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
};

use assay_store::{
    Promise,
    moving::{self, Copied, Place, Progress, Step},
};

use crate::{
    beside::Where,
    failure::Failure,
    folder::{DataFolder, FolderError},
    out, progress,
    settings::Settings,
};

#[derive(clap::Args)]
#[command(
    after_help = "Stop every server first. Run the same command again when it was cut off: it goes on where it was.\n\nExit status: 0 copied and compared, now or before; 1 not done; 64 wrong usage."
)]
pub(crate) struct Args {
    #[command(flatten)]
    from: Where,
    /// An empty PostgreSQL database (postgres://user@host/database; the password may come from PGPASSWORD), a folder for the
    /// embedded database, or the settings file (*.toml) that names either.
    #[arg(long, value_name = "URL|FOLDER|FILE")]
    to: String,
}

/// One end: its database, and the data folders that no server may use meanwhile.
pub(crate) struct End {
    /// The database.
    pub(crate) place: Place,
    /// The folder, if there is one.
    pub(crate) root: Option<PathBuf>,
    /// Whose it is.
    pub(crate) slug: Option<String>,
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let from = args.from.end()?;
    let to = target(&args.to, &from)?;
    let _held = hold(&from, &to)?;
    if let (Place::File(_), Some(root), Some(slug)) = (&to.place, &to.root, &to.slug) {
        DataFolder::open(root, slug)?;
    }
    let bar = progress::bar(0, "Reading the source");
    let mut watch = |now: Progress| {
        let words = match now.step {
            Step::Reading => "Reading the source",
            Step::Copying => "Copying",
            Step::Comparing => "Comparing",
        };
        bar.set_message(format!("{words}: {}", now.table));
        bar.set_length(now.of.max(now.rows));
        bar.set_position(now.rows);
        ControlFlow::Continue(())
    };
    let copied = moving::copy(&from.place, &to.place, moving::BATCH, &mut watch).await;
    bar.finish_and_clear();
    say(&from, &to, &copied.map_err(|e| Failure::Words(e.to_string()))?);
    Ok(ExitCode::SUCCESS)
}

/// What `--to` names.
fn target(typed: &str, from: &End) -> Result<End, Failure> {
    let end = if typed.starts_with("postgres://") || typed.starts_with("postgresql://") {
        End { place: Place::Server(typed.to_owned(), Promise::Disk), root: None, slug: None }
    } else if Path::new(typed).extension().is_some_and(|extension| extension == "toml") {
        End::of_settings(Settings::read(Path::new(typed))?)
    } else if typed.contains("://") {
        return Err(Failure::Usage(format!(
            "--to: “{}://…” is no database that Assay knows; write postgres://user@host/database, or a folder",
            typed.split("://").next().unwrap_or_default()
        )));
    } else {
        End::of_folder(Path::new(typed), from.slug.clone())
    };
    if let (Some(wanted), Some(found)) = (&from.slug, &end.slug)
        && wanted != found
    {
        return Err(Failure::Usage(format!("--to: the issuer there is “{found}”, and “{wanted}” is to be moved")));
    }
    let same = match (&from.place, &end.place) {
        (Place::File(one), Place::File(other)) => {
            one == other || (one.canonicalize().ok().is_some_and(|one| other.canonicalize().ok() == Some(one)))
        }
        (one, other) => one.to_string() == other.to_string(),
    };
    if same { Err(Failure::Usage(format!("--to: {} is where it is already", end.place))) } else { Ok(end) }
}

/// Keeps servers out of both folders, each once.
fn hold(from: &End, to: &End) -> Result<Vec<File>, FolderError> {
    let mut roots: Vec<PathBuf> = [from, to].into_iter().filter_map(|end| end.root.as_ref()?.canonicalize().ok()).collect();
    roots.dedup();
    roots.iter().map(|root| DataFolder::at(root).lock()).collect()
}

fn say(from: &End, to: &End, copied: &[Copied]) {
    let rows: u64 = copied.iter().map(|table| table.rows).sum();
    for table in copied.iter().filter(|table| table.rows > 0) {
        let start: String = table.sha256.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        out::line(format_args!("{:20} {:>9} rows  sha256 {start}…", table.table, table.rows));
    }
    out::line(format_args!("Copied {rows} rows from {} to {}; counts and hashes of every table are the same.", from.place, to.place));
    out::line("The source is as it was. Keep it until the new place has proved itself, and start no server on it again.");
    if let Place::Server(_, promise) = &to.place {
        out::line(format_args!(
            "{}",
            match promise {
                Promise::Disk =>
                    "The copy is kept as durability = \"disk\" promises: it survives a power cut of the database server, not the loss of it. Where a synchronous standby is to have every answer, write durability = \"standby\" into the settings.",
                Promise::Standby => "The copy is kept as durability = \"standby\" promises: a synchronous standby has it, too.",
            }
        ));
    }
    match &to.place {
        Place::Server(..) => out::line("Now write `database = \"postgres://…\"` into the settings, and start the server."),
        Place::File(_) => out::line("Now take `database` out of the settings, let `data` name the folder, and start the server."),
    }
    let own = from.root.as_ref().map_or("the data folder".to_owned(), |root| root.display().to_string());
    match &to.root {
        Some(root) if from.root.as_ref().and_then(|one| one.canonicalize().ok()) != root.canonicalize().ok() => {
            out::line(format_args!(
                "Keys and signing journal were not moved: copy {own}/keys and {own}/journal into {}, before a server starts there.",
                root.display()
            ));
        }
        _ => out::line(format_args!(
            "Keys and signing journal are not in the database: they stay in {own} (keys/ and journal/), and are needed there."
        )),
    }
}

impl End {
    /// The database that settings name.
    pub(crate) fn of_settings(settings: Settings) -> Self {
        match settings.server {
            Some((url, promise)) => {
                Self { place: Place::Server(url, promise), root: Some(settings.data), slug: Some(settings.issuer_slug) }
            }
            None => Self::of_folder(&settings.data, Some(settings.issuer_slug)),
        }
    }

    /// The embedded database in a folder.
    pub(crate) fn of_folder(root: &Path, slug: Option<String>) -> Self {
        Self { place: Place::File(DataFolder::at(root).database()), root: Some(root.to_owned()), slug }
    }
}
