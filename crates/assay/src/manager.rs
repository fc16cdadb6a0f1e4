//! What a service manager such as systemd hands over and wants to know: sockets (`LISTEN_FDS`), `READY=1`, `STOPPING=1`, the watchdog.
//!
//! The socket stays the manager's when the server is started anew: connections wait in it, and no request fails.

use std::{net::SocketAddr, sync::Arc};

use assay_jobs::Worker;
use tokio::net::TcpListener;

use crate::failure::Failure;

/// The socket that was handed over, if one was.
#[cfg(unix)]
pub(crate) fn socket() -> Result<Option<TcpListener>, Failure> {
    let mut handed = listenfd::ListenFd::from_env();
    let cannot = |e: std::io::Error| Failure::while_doing("the socket of the service manager (LISTEN_FDS) cannot be used", e);
    if handed.len() > 1 {
        return Err(Failure::Words(format!("{} sockets were handed over (LISTEN_FDS); hand over one, for HTTP", handed.len())));
    }
    let Some(socket) = handed.take_tcp_listener(0).map_err(cannot)? else { return Ok(None) };
    socket.set_nonblocking(true).map_err(cannot)?;
    TcpListener::from_std(socket).map(Some).map_err(cannot)
}

#[cfg(not(unix))]
pub(crate) fn socket() -> Result<Option<TcpListener>, Failure> {
    Ok(None)
}

/// A socket that others can reach where only this machine may.
pub(crate) fn refuse_open(listener: &TcpListener, public_url: &str) -> Result<(), Failure> {
    let address: SocketAddr = listener.local_addr().map_err(|e| Failure::while_doing("the address is not known", e))?;
    if public_url.starts_with("https://") || address.ip().is_loopback() {
        return Ok(());
    }
    Err(Failure::Words(format!(
        "the socket that was handed over is {address}, which other machines can reach, and `public_url` is plain http: let it listen on 127.0.0.1, or put TLS in front"
    )))
}

/// Tells the service manager, where there is one.
#[cfg(unix)]
fn notify(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

/// Requests are answered from now on; then tells again and again that it is so, where a watchdog asks for it.
#[cfg(unix)]
pub(crate) async fn ready(worker: Arc<Worker>) {
    notify(sd_notify::NotifyState::Ready);
    let Some(limit) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    loop {
        match worker.silence() {
            None => notify(sd_notify::NotifyState::Watchdog),
            Some(words) => tracing::error!(words, "the watchdog is not told that all is well"),
        }
        tokio::time::sleep(limit / 3).await;
    }
}

#[cfg(not(unix))]
pub(crate) async fn ready(_worker: Arc<Worker>) {
    std::future::pending().await
}

/// No more connections are taken.
#[cfg(unix)]
pub(crate) fn stopping() {
    notify(sd_notify::NotifyState::Stopping);
}

#[cfg(not(unix))]
pub(crate) fn stopping() {}
