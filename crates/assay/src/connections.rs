//! Takes connections and serves a router over them, so that nobody can hold the server up by being slow.
//!
//! `axum::serve` has no time-outs. Looked at before this was written: hyper's own header time-out also ends idle connections that a
//! proxy keeps for the next request, and does not count the time before the first byte; axum-server has no caps; tower-http knows
//! requests, not connections. So the loop is ours around hyper-util's connection (HTTP/1 and HTTP/2), and every connection is watched:
//!
//! - the head of a request must be there 10 s after its first byte (the first head: 10 s after the connection was made),
//! - a connection between two requests is kept for 75 s, longer than proxies keep theirs, and for 5 s when three quarters of all places are taken,
//! - an answer must be taken at 500 bytes a second or more, after 30 s of grace,
//! - a whole exchange ends after six minutes, whatever happens (the body's own time-out is the router's, by route),
//! - there is a cap in all, and one for each address; at the first, new connections wait, at the second, they are told so and closed.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo, http};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tower::ServiceExt;

use traffic::{Answering, Counted, Traffic, Watched, Why};

mod traffic;

/// How many connections, and how long they may take for what. See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections in all.
    pub(crate) total: usize,
    /// Connections from one address (IPv4, or the /64 of IPv6); none when all come from one proxy.
    pub(crate) per_address: Option<usize>,
    /// From the first byte of a request's head to its last.
    pub(crate) head: Duration,
    /// Between two requests.
    pub(crate) idle: Duration,
    /// Between two requests, when connections are scarce or the server is leaving.
    pub(crate) idle_scarce: Duration,
    /// An answer's bytes must move, or so long without.
    pub(crate) stall: Duration,
    /// From a request's head to the end of its answer.
    pub(crate) exchange: Duration,
}

impl Limits {
    /// For a server that the world can reach.
    pub(crate) fn new(total: usize, per_address: Option<usize>) -> Self {
        Self {
            total: total.clamp(1, Semaphore::MAX_PERMITS),
            per_address,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            idle_scarce: Duration::from_secs(5),
            stall: Duration::from_secs(30),
            exchange: Duration::from_secs(360),
        }
    }
}

/// Connections in all, unless the settings say otherwise.
pub(crate) const TOTAL: usize = 10_000;
/// From one address, likewise: a school behind one address has hundreds.
pub(crate) const PER_ADDRESS: usize = 1_000;
/// Bytes of a request's head, HTTP/1; and of one in HTTP/2.
const HEAD_BYTES: usize = 64 * 1024;
const HEAD_BYTES_H2: u32 = 16 * 1024;
/// Requests at one time on one connection of HTTP/2.
const STREAMS: u32 = 64;
/// How often one end of an HTTP/2 connection asks whether the other is there.
const PING: Duration = Duration::from_secs(20);
/// After an error that says that files, memory or sockets are short: connections that end meanwhile make room.
const SHORT_OF_ROOM: Duration = Duration::from_millis(500);
/// How long a new connection may still bring its first request when the server is leaving, and how long a kept one its next.
const LAST_FIRST: Duration = Duration::from_secs(2);
const LAST_NEXT: Duration = Duration::from_secs(1);
/// A connection that was asked to end and does not.
const ASKED: Duration = Duration::from_secs(5);
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 58\r\n\r\nToo many connections from your address. Close some first.\n";

struct Shared {
    router: Router,
    limits: Limits,
    places: Arc<Semaphore>,
    addresses: Mutex<HashMap<IpAddr, usize>>,
    leaving: AtomicBool,
}

/// Serves until `leave` says so; then takes no more connections, answers what is under way, and returns when all are gone.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits, mut leave: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(limits.total));
    let addresses = Mutex::default();
    let shared = Arc::new(Shared { router, limits, places: Arc::clone(&places), addresses, leaving: AtomicBool::new(false) });
    loop {
        let taken = tokio::select! {
            biased;
            () = told(&mut leave) => break,
            taken = take(|| listener.accept(), &places) => taken,
        };
        let Some((stream, peer, place)) = taken else { break };
        let (shared, leave) = (Arc::clone(&shared), leave.clone());
        let Some(of_address) = OfAddress::count(&shared, peer.ip()) else {
            metrics::counter!("assay_connections_refused_total").increment(1);
            // Whoever does not read at once is not waited for.
            let _said = stream.try_write(FULL);
            continue;
        };
        tokio::spawn(async move {
            let _counted = Counted::new();
            let (_place, _of_address) = (place, of_address);
            connection(stream, peer, &shared, leave).await;
        });
    }
    shared.leaving.store(true, Ordering::SeqCst);
    // A service manager may hold the same socket for the next server: what waits in it waits for that one.
    drop(listener);
    let all = u32::try_from(limits.total).unwrap_or(u32::MAX);
    // The semaphore is never closed.
    let _gone = places.acquire_many(all).await;
}

