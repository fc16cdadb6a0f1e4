//! `assay serve --config assay.toml`: the server for real use. TLS stands in front of it.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use assay_badge::{Issuer, KeyHistory};
use assay_core::{Chance, Clock, clock::WatchedClock, ids::IssuerId};
use assay_jobs::{FileJournal, Mailer, SmtpMailer, WorkerParts};
use assay_pack::Pack;
use assay_store::{Bell, commands::EnsureIssuer, queries::IsHalfFilled};
use assay_web::{App, Limits, Parts};

use crate::{
    connections,
    egress::Outward,
    failure::Failure,
    figures::Figures,
    folder::DataFolder,
    keys, logging, manager, progress, reconcile,
    server::{self, Serving},
    settings::Settings,
    start,
    system::{SystemChance, SystemClock, timestamp},
};

/// The public key history of a real server, inside its data folder.
pub(crate) const HISTORY: &str = "keys/issuer-keys.json";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The settings file; paths in it are relative to its folder.
    #[arg(long, value_name = "FILE", default_value = "assay.toml")]
    config: PathBuf,
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let settings = Settings::read(&args.config)?;
    logging::start(settings.log, "info")?;
    let handed = manager::socket()?;
    let handed_over = handed.is_some();
    let pages = handed.as_ref().and_then(|socket| socket.local_addr().ok()).unwrap_or(settings.listen);
    let (found, packs) = start::settings(&settings, &args.config, pages);
    start::refuse(found)?;
    let listener = match handed {
        Some(listener) => listener,
        None => server::listen(settings.listen, "Write another `listen` into the settings, or stop that program.").await?,
    };
    manager::refuse_open(&listener, &settings.public_url)?;
    let folder = DataFolder::open(&settings.data, &settings.issuer_slug)?;
    let _lock = folder.lock_for(handed_over).await?;
    start::refuse(start::folder(&folder, Some(&settings)))?;
    // Now, since the server before this one has left the address.
    let figures = match settings.metrics {
        Some(address) => Some(Figures::install(address).await?),
        None => None,
    };
    let (clock, chance): (Arc<dyn Clock>, Arc<dyn Chance>) = (Arc::new(WatchedClock::new(SystemClock)), Arc::new(SystemChance));
    let store = settings.open_store(&folder).await?;
    if store.read(IsHalfFilled {}).await? {
        return Err(Failure::half_filled());
    }
    let ensure = EnsureIssuer { slug: settings.issuer_slug.clone(), id: IssuerId::random(&*chance), at: clock.now() };
    let issuer_id = store.run(ensure).await?;
    let keys = keys::take(&folder, keys::Kind::Served, &store, issuer_id, &*chance).await?;
    let issuer = Arc::new(issuer(&settings, &folder, keys.seed, &*clock)?);
    keys::agree(&store, &keys).await?;
    let compared = reconcile::compare(&store, issuer_id, &folder, clock.now()).await?;
    compared.log_remarks();
    let held = compared.held;
    let spinner = progress::spinner("Publishing the programmes");
    let programmes = server::publish(&store, issuer_id, &packs, &*chance, &*clock).await?;
    spinner.finish_and_clear();
    warn(&settings, &packs);

    let mailer = SmtpMailer::new(&settings.smtp_url, &settings.smtp_from).map_err(Failure::Words)?;
    let mailer: Arc<dyn Mailer> = Arc::new(mailer);
    let bell = Arc::new(Bell::default());
    let worker = WorkerParts {
        secret: keys.secret,
        store: store.clone(),
        clock: Arc::clone(&clock),
        chance: Arc::clone(&chance),
        issuer: Arc::clone(&issuer),
        contact: settings.contact.clone(),
        mailer,
        journal: Arc::new(FileJournal::new(folder.journal())),
        bell: Arc::clone(&bell),
    };
    let app = App::new(Parts {
        store,
        clock,
        chance,
        issuer,
        issuer_id,
        secret: keys.secret,
        settings: assay_web::Settings {
            base_url: settings.public_url.clone(),
            issuer_name: settings.issuer_name.clone(),
            contact: settings.contact.clone(),
            behind_proxy: settings.behind_proxy,
        },
        programmes: programmes.offered,
        former: programmes.former,
        bell,
        limits: Limits::strict(),
        egress: Arc::new(Outward::new()),
        demo: None,
    });
    let listens = listener.local_addr().map(|address| address.to_string()).unwrap_or_default();
    tracing::info!(public_url = settings.public_url, listens, data = %settings.data.display(), "serving");
    // A proxy's connections all come from one address.
    let per_address = Some(settings.connections_per_address).filter(|_| !settings.behind_proxy);
    let limits = connections::Limits::new(connections::fitting(settings.connections), per_address);
    let address = settings.public_url;
    server::run(Serving { listener, app, worker, held, limits, address, figures }).await?;
    Ok(ExitCode::SUCCESS)
}

/// The issuer with its key of today and its whole history. The history is written before anything is signed with a new key.
fn issuer(settings: &Settings, folder: &DataFolder, seed: [u8; 32], clock: &dyn Clock) -> Result<Issuer, Failure> {
    let before = folder.history(HISTORY)?;
    let history = before.clone().map_or_else(
        || Issuer::new_history(&settings.issuer_name, &settings.host),
        |history| KeyHistory { name: settings.issuer_name.clone(), ..history },
    );
    let issuer = Issuer::served(history, &settings.public_url, seed, timestamp(clock.now()));
    if before.as_ref() != Some(&issuer.history) {
        folder.keep_history(HISTORY, &issuer.history)?;
    }
    Ok(issuer)
}

fn warn(settings: &Settings, packs: &[Pack]) {
    for pack in packs.iter().filter(|pack| pack.programme.questions_public) {
        tracing::warn!(
            programme = pack.programme.id,
            "the questions of this programme are public: its badges are practice badges and say so"
        );
    }
    if settings.public_url.starts_with("https://") && !settings.behind_proxy {
        tracing::warn!(
            "`behind_proxy` is not set: if the proxy that ends TLS adds X-Forwarded-For, write behind_proxy = true, or all visitors share one limit"
        );
    }
}
