//! What goes over one connection, and until when it must go on.

use std::{
    collections::BTreeMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};

use super::Limits;

/// Slowest that an answer may be taken once the grace is used up: 500 bytes a second.
const PER_BYTE: Duration = Duration::from_millis(2);

/// Why a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Nothing more came, which is no fault.
    Idle,
    /// The head of a request came too slowly.
    SlowHead,
    /// The answer is taken too slowly.
    SlowRead,
    /// An exchange never ended.
    TooLong,
}

impl Why {
    /// For figures.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::SlowHead => "slow-head",
            Self::SlowRead => "slow-read",
            Self::TooLong => "too-long",
        }
    }
}

#[derive(Debug)]
struct State {
    /// When the connection was made, or its last exchange ended.
    quiet_since: Instant,
    /// First byte since then.
    heard: Option<Instant>,
    /// Exchanges so far; the next one's number.
    exchanges: u64,
    /// Under way, by number, with their beginnings.
    running: BTreeMap<u64, Instant>,
    /// Several requests at once on one connection: bytes between requests mean nothing.
    multiplexed: bool,
    /// Bytes of an answer wait to be taken until then.
    stalled_until: Option<Instant>,
    /// Once the server leaves: until when a request may still come.
    last_call: Option<Instant>,
    /// Ended by force: what the kernel still holds for the other end is thrown away.
    cut: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Traffic {
    state: Mutex<State>,
    head: Duration,
    idle: Duration,
    idle_scarce: Duration,
    stall: Duration,
    exchange: Duration,
}

impl Traffic {
    pub(super) fn new(limits: &Limits) -> Self {
        let state = State {
            quiet_since: Instant::now(),
            heard: None,
            exchanges: 0,
            running: BTreeMap::new(),
            multiplexed: false,
            stalled_until: None,
            last_call: None,
            cut: false,
        };
        let Limits { head, idle, idle_scarce, stall, exchange, .. } = *limits;
        Self { state: Mutex::new(state), head, idle, idle_scarce, stall, exchange }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when the connection must have moved on, or else why it ends. An idle one is looked at again now and then, since
    /// places may become scarce.
    pub(super) fn due(&self, scarce: bool) -> (Instant, Why) {
        let state = self.state();
        let waiting = match (state.running.first_key_value(), state.heard) {
            (Some((_, began)), _) => (*began + self.exchange, Why::TooLong),
            (None, Some(heard)) if !state.multiplexed => (heard + self.head, Why::SlowHead),
            (None, _) if state.last_call.is_some() => (state.last_call.unwrap_or(state.quiet_since), Why::Idle),
            (None, _) if state.exchanges == 0 => (state.quiet_since + self.head, Why::SlowHead),
            (None, _) if scarce => (state.quiet_since + self.idle_scarce, Why::Idle),
            (None, _) => (state.quiet_since + self.idle, Why::Idle),
        };
        match state.stalled_until {
            Some(until) if until < waiting.0 => (until, Why::SlowRead),
            _ => waiting,
        }
    }

    /// The server leaves: `true` when what is under way shall be the last, otherwise one more request may come for a moment.
    pub(super) fn leave(&self, first: Duration, next: Duration) -> bool {
        let mut state = self.state();
        state.last_call = Some(Instant::now() + if state.exchanges == 0 { first } else { next });
        state.multiplexed || !state.running.is_empty()
    }

    /// The connection is ended by force.
    pub(super) fn cut(&self) {
        self.state().cut = true;
    }

    /// A request's head is there.
    pub(super) fn begin(self: &Arc<Self>, multiplexed: bool) -> Exchange {
        let mut state = self.state();
        state.multiplexed |= multiplexed;
        state.heard = None;
        let number = state.exchanges;
        state.exchanges += 1;
        state.running.insert(number, Instant::now());
        Exchange { traffic: Arc::clone(self), number }
    }

    fn heard(&self) {
        let mut state = self.state();
        if state.running.is_empty() && state.heard.is_none() {
            // The first head's time began with the connection.
            state.heard = Some(if state.exchanges == 0 { state.quiet_since } else { Instant::now() });
        }
    }

    /// `written` of `offered` bytes were taken; none of them when it must be waited for.
    fn sent(&self, written: Option<usize>, offered: usize) {
        let mut state = self.state();
        let now = Instant::now();
        state.stalled_until = match written {
            Some(written) if written >= offered => None,
            Some(written) => {
                let credit = PER_BYTE.saturating_mul(u32::try_from(written).unwrap_or(u32::MAX));
                Some((state.stalled_until.unwrap_or(now + self.stall) + credit).min(now + self.stall))
            }
            None => Some(state.stalled_until.unwrap_or(now + self.stall)),
        };
    }
}

/// A request and its answer; ends when dropped.
#[derive(Debug)]
pub(super) struct Exchange {
    traffic: Arc<Traffic>,
    number: u64,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut state = self.traffic.state();
        state.running.remove(&self.number);
        if state.running.is_empty() {
            state.quiet_since = Instant::now();
        }
    }
}

/// An answer's body, which ends its exchange.
#[derive(Debug)]
pub(super) struct Answering {
    body: Body,
    _exchange: Exchange,
}

impl Answering {
    pub(super) fn new(body: Body, exchange: Exchange) -> Self {
        Self { body, _exchange: exchange }
    }
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that tells what goes over it.
#[derive(Debug)]
pub(super) struct Watched {
    stream: TcpStream,
    traffic: Arc<Traffic>,
}

impl Watched {
    pub(super) fn new(stream: TcpStream, traffic: Arc<Traffic>) -> Self {
        Self { stream, traffic }
    }

    fn told(&self, result: Poll<io::Result<usize>>, offered: usize) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(Ok(written)) => self.traffic.sent(Some(*written), offered),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.traffic.sent(None, offered),
        }
        result
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.traffic.state().cut {
            // Else the kernel would keep a slow reader's answer for minutes more.
            let _kept = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.traffic.heard();
        }
        result
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.told(result, buf.len())
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.told(result, bufs.iter().map(|buf| buf.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Counts a connection while it is open.
pub(super) struct Counted(());

impl Counted {
    pub(super) fn new() -> Self {
        metrics::gauge!("assay_connections_open").increment(1);
        Self(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("assay_connections_open").decrement(1);
    }
}
