//! `assay backup FILE`: everything that an installation is, in one file, while its server works; brought back once before it is called done.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use assay_core::Clock;
use assay_store::{
    keeping::{look, own_schema, snapshot},
    moving::{Place, Progress},
};
use tempfile::{NamedTempFile, TempDir};

use crate::{
    archive::{self, DATABASE, Manifest, make_private},
    beside::Where,
    failure::{Failure, in_words},
    folder::DataFolder,
    keys,
    move_to::End,
    out, progress, server,
    system::SystemClock,
};

#[derive(clap::Args)]
#[command(
    after_help = "The file holds the signing key: whoever reads it can sign badges in your name. Keep it as you keep that key.\n\nExit status: 0 made, and brought back once to prove it; 1 not made; 64 wrong usage."
)]
pub(crate) struct Args {
    /// The file to make; it must not be there.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: Where,
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let End { place, root, slug } = args.place.end()?;
    let root = root.ok_or_else(|| Failure::Usage("name the data folder".to_owned()))?;
    let issuer = match slug {
        Some(slug) => slug,
        None => DataFolder::existing(&root)?.1,
    };
    let file = &args.file;
    if file.symlink_metadata().is_ok() {
        return Err(Failure::Usage(format!("{} is there already; name a new file", file.display())));
    }
    let home = match file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => folder,
        None => Path::new("."),
    };
    refuse_place(home, &root)?;
    for name in [keys::SIGNING, keys::SECRET] {
        if DataFolder::at(&root).kept_secret(name)?.is_none() {
            return Err(Failure::Words(format!(
                "{}/keys/{name} is missing, and a backup without it could not be brought back. `assay doctor` says how to get it back",
                root.display()
            )));
        }
    }
    name_remains(home);
    let begun = Begun::default();
    let (asked, what) = (server::stop_asked()?, begun.clone());
    // In a thread of its own: the database is taken without a pause in which this one could hear of it.
    let cut_off = tokio::spawn(async move {
        asked.await;
        what.remove_and_exit();
    });
    let spinner = progress::spinner("Taking the database");
    let manifest = make(&place, &root, issuer, file, home, &begun, &spinner).await;
    cut_off.abort();
    spinner.finish_and_clear();
    let manifest = manifest?;
    let bytes = fs::metadata(file).map_or(0, |file| file.len());
    out::line(format_args!(
        "Made {} ({bytes} bytes): {} people, {} attempts, {} answers, {} badges, as of {}.",
        file.display(),
        manifest.rows("people"),
        manifest.rows("attempts"),
        manifest.rows("responses"),
        manifest.rows("credentials"),
        manifest.made_at
    ));
    out::line(
        "It was brought back into a folder of its own to prove it: the database is whole, every row is there, the journal's chain holds.",
    );
    out::line("It holds the signing key. Keep it where nobody else reads it, and keep the newest journal beside it: a restore needs both.");
    Ok(ExitCode::SUCCESS)
}

/// A backup belongs beside what it is a backup of, and into a folder that is there.
fn refuse_place(home: &Path, root: &Path) -> Result<(), Failure> {
    if !home.is_dir() {
        let what = if home.exists() { "is no folder" } else { "is not there" };
        return Err(Failure::Usage(format!(
            "the folder {} {what}: make it (mkdir -p), or name another place for the backup",
            home.display()
        )));
    }
    let (Ok(home), Ok(root)) = (home.canonicalize(), root.canonicalize()) else { return Ok(()) };
    if home.starts_with(&root) {
        return Err(Failure::Usage(format!(
            "the backup would lie in {}, the data folder that it is a backup of, and be lost with it: name another place, best on another machine",
            root.display()
        )));
    }
    Ok(())
}

const PREFIX: &str = ".assay-backup-";
/// As shells say it of a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// What a killed backup left behind holds the signing key. It may as well be another's that is at work: so it is only named.
fn name_remains(home: &Path) {
    for entry in fs::read_dir(home).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            eprintln!(
                "{} was left by a backup that was killed, or is another one's that is at work; it holds the signing key. Remove it if no other is at work.",
                entry.path().display()
            );
        }
    }
}

