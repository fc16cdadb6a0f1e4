//! The server itself, the same for a demonstration and for real use: pages, worker, a clean end.

use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use assay_core::{Chance, Clock, ids::IssuerId};
use assay_jobs::{Worker, WorkerParts};
use assay_pack::Pack;
use assay_store::{
    Store,
    commands::{Act, Publish},
    queries::{CurrentProgramme, CurrentProgrammes, JournalPositions, NewestTime},
};
use assay_web::{App, Vitals};
use tokio::{net::TcpListener, sync::watch};

use crate::{connections, failure::Failure, figures::Figures, manager, out};

/// How long requests that are under way may take to end after a stop was asked for.
const GRACE: Duration = Duration::from_secs(10);
/// How long the worker may take to end what it does: a mail server is given 20 seconds.
const WORKER_GRACE: Duration = Duration::from_secs(25);
/// How long the last notes of what was shown may take: they are no promise.
const NOTES_GRACE: Duration = Duration::from_secs(2);

/// How often a node's clock is compared with the database server's.
const COMPARE_EVERY: Duration = Duration::from_secs(10);
/// An answer that took longer says too little about the time.
const COMPARE_WITHIN: Duration = Duration::from_secs(5);

/// Takes an address to listen on. `command` is how to ask for another one.
pub(crate) async fn listen(address: SocketAddr, way_out: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|e| {
        Failure::Words(match e.kind() {
            std::io::ErrorKind::AddrInUse => format!("{address} is taken by another program. {way_out}"),
            std::io::ErrorKind::PermissionDenied => format!("{address} may not be taken: ports below 1024 are the system's. {way_out}"),
            _ => format!("{address} cannot be listened on ({e}). {way_out}"),
        })
    })
}

/// The programmes of an issuer.
pub(crate) struct Programmes {
    /// Offered now, in the order of the settings.
    pub(crate) offered: Vec<CurrentProgramme>,
    /// Offered once: their badges stay, and the standard behind them.
    pub(crate) former: Vec<CurrentProgramme>,
}

/// Makes these packs what the server offers, in their order.
pub(crate) async fn publish(
    store: &Store,
    issuer: IssuerId,
    packs: &[Pack],
    chance: &dyn Chance,
    clock: &dyn Clock,
) -> Result<Programmes, Failure> {
    for pack in packs {
        let act = Act { row: assay_core::ids::RowId::random(chance), actor: "operator".to_owned(), at: clock.now() };
        let publish = Publish { issuer, programme: pack.programme.clone(), items: pack.items.clone(), act };
        store.run(publish).await?;
    }
    let all = store.read(CurrentProgrammes { issuer }).await?;
    // A programme whose pack was taken out of the settings stays in the database, for its badges, but is not offered.
    let is_of = |current: &CurrentProgramme, pack: &Pack| current.programme.id == pack.programme.id;
    let offered = packs.iter().filter_map(|pack| all.iter().find(|current| is_of(current, pack)).cloned()).collect();
    let former = all.into_iter().filter(|current| !packs.iter().any(|pack| is_of(current, pack))).collect();
    Ok(Programmes { offered, former })
}

/// What is served, and how.
pub(crate) struct Serving {
    /// Where connections come from.
    pub(crate) listener: TcpListener,
    /// The pages.
    pub(crate) app: App,
    /// Work after the answers.
    pub(crate) worker: WorkerParts,
    /// Why nothing may be signed or mailed.
    pub(crate) held: Option<String>,
    /// Connections.
    pub(crate) limits: connections::Limits,
    /// The address that is told.
    pub(crate) address: String,
    /// Figures, where they are wanted.
    pub(crate) figures: Option<Figures>,
}