/// Resolves when it was said to leave; never, if nobody can say it any more.
async fn told(leave: &mut watch::Receiver<bool>) {
    if leave.wait_for(|leave| *leave).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The next connection, once there is a place for it. Errors are survived.
async fn take<A: Future<Output = io::Result<(TcpStream, SocketAddr)>>>(
    accept: impl Fn() -> A,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match accept().await {
            Ok((stream, peer)) => return Some((stream, peer, place)),
            // That connection is gone; the next may be well.
            Err(error) if of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, pause_ms = SHORT_OF_ROOM.as_millis(), "no connection can be taken; is the limit of open files too low?");
                metrics::counter!("assay_accept_errors_total").increment(1);
                sleep(SHORT_OF_ROOM).await;
            }
        }
    }
}

fn of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// One connection counted to its address, until dropped.
struct OfAddress(Option<(Arc<Shared>, IpAddr)>);

impl OfAddress {
    /// `None` when there are too many from there.
    fn count(shared: &Arc<Shared>, address: IpAddr) -> Option<Self> {
        let Some(most) = shared.limits.per_address else { return Some(Self(None)) };
        let address = coarse(address);
        let mut addresses = shared.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = addresses.entry(address).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Self(Some((Arc::clone(shared), address))))
    }
}

impl Drop for OfAddress {
    fn drop(&mut self) {
        let Some((shared, address)) = &self.0 else { return };
        let mut addresses = shared.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(address);
            }
        }
    }
}

/// One subscriber's addresses count as one.
fn coarse(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or_else(|| Ipv6Addr::from(u128::from(v6) >> 64 << 64).into(), IpAddr::V4),
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // No timer for HTTP/1: with one, hyper's own time-out would end idle connections after 30 s.
    builder.http1().max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES_H2);
    builder
}

async fn connection(stream: TcpStream, peer: SocketAddr, shared: &Arc<Shared>, mut leave: watch::Receiver<bool>) {
    // Answers are small: waiting to fill a packet would only delay them.
    let _slower = stream.set_nodelay(true);
    let traffic = Arc::new(Traffic::new(&shared.limits));
    let io = TokioIo::new(Watched::new(stream, Arc::clone(&traffic)));
    let service = {
        let (shared, traffic) = (Arc::clone(shared), Arc::clone(&traffic));
        service_fn(move |request: http::Request<Incoming>| answer(request, peer, Arc::clone(&shared), Arc::clone(&traffic)))
    };
    let builder = builder();
    let mut conn = pin!(builder.serve_connection(io, service));
    let mut look = pin!(sleep_until(Instant::now()));
    let mut leaving = false;
    loop {
        let due = std::future::poll_fn(|cx| {
            if conn.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            loop {
                // After each step of the connection, since a byte that came makes the time shorter; and now and then, since
                // places may have become scarce.
                let (due, why) = traffic.due(shared.places.available_permits() < shared.limits.total / 4);
                let now = Instant::now();
                if due <= now {
                    return Poll::Ready(Some(why));
                }
                let next = due.min(now + shared.limits.idle_scarce);
                if next < look.deadline() || look.is_elapsed() {
                    look.as_mut().reset(next);
                }
                if look.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        });
        let why = tokio::select! {
            why = due => why,
            () = told(&mut leave), if !leaving => {
                leaving = true;
                if traffic.leave(LAST_FIRST, LAST_NEXT) {
                    conn.as_mut().graceful_shutdown();
                }
                continue;
            }
        };
        // Ended by itself.
        let Some(why) = why else { return };
        if why == Why::Idle {
            conn.as_mut().graceful_shutdown();
            // What is not done by then is not idle.
            let _late = timeout(ASKED, conn).await;
        } else {
            metrics::counter!("assay_connections_cut_total", "why" => why.as_str()).increment(1);
            tracing::debug!(why = why.as_str(), "a connection was cut off");
            traffic.cut();
        }
        return;
    }
}

/// One exchange: counted until the last byte of its answer is handed over.
async fn answer(
    request: http::Request<Incoming>,
    peer: SocketAddr,
    shared: Arc<Shared>,
    traffic: Arc<Traffic>,
) -> Result<http::Response<Answering>, std::convert::Infallible> {
    let version = request.version();
    let exchange = traffic.begin(version == http::Version::HTTP_2);
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    let mut response = shared.router.clone().oneshot(request).await?;
    if version != http::Version::HTTP_2 && shared.leaving.load(Ordering::SeqCst) {
        response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| Answering::new(body, exchange)))
}

/// The total that fits: as asked for, or what the limit of open files leaves after it was raised as far as it goes.
#[cfg(unix)]
pub(crate) fn fitting(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // A limit that may not be raised stays as it is, and the total is made to fit.
        let _stays = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    // The rest is for the database, the journal, mails and look-ups.
    let most = usize::try_from(files.saturating_sub(128)).unwrap_or(usize::MAX).max(16);
    if most < wanted {
        tracing::warn!(
            connections = most,
            wanted,
            files,
            "fewer connections than the settings say: the limit of open files is too low for them"
        );
    }
    wanted.min(most)
}

#[cfg(not(unix))]
pub(crate) fn fitting(wanted: usize) -> usize {
    wanted
}

#[cfg(test)]
mod tests;
