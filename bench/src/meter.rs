//! What a stretch of time cost: readings of the server, the driver and the machine around it.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::{
    client::now,
    figures::Figure,
    process::{Usage, Watched, idle},
};

/// Longest wait for the server to have nothing left to do.
const SETTLE: Duration = Duration::from_secs(10);
/// CPU in a tenth of a second up to which a server has nothing to do: timers that look for work. One that takes more is waited for as long as
/// `SETTLE` says.
const IDLE: Duration = Duration::from_millis(1);
/// Share of its core from which on the driver measures itself.
const DRIVER_MOST: f64 = 0.9;
/// Lateness of its schedule, at the 99th percentile, from which on the driver measures itself.
const LATE_MOST_MS: f64 = 10.0;

/// Runs from its start to [`Meter::stop`].
pub(crate) struct Meter {
    server: Option<Watched>,
    server_before: Option<Usage>,
    own_before: Option<Usage>,
    idle_before: Option<(Duration, usize)>,
    /// When the clock started.
    pub(crate) started: Instant,
}

/// What it read. Seconds are CPU seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// Of the server until the clock stopped.
    server_busy: Option<f64>,
    /// Of the server until it was idle again.
    pub(crate) server: Option<f64>,
    switches: Option<f64>,
    own: Option<f64>,
    /// Of the whole machine.
    machine: Option<f64>,
    peak_bytes: Option<u64>,
}

impl Meter {
    /// Waits until the server has nothing left to do, then starts the clock.
    pub(crate) async fn start(server: Option<Watched>) -> Self {
        let server_before = settled(server).await;
        let own_before = Watched::own().and_then(Watched::usage);
        Self { server, server_before, own_before, idle_before: idle(), started: now() }
    }

    /// Stops the clock, and waits for what the server still has to do, so that it is counted to the people who caused it.
    pub(crate) async fn stop(self) -> Cost {
        let wall = self.started.elapsed();
        let (own, idle_after, at_end) = (Watched::own().and_then(Watched::usage), idle(), self.server.and_then(Watched::usage));
        let after = settled(self.server).await;
        let switches = self.server_before.zip(after).map(|(before, after)| after.switches.saturating_sub(before.switches) as f64);
        Cost {
            wall,
            server_busy: spent(self.server_before, at_end),
            server: spent(self.server_before, after),
            switches,
            own: spent(self.own_before, own),
            machine: busy(self.idle_before, idle_after, wall),
            peak_bytes: after.map(|usage| usage.peak_bytes),
        }
    }
}

impl Cost {
    /// CPU of the server for each of so many; `None` for none of them.
    pub(crate) fn server_each(&self, count: f64) -> Option<f64> {
        self.server.filter(|_| count > 0.0).map(|cpu| cpu / count)
    }

    /// How much of one core the driver kept busy.
    pub(crate) fn driver_cores(&self) -> Option<f64> {
        self.own.map(|s| s / self.wall.as_secs_f64())
    }

    /// The rows of cost, for so many finished attempts and requests.
    pub(crate) fn figures(&self, finished: f64, requests: f64) -> Vec<Figure> {
        let wall = self.wall.as_secs_f64();
        let others = self.machine.zip(self.server_busy).zip(self.own).map(|((all, server), own)| all - server - own);
        let per = |value: Option<f64>, count: f64| value.map(|value| value / count);
        vec![
            Figure::new("server_cpu_s_per_attempt", "server CPU per attempt", "s", per(self.server, finished)),
            Figure::new("server_cpu_ms_per_request", "server CPU per request", "ms", per(self.server, requests).map(|s| s * 1000.0)),
            Figure::new("server_switches_per_request", "server context switches per request", "", per(self.switches, requests)),
            Figure::new("driver_cpu_s_per_attempt", "driver CPU per attempt", "s", per(self.own, finished)),
            Figure::new("server_cores", "server CPU, share of one core", "cores", self.server_busy.map(|s| s / wall)),
            Figure::new("driver_cores", "driver CPU, share of one core", "cores", self.driver_cores()),
            Figure::new("others_cores", "all else on the machine", "cores", others.map(|s| s.max(0.0) / wall)),
            Figure::new("server_peak_rss_mib", "server peak memory", "MiB", self.peak_bytes.map(|b| b as f64 / (1024.0 * 1024.0))),
        ]
    }
}

/// Words when the figures are more the driver's than the server's.
pub(crate) fn bottleneck(driver_cores: Option<f64>, late_p99_ms: Option<f64>) -> Option<String> {
    let busy = driver_cores.filter(|cores| *cores > DRIVER_MOST).map(|cores| format!("kept {cores:.2} of one core busy"));
    let late = late_p99_ms.filter(|ms| *ms > LATE_MOST_MS).map(|ms| format!("was {ms:.1} ms late with what was due (p99)"));
    let words = [busy, late].into_iter().flatten().collect::<Vec<_>>().join(" and ");
    (!words.is_empty()).then(|| {
        format!("The driver {words}: latencies are the driver's as much as the server's. Give it a core of its own, or play fewer people.")
    })
}

/// CPU seconds that the machine was not idle between two readings.
fn busy(before: Option<(Duration, usize)>, after: Option<(Duration, usize)>, wall: Duration) -> Option<f64> {
    let ((before, cores), (after, _)) = (before?, after?);
    Some(wall.as_secs_f64() * cores as f64 - after.saturating_sub(before).as_secs_f64())
}

/// CPU seconds between two readings.
fn spent(before: Option<Usage>, after: Option<Usage>) -> Option<f64> {
    Some(after?.cpu.saturating_sub(before?.cpu).as_secs_f64())
}

/// Waits until the server has used next to no CPU for three tenths of a second, so that jobs after the answer (mails, badges) are
/// counted to the people who caused them; then reads it.
async fn settled(server: Option<Watched>) -> Option<Usage> {
    let started = now();
    let mut last = server?.usage()?;
    let mut quiet = 0;
    while quiet < 3 && started.elapsed() < SETTLE {
        sleep(Duration::from_millis(100)).await;
        let reading = server?.usage()?;
        quiet = if reading.cpu.saturating_sub(last.cpu) <= IDLE { quiet + 1 } else { 0 };
        last = reading;
    }
    Some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_is_the_bottleneck_says_so() {
        assert_eq!(bottleneck(Some(0.5), Some(3.0)), None);
        assert_eq!(bottleneck(None, None), None);
        assert!(bottleneck(Some(0.95), None).unwrap().contains("0.95 of one core"));
        assert!(bottleneck(Some(0.95), Some(12.0)).unwrap().contains("busy and was 12.0 ms late"));
    }
}
