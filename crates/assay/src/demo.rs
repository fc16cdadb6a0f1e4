//! `assay demo`: everything on this machine, with sample people and a clock that can be moved. Nothing of it exists in `serve`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use assay_badge::{Issuer, SigningKey};
use assay_core::{Chance, Clock, UtcMillis, clock::DAY_SECONDS, clock::ShiftedClock, clock::WatchedClock, ids::IssuerId, mail::Mail};
use assay_jobs::{FileJournal, Outbox, Worker, WorkerParts};
use assay_store::{Bell, Promise, Store, commands::EnsureIssuer, queries::IsHalfFilled};
use assay_web::{App, Demo, Limits, Parts, SamplePerson};
use tokio::net::TcpListener;

use crate::{
    connections,
    egress::Outward,
    failure::Failure,
    folder::DataFolder,
    keys, manager, packs, progress, reconcile,
    sample::{self, Seeding},
    server::{self, Serving},
    system::{SystemChance, SystemClock, timestamp},
};

/// The issuer's name in the database.
pub(crate) const SLUG: &str = "demonstration";
/// The issuer's name for people.
const NAME: &str = "Assay demonstration";
/// The public key history, for `assay verify --trust`.
pub(crate) const HISTORY: &str = "issuer-keys.json";
/// How far the clock was moved, in seconds.
const OFFSET: &str = "clock-offset";
/// The address that badges made here name. Its port is taken again at the next start.
const ADDRESS: &str = "address";
/// Where to listen when nothing is said and nothing is remembered.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// Says that the sample people are complete.
const SEEDED: &str = "sample-people";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one. Without it: where the kept folder was served before, or 127.0.0.1:8080.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Keep everything in this folder, and go on there the next time, on the same port. Without it, a temporary folder is removed at
    /// the end.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Keep what belongs into a database in this PostgreSQL database (postgres://user@host/database), which should be empty or this
    /// demonstration's own. With --data, where its key is.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    if args.database.is_some() && args.data.is_none() {
        return Err(Failure::Usage(
            "--database needs --data FOLDER, too: the key that signs is kept in the folder, and without it this database could not be used again"
                .to_owned(),
        ));
    }
    let handed = manager::socket()?;
    let handed_over = handed.is_some();
    // Removed when this goes out of scope, at the end.
    let temporary = match &args.data {
        Some(_) => None,
        None => Some(
            tempfile::Builder::new()
                .prefix("assay-demo-")
                .tempdir()
                .map_err(|e| Failure::while_doing("no temporary folder can be made", e))?,
        ),
    };
    let root = args.data.clone().or_else(|| temporary.as_ref().map(|t| t.path().to_owned())).unwrap_or_default();
    let folder = Arc::new(DataFolder::open(&root, SLUG)?);
    let _lock = folder.lock_for(handed_over).await?;
    let listener = match handed {
        Some(listener) => listener,
        None => listen(&folder, args.listen).await?,
    };
    let taken = listener.local_addr().map_err(|e| Failure::while_doing("the address is not known", e))?;
    let address = format!("http://{}", reachable(taken));
    let (app, worker, held) = assemble(&folder, &address, args.database.as_deref()).await?;
    explain(&address, &folder, taken, temporary.is_some());
    // Everybody comes from this machine, load tests too.
    let limits = connections::Limits::new(connections::fitting(connections::TOTAL), None);
    server::run(Serving { listener, app, worker, held, limits, address, figures: None }).await?;
    eprintln!(
        "{}",
        if temporary.is_some() {
            "Stopped. The temporary folder is removed."
        } else {
            "Stopped. Everything is kept; the same command goes on."
        }
    );
    Ok(ExitCode::SUCCESS)
}

