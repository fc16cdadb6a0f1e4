//! What people note down while they sit, and the figures made of it.

use std::time::Duration;

use crate::figures::{Figure, percentile_ms};

/// Kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Conditions,
    Begin,
    Page,
    Save,
    Submit,
    Result,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [Self::Conditions, Self::Begin, Self::Page, Self::Save, Self::Submit, Self::Result];

    /// Name in JSON.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Conditions => "conditions",
            Self::Begin => "begin",
            Self::Page => "view",
            Self::Save => "save",
            Self::Submit => "submit",
            Self::Result => "result",
        }
    }

    /// Name for people.
    pub(crate) fn label(self) -> &'static str {
        if self == Self::Page { "question page" } else { self.key() }
    }
}

/// One request that went as it should.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) kind: Kind,
    /// When it was due, from the start of the clock.
    pub(crate) due: Duration,
    /// From when it was due (closed loop: sent) to the last byte of the answer.
    pub(crate) took: Duration,
}

/// What one person, or all people of a round, left behind.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) readings: Vec<Reading>,
    /// Bytes of the question pages' bodies as they came over the wire, summed.
    pub(crate) view_bytes: u64,
    /// Every expectation that failed, in words.
    pub(crate) faults: Vec<String>,
    /// People who saw a result.
    pub(crate) finished: u32,
    /// Requests sent.
    pub(crate) requests: u64,
    /// Requests answered with "busy".
    pub(crate) busy: Vec<Kind>,
    /// Requests without an answer within a person's patience.
    pub(crate) unanswered: Vec<Kind>,
    /// Connections cut on purpose.
    pub(crate) cuts: u64,
    /// How late the driver itself was with what was due while its person had nothing else to do.
    pub(crate) late: Vec<Duration>,
}

impl Trace {
    /// Adds what another person left.
    pub(crate) fn add(&mut self, other: Self) {
        self.readings.extend(other.readings);
        self.view_bytes += other.view_bytes;
        self.faults.extend(other.faults);
        self.finished += other.finished;
        self.requests += other.requests;
        self.busy.extend(other.busy);
        self.unanswered.extend(other.unanswered);
        self.cuts += other.cuts;
        self.late.extend(other.late);
    }

    /// How many of a kind went as they should.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.readings.iter().filter(|reading| reading.kind == kind).count()
    }

    /// Latencies of a kind that were due in a span of time.
    pub(crate) fn latencies(&self, kind: Kind, span: &std::ops::Range<Duration>) -> Vec<Duration> {
        let wanted = |reading: &&Reading| reading.kind == kind && span.contains(&reading.due);
        self.readings.iter().filter(wanted).map(|reading| reading.took).collect()
    }

    /// Percentiles of a kind in a span of time; `phase` is its name in keys and labels, or empty.
    pub(crate) fn percentiles(&self, phase: &str, kind: Kind, span: &std::ops::Range<Duration>) -> Vec<Figure> {
        let mut took = self.latencies(kind, span);
        let count = (!took.is_empty()).then_some(took.len() as f64);
        let (start, before) = if phase.is_empty() { (String::new(), String::new()) } else { (format!("{phase}_"), format!("{phase}: ")) };
        let mut figures: Vec<Figure> = [("p50", 0.50), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)]
            .into_iter()
            .map(|(name, share)| {
                let key = format!("{start}{}_{name}_ms", kind.key());
                Figure::new(key, format!("{before}{}, {name}", kind.label()), "ms", percentile_ms(&mut took, share))
            })
            .collect();
        figures.push(Figure::new(format!("{start}{}_count", kind.key()), format!("{before}{}, count", kind.label()), "", count));
        figures
    }
}

/// All of time.
pub(crate) fn ever() -> std::ops::Range<Duration> {
    Duration::ZERO..Duration::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_belongs_to_the_phase_in_which_it_was_due() {
        let reading = |due, took| Reading { kind: Kind::Save, due: Duration::from_secs(due), took: Duration::from_millis(took) };
        let trace = Trace { readings: vec![reading(1, 5), reading(2, 7), reading(3, 9)], ..Trace::default() };
        let span = Duration::from_secs(2)..Duration::from_secs(3);
        assert_eq!(trace.latencies(Kind::Save, &span), [Duration::from_millis(7)]);
        let figures = trace.percentiles("end herd", Kind::Save, &ever());
        assert_eq!(figures.iter().map(|f| f.value).collect::<Vec<_>>(), [Some(7.0), Some(9.0), Some(9.0), Some(9.0), Some(3.0)]);
        assert!(trace.percentiles("", Kind::Page, &ever()).iter().all(|f| f.value.is_none()));
    }
}
