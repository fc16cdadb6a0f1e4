//! What the server's process has used so far, where the kernel shows it (Linux).

use std::time::Duration;

/// A reading of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// User and system time of all its threads, ended ones included, by the process's own CPU clock.
    pub(crate) cpu: Duration,
    /// How often its living threads were taken off a core or gave it up, summed.
    pub(crate) switches: u64,
    /// Largest resident memory since the process began, in bytes.
    pub(crate) peak_bytes: u64,
}

/// A process to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watched(i32);

impl Watched {
    /// The process with this id, if it can be read.
    pub(crate) fn with_pid(pid: i32) -> Option<Self> {
        Self(pid).usage().map(|_| Self(pid))
    }

    /// The process itself that asks.
    pub(crate) fn own() -> Option<Self> {
        i32::try_from(std::process::id()).ok().and_then(Self::with_pid)
    }

    /// The process that listens on the port of a URL on this machine.
    pub(crate) fn listening_at(url: &str) -> Option<Self> {
        let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next()?;
        let (host, port) = authority.rsplit_once(':')?;
        let local = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
        if local { os::listener(port.parse().ok()?).map(Self) } else { None }
    }

    /// Process id.
    pub(crate) fn pid(self) -> i32 {
        self.0
    }

    /// The cores it may run on, as `0` or `0-3`; `None` where the kernel does not show it.
    pub(crate) fn cores(self) -> Option<String> {
        os::cores(self.0)
    }

    /// What it has used so far; `None` once it is gone, or where the kernel does not show it.
    pub(crate) fn usage(self) -> Option<Usage> {
        os::usage(self.0)
    }
}

/// Time that the cores of this machine have spent idle since it started, summed, and how many cores it has.
///
/// Idle time is measured, while a kernel that accounts by ticks misses much of what busy processes use in short bursts.
pub(crate) fn idle() -> Option<(Duration, usize)> {
    os::idle()
}

/// Runs this process, and what it starts from now on, on one core.
///
/// # Errors
/// When there is no such core, or where this is not Linux.
pub(crate) fn pin(core: usize) -> Result<(), String> {
    os::pin(core)
}

/// Asks a process to end, as Ctrl-C does; `false` where that cannot be asked.
pub(crate) fn ask_to_stop(child: &std::process::Child) -> bool {
    os::ask_to_stop(child)
}

#[cfg(target_os = "linux")]
mod os {
    use std::{collections::HashSet, time::Duration};

    use nix::{time::ClockId, unistd::Pid as NixPid};
    use procfs::{
        CurrentSI as _, KernelStats,
        net::{TcpState, tcp, tcp6},
        process::{FDTarget, Process, all_processes},
    };

    use rustix::{
        process::{Pid, Signal, kill_process},
        thread::{CpuSet, sched_setaffinity},
    };

    use super::Usage;

    pub(super) fn pin(core: usize) -> Result<(), String> {
        let cannot = |why: String| format!("core {core} cannot be used alone ({why}): choose others, or leave pinning out with --no-pin");
        if core >= CpuSet::MAX_CPU {
            return Err(cannot("there is none".to_owned()));
        }
        let mut set = CpuSet::new();
        set.set(core);
        sched_setaffinity(None, &set).map_err(|e| cannot(e.to_string()))
    }

    pub(super) fn ask_to_stop(child: &std::process::Child) -> bool {
        kill_process(Pid::from_child(child), Signal::INT).is_ok()
    }

    pub(super) fn usage(pid: i32) -> Option<Usage> {
        let process = Process::new(pid).ok()?;
        let cpu = Duration::from(ClockId::pid_cpu_clock_id(NixPid::from_raw(pid)).ok()?.now().ok()?);
        let peak_kib = process.status().ok()?.vmhwm?;
        let threads = process.tasks().ok()?.filter_map(|task| task.ok()?.status().ok());
        let given_up = |s: &procfs::process::Status| s.voluntary_ctxt_switches.unwrap_or(0) + s.nonvoluntary_ctxt_switches.unwrap_or(0);
        let switches = threads.map(|status| given_up(&status)).sum();
        Some(Usage { cpu, switches, peak_bytes: peak_kib * 1024 })
    }

    pub(super) fn cores(pid: i32) -> Option<String> {
        let ranges = Process::new(pid).ok()?.status().ok()?.cpus_allowed_list?;
        let words = ranges.into_iter().map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") });
        Some(words.collect::<Vec<_>>().join(","))
    }

    pub(super) fn idle() -> Option<(Duration, usize)> {
        let stats = KernelStats::current().ok()?;
        Some((stats.total.idle_duration() + stats.total.iowait_duration().unwrap_or_default(), stats.cpu_time.len()))
    }

    pub(super) fn listener(port: u16) -> Option<i32> {
        let entries = tcp().into_iter().flatten().chain(tcp6().into_iter().flatten());
        let listening = entries.filter(|e| e.state == TcpState::Listen && e.local_address.port() == port);
        let sockets: HashSet<u64> = listening.map(|e| e.inode).collect();
        let holds = |process: &Process| {
            let fds = process.fd().into_iter().flatten().flatten();
            fds.into_iter().any(|fd| matches!(fd.target, FDTarget::Socket(inode) if sockets.contains(&inode)))
        };
        all_processes().ok()?.flatten().find(holds).map(|process| process.pid)
    }
}

#[cfg(not(target_os = "linux"))]
mod os {
    pub(super) fn pin(_core: usize) -> Result<(), String> {
        Err("pinning needs Linux; leave it out with --no-pin".to_owned())
    }

    pub(super) fn ask_to_stop(_child: &std::process::Child) -> bool {
        false
    }

    pub(super) fn usage(_pid: i32) -> Option<super::Usage> {
        None
    }

    pub(super) fn cores(_pid: i32) -> Option<String> {
        None
    }

    pub(super) fn idle() -> Option<(std::time::Duration, usize)> {
        None
    }

    pub(super) fn listener(_port: u16) -> Option<i32> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_found_by_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        assert_eq!(Watched::listening_at(&url), Watched::own());
        assert!(Watched::own().unwrap().usage().unwrap().peak_bytes > 100_000);
        assert_eq!(Watched::listening_at("http://elsewhere.example:80"), None);
        assert_eq!(Watched::with_pid(-1), None);
        assert!(idle().unwrap().1 >= 1);
        assert!(Watched::own().unwrap().cores().unwrap().starts_with(|c: char| c.is_ascii_digit()));
    }
}