/// Listens where it is said; else where the folder was served before, since its badges name that address; else at the usual place.
async fn listen(folder: &DataFolder, wish: Option<SocketAddr>) -> Result<TcpListener, Failure> {
    let way_out = "`assay demo --listen 127.0.0.1:0` takes a free port.";
    let remembered: Option<SocketAddr> = folder.read(ADDRESS)?.and_then(|text| text.trim().parse().ok());
    let (listener, remember) = match (wish, remembered) {
        (Some(wish), _) => (server::listen(wish, way_out).await?, true),
        (None, None) => (server::listen(LISTEN, way_out).await?, true),
        (None, Some(before)) => match TcpListener::bind(before).await {
            Ok(listener) => (listener, false),
            Err(error) => {
                let why = match error.kind() {
                    std::io::ErrorKind::AddrInUse => "is taken by another program".to_owned(),
                    _ => format!("cannot be listened on ({error})"),
                };
                let free = server::listen(SocketAddr::new(before.ip(), 0), way_out).await?;
                eprintln!(
                    "{before}, where this folder was served before, {why}, so a free port is taken this time. Badges that were made \
                     before name {before}; start again when it is free, and they can be looked up there.\n"
                );
                // The old address stays the one to go back to.
                (free, false)
            }
        },
    };
    if remember {
        let taken = listener.local_addr().map_err(|e| Failure::while_doing("the address is not known", e))?;
        folder.write(ADDRESS, format!("{}\n", reachable(taken)).as_bytes())?;
    }
    Ok(listener)
}

async fn assemble(folder: &Arc<DataFolder>, address: &str, database: Option<&str>) -> Result<(App, WorkerParts, Option<String>), Failure> {
    let chance: Arc<dyn Chance> = Arc::new(SystemChance);
    let moved = moved_seconds(folder);
    let shifted = Arc::new(ShiftedClock::new(WatchedClock::new(SystemClock)));
    shifted.advance_seconds(moved);
    let clock: Arc<dyn Clock> = Arc::clone(&shifted) as Arc<dyn Clock>;
    let spinner = progress::spinner("Loading the sample programmes");
    let packs = packs::load_embedded()?;
    let store = match database {
        Some(url) => Store::open_postgres(url, Promise::Disk).await?,
        None => Store::open_sqlite(&folder.database()).await?,
    };
    if store.read(IsHalfFilled {}).await? {
        return Err(Failure::half_filled());
    }
    let issuer_id = store.run(EnsureIssuer { slug: SLUG.to_owned(), id: IssuerId::random(&*chance), at: clock.now() }).await?;
    let keys = keys::take(folder, keys::Kind::Demonstration, &store, issuer_id, &*chance).await?;
    let issuer = Arc::new(issuer(folder, address, keys.seed, &*clock)?);
    keys::agree(&store, &keys).await?;
    let secret = keys.secret;
    let compared = reconcile::compare(&store, issuer_id, folder, clock.now()).await?;
    compared.log_remarks();
    let held = compared.held;
    let programmes = server::publish(&store, issuer_id, &packs, &*chance, &*clock).await?;
    let (bell, outbox) = (Arc::new(Bell::default()), Arc::new(Outbox::default()));
    let worker = || WorkerParts {
        secret: keys.secret,
        store: store.clone(),
        clock: Arc::clone(&clock),
        chance: Arc::clone(&chance),
        issuer: Arc::clone(&issuer),
        contact: String::new(),
        mailer: Arc::clone(&outbox) as Arc<dyn assay_jobs::Mailer>,
        journal: Arc::new(FileJournal::new(folder.journal())),
        bell: Arc::clone(&bell),
    };
    if folder.read(SEEDED)?.is_none() {
        spinner.set_message("Making the sample people");
        if let (Some(current), Some(pack)) = (programmes.offered.first(), packs.first()) {
            let seeding = Seeding {
                store: &store,
                issuer: issuer_id,
                current,
                items: &pack.items,
                secret: &secret,
                chance: &*chance,
                now: clock.now(),
            };
            seeding.people(&Worker::new(worker())).await?;
        }
        folder.write(SEEDED, b"The sample people are complete.\n")?;
    }
    spinner.finish_and_clear();
    let demonstration = Demonstration {
        outbox: Arc::clone(&outbox),
        clock: shifted,
        moved: AtomicI64::new(moved),
        folder: Arc::clone(folder),
        people: sample::people(),
    };
    let parts = Parts {
        store: store.clone(),
        clock: Arc::clone(&clock),
        chance: Arc::clone(&chance),
        issuer: Arc::clone(&issuer),
        issuer_id,
        secret,
        settings: assay_web::Settings {
            base_url: address.to_owned(),
            issuer_name: NAME.to_owned(),
            contact: String::new(),
            behind_proxy: false,
        },
        programmes: programmes.offered,
        former: programmes.former,
        bell: Arc::clone(&bell),
        limits: Limits::relaxed(),
        egress: Arc::new(Outward::new()),
        demo: Some(Arc::new(demonstration)),
    };
    Ok((App::new(parts), worker(), held))
}

