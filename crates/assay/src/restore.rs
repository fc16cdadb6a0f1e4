//! `assay restore FILE --data FOLDER`: an installation from a backup, on a machine that has nothing, reconciled with the journal.

use std::{
    fs, io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
};

use assay_store::{
    Promise,
    moving::{self, Place},
};

use crate::{
    archive::{self, DATABASE, Manifest, make_private},
    beside::Where,
    failure::{Failure, in_words},
    folder::{DataFolder, RESTORING},
    journals::take_journals,
    out, progress,
    reconcile::{Report, reconcile},
};

#[derive(clap::Args)]
#[command(
    after_help = "A backup forgets what happened after it: badges revoked, people erased, waits begun, mails sent. The journal remembers, so give the newest one.\n\nExit status: 0 brought back and reconciled; 1 not done, and the folder is as it was; 64 wrong usage."
)]
pub(crate) struct Args {
    /// The backup.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The data folder to make; it must be empty, or not there.
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// The newest journal (journal/signing.jsonl of the machine that was lost); of several nodes each one's.
    #[arg(long, value_name = "FILE")]
    journal: Vec<PathBuf>,
    /// Go on without the newest journal: what happened after the backup is forgotten, and new badges go into a fresh status list.
    #[arg(long)]
    journal_lost: bool,
    /// Put the database into this empty PostgreSQL database (postgres://user@host/database; the password may come from PGPASSWORD).
    #[arg(long, value_name = "URL")]
    to: Option<String>,
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    if args.journal.is_empty() && !args.journal_lost {
        return Err(Failure::Usage(
            "name the newest journal with --journal (journal/signing.jsonl of the machine that was lost), so that nothing that happened after the \
             backup is forgotten. If it is lost, say --journal-lost: new badges then go into a fresh status list"
                .to_owned(),
        ));
    }
    if let Some(url) = args.to.as_ref().filter(|url| !url.starts_with("postgres://") && !url.starts_with("postgresql://")) {
        return Err(Failure::Usage(format!("--to: “{}…” is no PostgreSQL URL", url.split(':').next().unwrap_or_default())));
    }
    let root = &args.data;
    let cannot = |e: io::Error| Failure::while_doing(&root.display().to_string(), in_words(&e));
    if fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::Words(format!(
            "{} is not empty, and a restore overwrites nothing; name an empty folder, or move what is there away",
            root.display()
        )));
    }
    if root.is_file() {
        return Err(Failure::Words(format!(
            "{} is a file, and a restore makes a folder: name an empty one, or one that is not there",
            root.display()
        )));
    }
    let was_there = root.exists();
    for folder in ["", "keys", "journal"] {
        make_private(&root.join(folder)).map_err(cannot)?;
    }
    fs::write(root.join(RESTORING), b"A backup is being brought back.\n").map_err(cannot)?;
    let spinner = progress::spinner("Bringing the backup back");
    let done = bring_back(&args, &spinner).await;
    spinner.finish_and_clear();
    match done {
        Ok((manifest, report, older)) => {
            say(&args, &manifest, &report, &older);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            // Everything in it is ours: it was empty.
            clear(root, was_there).map_err(cannot)?;
            Err(error)
        }
    }
}

async fn bring_back(args: &Args, spinner: &indicatif::ProgressBar) -> Result<(Manifest, Report, Vec<PathBuf>), Failure> {
    let root = &args.data;
    let manifest = archive::unpack(&args.file, root)?;
    spinner.set_message("Checking it");
    archive::check(root, &manifest).await?;
    let left = take_journals(root, &args.journal, args.journal_lost)?;
    let signing = DataFolder::at(root).journal();
    if !args.journal_lost && left.contains(&signing) {
        return Err(Failure::Words(
            "no journal that was given goes on from the one in the backup: it is another server's, or begins later. Give the newest \
             journal/signing.jsonl of the machine that was backed up (and with it those of other nodes); if it is lost, add --journal-lost"
                .to_owned(),
        ));
    }
    spinner.set_message("Reconciling it with the journal");
    let beside = Where::restoring(root).await?;
    let report = reconcile(&beside, args.journal_lost, "restore").await;
    beside.store.close().await;
    let report = report?;
    if let Some(url) = &args.to {
        spinner.set_message("Copying it to PostgreSQL");
        let (from, to) = (Place::File(root.join(DATABASE)), Place::Server(url.clone(), Promise::Disk));
        let copied = moving::copy(&from, &to, moving::BATCH, &mut |_| ControlFlow::Continue(())).await;
        copied.map_err(|e| Failure::Words(e.to_string()))?;
        for name in [DATABASE, "assay.db-wal", "assay.db-shm"] {
            // Only the first is sure to be there.
            let _gone = fs::remove_file(root.join(name));
        }
    }
    fs::remove_file(root.join(RESTORING))
        .and_then(|()| fs::File::open(root)?.sync_all())
        .map_err(|e| Failure::while_doing(&root.display().to_string(), e))?;
    Ok((manifest, report, left.into_iter().filter(|path| *path != signing).collect()))
}

/// Leaves the folder as it was. The mark goes last: what is left by a kill in between is still known to be half of something.
fn clear(root: &Path, was_there: bool) -> io::Result<()> {
    let mark = root.join(RESTORING);
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::remove_dir_all(path)?;
        } else if path != mark {
            fs::remove_file(path)?;
        }
    }
    fs::remove_file(mark)?;
    if was_there { Ok(()) } else { fs::remove_dir(root) }
}

fn say(args: &Args, manifest: &Manifest, report: &Report, older: &[PathBuf]) {
    out::line(format_args!(
        "Brought back {} as of {}: {} people, {} attempts, {} answers, {} badges.",
        args.file.display(),
        manifest.made_at,
        manifest.rows("people"),
        manifest.rows("attempts"),
        manifest.rows("responses"),
        manifest.rows("credentials")
    ));
    report.say();
    for path in older {
        out::line(format_args!(
            "{} is as the backup had it. If a node wrote on in that journal, begin again, and give the newest of it, too.",
            path.display()
        ));
    }
    let root = args.data.display();
    match &args.to {
        Some(url) => {
            let place = Place::Server(url.clone(), Promise::Disk);
            out::line(format_args!(
                "The database is in {place}; keys and journal are in {root}. Write both into the settings (`database`, `data`)."
            ));
        }
        None => out::line(format_args!("Everything is in {root}. Let `data` in the settings name it, and give it to the server's user.")),
    }
    let signing = DataFolder::at(&args.data).journal();
    out::line(format_args!("The journal goes on in {}.", signing.display()));
}
