//! `assay doctor`: is this installation well? One line for each thing that it needs: ok, or what is wrong and what to do.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use assay_core::{Clock, ids::IssuerId};
use assay_jobs::{FileJournal, Journal, SmtpMailer};
use assay_store::{
    Store, StoreError,
    commands::EnsureIssuer,
    keeping::{own_schema, schema_of},
    moving::schema_of_server,
    queries::{IsHalfFilled, NewestTime},
};

use crate::{
    demo,
    failure::Failure,
    folder::{DataFolder, FolderError},
    keys::{self, Kind, Known},
    out,
    reconcile::{self, Compared},
    serve,
    settings::Settings,
    start::{self, Finding, Findings},
    system::{SystemChance, SystemClock},
};

/// A disk with less room than this is nearly full.
const ROOM: u64 = 1024 * 1024 * 1024;
/// How much earlier than something that is known a clock may be.
const BEHIND_SECONDS: i64 = 300;
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
#[command(after_help = "It may be asked while the server works.\n\nExit status: 0 all is well; 1 something is wrong; 64 wrong usage.")]
pub(crate) struct Args {
    /// The server's settings file.
    #[arg(long, value_name = "FILE", default_value = "assay.toml", conflicts_with = "data")]
    config: PathBuf,
    /// The data folder itself, such as a demonstration's: then mail and addresses are not asked about.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

#[derive(Default)]
struct Chart {
    wrong: usize,
}

impl Chart {
    fn note(&mut self, what: &str, finding: Finding) {
        match finding {
            Ok(words) => out::line(format_args!("ok     {what:11} {words}")),
            Err(words) => {
                self.wrong += 1;
                words.lines().for_each(|line| out::line(format_args!("WRONG  {what:11} {line}")));
            }
        }
    }