/// Serves until told to stop by Ctrl-C or SIGTERM, then ends cleanly: requests first, then the worker, then the database.
pub(crate) async fn run(serving: Serving) -> Result<(), Failure> {
    let Serving { listener, app, worker, held, limits, address, figures } = serving;
    let (store, clock) = (worker.store.clone(), Arc::clone(&worker.clock));
    let known = store.read(NewestTime { issuer: app.issuer_id }).await?.max(worker.journal.newest());
    let journal_end = worker.journal.position();
    let worker = Arc::new(Worker::new(worker));
    if let Some(known) = known {
        worker.know(known);
    }
    metrics::gauge!("assay_journal_alarm").set(f64::from(u8::from(held.is_some())));
    if let Some(end) = journal_end {
        let noted = store.read(JournalPositions {}).await?;
        worker.note(noted.into_iter().find(|noted| noted.journal == end.journal));
    }
    if let Some(words) = held {
        worker.hold(words);
    }
    // The folder's lock says that no other server uses this database: whatever is leased was left by a crash.
    if store.is_alone() {
        worker.take_over().await?;
    } else {
        compare(&store, &*clock, &worker).await;
        // Other nodes' leases and waits are right where this clock is.
        if worker.agrees() {
            worker.bring_forward().await?;
        } else {
            tracing::warn!("this machine's clock differs from the database server's: jobs are left as they wait");
        }
    }
    let ending = app.clone();
    app.watched_by(Arc::new(Watched(Arc::clone(&worker))));
    let asked = stop_asked()?;
    let (requests_over, rest) = watch::channel(false);
    let working = async {
        tokio::select! {
            () = Arc::clone(&worker).run(rest.clone()) => {}
            () = after(rest.clone(), WORKER_GRACE) => tracing::warn!("the worker did not end in time; what it was doing is repeated at the next start"),
        }
    };
    let comparing = {
        let (store, clock, worker) = (store.clone(), Arc::clone(&clock), Arc::clone(&worker));
        let mut over = rest.clone();
        async move {
            while !store.is_alone() {
                tokio::select! {
                    () = tokio::time::sleep(COMPARE_EVERY) => compare(&store, &*clock, &worker).await,
                    _ = over.wait_for(|over| *over) => break,
                }
            }
        }
    };
    let figures = async {
        if let Some(figures) = figures {
            figures.serve(store.clone(), clock, rest.clone()).await;
        }
    };
    let answering = async {
        tokio::select! {
            () = serve(listener, app, limits, asked, &address) => {}
            () = manager::ready(Arc::clone(&worker)) => {}
        }
        // The worker holds the other end until it has seen this.
        let _seen = requests_over.send(true);
    };
    tokio::join!(answering, working, comparing, figures);
    // A database that takes nothing any more holds nobody up.
    let _forgotten = tokio::time::timeout(NOTES_GRACE, ending.settle()).await;
    store.close().await;
    Ok(())
}

/// Compares this clock with the database server's. Without an answer, or with one that was long on its way, what was known stays.
async fn compare(store: &Store, clock: &dyn Clock, worker: &Worker) {
    let (asked, began) = (clock.now(), tokio::time::Instant::now());
    if let Ok(Some(there)) = store.time().await
        && began.elapsed() < COMPARE_WITHIN
    {
        let half = i64::try_from(began.elapsed().as_millis() / 2).unwrap_or(0);
        worker.compared(there.0.saturating_sub(asked.0.saturating_add(half)));
    }
}

/// What `/readyz` asks about.
struct Watched(Arc<Worker>);

impl Vitals for Watched {
    fn worker(&self) -> Result<(), String> {
        self.0.silence().map_or(Ok(()), Err)
    }

    fn journal(&self) -> Result<(), String> {
        self.0.held().map_or(Ok(()), Err)
    }

    fn clock(&self) -> Result<(), String> {
        self.0.clock_trouble().map_or(Ok(()), Err)
    }
}

async fn serve(
    listener: TcpListener,
    app: App,
    limits: connections::Limits,
    asked: impl Future<Output = ()> + Send + 'static,
    address: &str,
) {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        asked.await;
        manager::stopping();
        // Not `eprintln!`, which panics where nobody reads any more: a server whose log reader died must still stop.
        let _unread = writeln!(io::stderr(), "Stopping: no new connections; what is under way is finished. Ctrl-C again ends at once.");
        // Nobody listens when the server has ended by itself.
        let _ended = stop.send(true);
    });
    let serving = connections::serve(listener, assay_web::app(app), limits, stopped.clone());
    // The one line on standard output, for people and for scripts that wait for it.
    out::line(format_args!("Assay is ready at {address}"));
    tokio::select! {
        () = serving => {}
        () = after(stopped, GRACE) => tracing::warn!(seconds = GRACE.as_secs(), "some requests did not end in time and were cut off"),
    }
}

/// So long after a signal was given.
async fn after(mut signal: watch::Receiver<bool>, pause: Duration) {
    // The sender going away without a signal means that nobody will ever give it.
    if signal.wait_for(|given| *given).await.is_err() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(pause).await;
}

/// Resolves when a stop is asked for. A second Ctrl-C ends the program at once.
#[cfg(unix)]
pub(crate) fn stop_asked() -> Result<impl Future<Output = ()> + Send, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let cannot = |e| Failure::while_doing("signals cannot be received", e);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tokio::spawn(async move {
            interrupt.recv().await;
            std::process::exit(130);
        });
    })
}

#[cfg(not(unix))]
pub(crate) fn stop_asked() -> Result<impl Future<Output = ()> + Send, Failure> {
    Ok(async {
        let _interrupted = tokio::signal::ctrl_c().await;
    })
}