/// An issuer with a throw-away key, which a named folder keeps with the day it was made.
fn issuer(folder: &DataFolder, address: &str, seed: [u8; 32], clock: &dyn Clock) -> Result<Issuer, Failure> {
    let multibase = SigningKey::from_seed(seed).public_multibase();
    let known = folder.history(HISTORY)?.and_then(|h| h.keys.iter().find(|k| k.public_key_multibase == multibase).map(|k| k.valid_from));
    let issuer = Issuer::demonstration(NAME, address, seed, known.unwrap_or_else(|| timestamp(clock.now())));
    folder.keep_history(HISTORY, &issuer.history)?;
    Ok(issuer)
}

/// An address that a browser on this machine can open.
fn reachable(taken: SocketAddr) -> SocketAddr {
    match taken.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, taken.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, taken.port())),
        _ => taken,
    }
}

fn explain(address: &str, folder: &DataFolder, taken: SocketAddr, temporary: bool) {
    let root = folder.root().display();
    // As it was called, so that the lines below can be copied: with cargo it is not on the path.
    let assay = std::env::args().next().unwrap_or_else(|| "assay".to_owned());
    if !taken.ip().is_loopback() {
        eprintln!(
            "Warning: {taken} can be reached from other machines, without encryption, and anyone there can become any sample person.\n"
        );
    }
    eprintln!("Assay demonstration: sample programmes, sample people, badges signed with a throw-away key.\n");
    eprintln!("  Address      {address}");
    eprintln!("  Ways in      {address}/demo  (sample people, the mails that were sent, a clock a day ahead)");
    eprintln!("  Stop         Ctrl-C");
    if temporary {
        eprintln!("  Kept         nothing: {root} is removed at the end (--data FOLDER keeps it)");
    } else {
        eprintln!("  Kept         everything, in {root}: database, keys, signing journal; start again with the same folder to go on");
    }
    eprintln!("  Verify       {assay} verify BADGE.json --trust {root}/{HISTORY}");
    eprintln!("  Revoke       {assay} revoke BADGE_LINK --reason \"why\" --data {root}\n");
}

/// What only a demonstration can do.
struct Demonstration {
    outbox: Arc<Outbox>,
    clock: Arc<ShiftedClock<WatchedClock<SystemClock>>>,
    moved: AtomicI64,
    folder: Arc<DataFolder>,
    people: Vec<SamplePerson>,
}

impl Demo for Demonstration {
    fn mails(&self) -> Vec<(UtcMillis, Mail)> {
        self.outbox.mails()
    }

    fn day_ahead(&self) {
        let moved = self.moved.fetch_add(DAY_SECONDS, Ordering::SeqCst) + DAY_SECONDS;
        // Written first: a clock that fell back after a restart would lie before what is in the database.
        if let Err(error) = self.folder.write(OFFSET, format!("{moved}\n").as_bytes()) {
            tracing::warn!(%error, "the moved clock is not kept");
        }
        self.clock.advance_seconds(DAY_SECONDS);
    }

    fn people(&self) -> &[SamplePerson] {
        &self.people
    }
}

/// How far the clock of a demonstration's folder was moved, in seconds; for commands that work beside it.
pub(crate) fn moved_seconds(folder: &DataFolder) -> i64 {
    folder.read(OFFSET).ok().flatten().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