/// What goes again when the program is told to stop in the midst of it.
#[derive(Clone, Default)]
struct Begun(Arc<Mutex<Vec<PathBuf>>>);

impl Begun {
    fn folder(&self, home: &Path) -> io::Result<TempDir> {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(home)?;
        begun.push(made.path().to_owned());
        Ok(made)
    }

    fn file(&self, home: &Path) -> io::Result<NamedTempFile> {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = tempfile::Builder::new().prefix(PREFIX).tempfile_in(home)?;
        begun.push(made.path().to_owned());
        Ok(made)
    }

    /// Holds the list to the end: nothing more is begun.
    fn remove_and_exit(&self) {
        let begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for path in begun.iter() {
            // Something may be written in it while it is removed.
            for _ in 0..REMOVALS {
                if path.symlink_metadata().is_err() {
                    break;
                }
                let _again = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            }
        }
        eprintln!("Stopped: no backup was made, and what was begun is removed.");
        std::process::exit(INTERRUPTED);
    }
}

/// Most tries to remove one thing.
const REMOVALS: u32 = 100;

/// Makes the file, under another name until it has proved itself.
async fn make(
    place: &Place,
    root: &Path,
    issuer: String,
    file: &Path,
    home: &Path,
    begun: &Begun,
    spinner: &indicatif::ProgressBar,
) -> Result<Manifest, Failure> {
    let cannot = |e: io::Error| Failure::while_doing(&format!("nothing can be written in {}", home.display()), in_words(&e));
    // Beside the file: there is room for it, or there is none for the file either. Gone at the end, however it ends.
    let stage = begun.folder(home).map_err(cannot)?;
    let mut out = begun.file(home).map_err(cannot)?;

    let made_at = SystemClock.now().rfc3339();
    let mut watch = |now: Progress| {
        spinner.set_message(format!("Taking the database: {}", now.table));
        ControlFlow::Continue(())
    };
    let database = stage.path().join(DATABASE);
    snapshot(place, &database, &mut watch).await.map_err(|e| Failure::Words(e.to_string()))?;
    // After the database: whatever it knows of, the journal knows, too.
    for name in archive::belongings(root)? {
        take(&root.join(&name), &stage.path().join(&name))?;
    }
    let found = look(&database).await?;
    if found.half_filled || found.schema > own_schema() {
        return Err(Failure::Words(format!("{place} is a copy that was not finished, or a newer version's; finish it first")));
    }
    let engine = if matches!(place, Place::File(_)) { "sqlite" } else { "postgres" };
    let manifest = Manifest {
        assay_backup: 0,
        made_at,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        engine: engine.to_owned(),
        issuer,
        schema: found.schema,
        tables: found.tables.into_iter().collect(),
        files: Vec::new(),
    };
    spinner.set_message("Writing the file");
    let manifest = archive::pack(stage.path(), manifest, out.as_file_mut())?;
    drop(stage);

    spinner.set_message("Bringing it back, to prove it");
    let proof = begun.folder(home).map_err(cannot)?;
    let unpacked = archive::unpack(out.path(), proof.path())?;
    archive::check(proof.path(), &unpacked).await?;
    drop(proof);
    out.persist_noclobber(file).map_err(|e| cannot(e.error))?;
    File::open(home).and_then(|folder| folder.sync_all()).map_err(cannot)?;
    Ok(manifest)
}

/// Copies a file; of a journal all whole lines, since one may just be written.
fn take(from: &Path, to: &Path) -> Result<(), Failure> {
    let cannot = |e: io::Error| Failure::while_doing(&from.display().to_string(), in_words(&e));
    if let Some(folder) = to.parent() {
        make_private(folder).map_err(cannot)?;
    }
    if from.extension().is_none_or(|extension| extension != "jsonl") {
        return fs::copy(from, to).map(drop).map_err(cannot);
    }
    let (mut reader, mut line) = (BufReader::new(File::open(from).map_err(cannot)?), Vec::new());
    let mut writer = BufWriter::new(File::create(to).map_err(cannot)?);
    loop {
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(cannot)?;
        if !line.ends_with(b"\n") {
            return writer.flush().map_err(cannot);
        }
        writer.write_all(&line).map_err(cannot)?;
    }
}