    fn note_all(&mut self, findings: Findings) {
        // Said below, of every database.
        let findings = findings.into_iter().filter(|(what, _)| *what != "database");
        findings.for_each(|(what, finding)| self.note(what, finding));
    }
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let mut chart = Chart::default();
    match &args.data {
        Some(root) => installation(&mut chart, root, None).await,
        None => match Settings::read(&args.config) {
            Ok(settings) => {
                chart.note("settings", Ok(args.config.display().to_string()));
                chart.note_all(start::settings(&settings, &args.config, settings.listen).0);
                installation(&mut chart, &settings.data.clone(), Some(&settings)).await;
                chart.note("mail", mail(&settings).await);
                chart.note("server", answers("listen", &format!("http://{}/readyz", settings.listen)));
                chart.note("address", answers("public_url", &format!("{}/healthz", settings.public_url)));
            }
            Err(error) => chart.note("settings", Err(error.to_string())),
        },
    }
    Ok(if chart.wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What lies on this machine: folder, keys, disk, database, clock, journal.
async fn installation(chart: &mut Chart, root: &Path, settings: Option<&Settings>) {
    let (folder, slug) = match DataFolder::claimed(root) {
        Ok(found) => found,
        // A server makes its folder.
        Err(FolderError::Nothing(_)) if settings.is_some() && is_untouched(root) => {
            return chart.note("data folder", Ok(format!("{}: nothing here yet, the first start makes it", root.display())));
        }
        Err(error) => return chart.note("data folder", Err(error.to_string())),
    };
    let other = settings.filter(|settings| settings.issuer_slug != slug);
    chart.note(
        "data folder",
        match other {
            None => Ok(format!("{}, of the issuer “{slug}”", root.display())),
            Some(settings) => {
                Err(format!("{} belongs to the issuer “{slug}”, and the settings say “{}”", root.display(), settings.issuer_slug))
            }
        },
    );
    let kind = settings.map_or_else(|| Kind::of(&folder, &slug), |_| Kind::Served);
    chart.note_all(start::folder(&folder, settings));
    chart.note("disk", disk(root));
    let store = match database(&folder, settings).await {
        Ok((store, words)) => {
            chart.note("database", Ok(words));
            store
        }
        Err(words) => {
            chart.note("database", Err(words));
            return note_keys(chart, &folder, kind, None);
        }
    };
    if let Err(error) = inside(chart, &store, &folder, slug, kind).await {
        chart.note("database", Err(error.to_string()));
    }
    store.close().await;
}

/// Whether nothing of an installation is there.
fn is_untouched(root: &Path) -> bool {
    ["assay.db", "issuer", "keys", "journal"].iter().all(|name| !root.join(name).exists())
}

/// Without a database: what can be said of them by themselves.
fn note_keys(chart: &mut Chart, folder: &DataFolder, kind: Kind, known: Option<&Known>) {
    match keys::judge(folder, kind, known.unwrap_or(&Known::default())) {
        Ok(_) if known.is_none() => {
            chart.note("keys", Ok("they fit together; whether they are this database's was not looked at".to_owned()));
        }
        Ok(found) => chart.note("keys", Ok(found.words())),
        Err(wrong) => wrong.into_iter().for_each(|words| chart.note("keys", Err(words))),
    }
}

/// What only the database can tell.
async fn inside(chart: &mut Chart, store: &Store, folder: &DataFolder, slug: String, kind: Kind) -> Result<(), Failure> {
    let now = SystemClock.now().plus_seconds(demo::moved_seconds(folder));
    let issuer = store.run(EnsureIssuer { slug, id: IssuerId::random(&SystemChance), at: now }).await?;
    note_keys(chart, folder, kind, Some(&Known::read(store, issuer).await?));
    let newest = store.read(NewestTime { issuer }).await?.max(FileJournal::new(folder.journal()).newest());
    chart.note(
        "clock",
        match newest.filter(|newest| now.plus_seconds(BEHIND_SECONDS) < *newest) {
            None => Ok(now.rfc3339()),
            Some(newest) => Err(format!(
                "it says {}, and something was noted at {}: nothing is signed until it is right. Set it (timedatectl), and let a time server keep it",
                now.rfc3339(),
                newest.rfc3339()
            )),
        },
    );
    let Compared { held, remarks } = reconcile::compare(store, issuer, folder, now).await?;
    let agree = || std::iter::once("journal and database agree".to_owned()).chain(remarks).collect::<Vec<_>>().join("; ");
    chart.note("journal", held.map_or_else(|| Ok(agree()), Err));
    Ok(())
}

#[cfg(unix)]
fn disk(root: &Path) -> Finding {
    let probe = tempfile::Builder::new().prefix(".assay-doctor-").tempfile_in(root).and_then(|file| file.as_file().sync_all());
    probe.map_err(|e| {
        format!("nothing can be written in {} ({e}): give it to the server's user, make room, or mend the disk", root.display())
    })?;
    let found = rustix::fs::statvfs(root).map_err(|e| format!("{}: {e}", root.display()))?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let words = format!("{} MB free, and a file was written through", free / 1_000_000);
    if free < ROOM { Err(format!("only {words}: make room, or people's answers will be refused")) } else { Ok(words) }
}

#[cfg(not(unix))]
fn disk(root: &Path) -> Finding {
    let probe = tempfile::Builder::new().prefix(".assay-doctor-").tempfile_in(root).and_then(|file| file.as_file().sync_all());
    probe.map(|()| "a file was written through".to_owned()).map_err(|e| format!("nothing can be written in {} ({e})", root.display()))
}

/// Opens it as the server would, which asserts that commits are durable; but changes no schema.
async fn database(folder: &DataFolder, settings: Option<&Settings>) -> Result<(Store, String), String> {
    let store = match settings.filter(|settings| settings.server.is_some()) {
        Some(settings) => {
            if let Some((url, _)) = &settings.server {
                same_schema(schema_of_server(url).await.map_err(|e| e.to_string())?.unwrap_or(0))?;
            }
            settings.open_store(folder).await.map_err(failed)?
        }
        None => {
            let file = folder.database();
            // A first start that was cut off has made no keys yet, and goes on.
            if !folder.has_database() && (settings.is_none() || folder.root().join(serve::HISTORY).exists()) {
                return Err(FolderError::NoDatabase(folder.root().display().to_string()).to_string());
            }
            same_schema(schema_of(&file).await.map_err(failed)?)?;
            Store::open_sqlite(&file).await.map_err(failed)?
        }
    };
    if store.read(IsHalfFilled {}).await.map_err(failed)? {
        store.close().await;
        return Err(Failure::half_filled().to_string());
    }
    let engine = if store.is_alone() { "embedded" } else { "PostgreSQL" };
    Ok((store, format!("{engine}, schema {}; what it acknowledges survives a power cut", own_schema())))
}

/// As the server says it, with the way out.
fn failed(error: StoreError) -> String {
    Failure::from(error).to_string()
}

fn same_schema(schema: i64) -> Result<(), String> {
    let way_out = match schema.cmp(&own_schema()) {
        std::cmp::Ordering::Equal => return Ok(()),
        std::cmp::Ordering::Less => "start the server once, which brings it up to date",
        std::cmp::Ordering::Greater => "use the newer program",
    };
    Err(format!("its schema is {schema}, and this program works with {}: {way_out}", own_schema()))
}

async fn mail(settings: &Settings) -> Finding {
    let mailer = SmtpMailer::new(&settings.smtp_url, &settings.smtp_from)?;
    let greeted = tokio::time::timeout(PATIENCE * 2, mailer.greet()).await;
    let greeted = greeted.unwrap_or_else(|_| Err("it did not answer in time".to_owned()));
    let way_out = "look at [smtp] in the settings, and whether this machine may reach it";
    greeted
        .map(|()| "the mail server greets, and takes the password if there is one".to_owned())
        .map_err(|e| format!("the mail server: {e}; {way_out}"))
}

/// Whether a server answers there, certificate and all.
fn answers(setting: &str, url: &str) -> Finding {
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).timeout_global(Some(PATIENCE)).proxy(None);
    match config.build().new_agent().get(url).call() {
        Ok(answer) if answer.status() == 200 => Ok(format!("{url} answers")),
        Ok(mut answer) => {
            let words = answer.body_mut().read_to_string().unwrap_or_default();
            Err(format!("{url} answers {}: {}", answer.status().as_u16(), words.trim().chars().take(400).collect::<String>()))
        }
        Err(error) => {
            Err(format!("{url} does not answer ({error}): start the server, or look at `{setting}`, the proxy and its certificate"))
        }
    }
}
