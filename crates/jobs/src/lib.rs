//! Work after the answer: sign a badge, send a mail, fold exposure counts, close attempts whose time ran out.
//!
//! Jobs are rows that were written in the transaction that decided on them. A worker leases them, does them, finishes them;
//! every handler may run any number of times and leaves the same effect. Mails have a lane of their own, so that a mail server
//! that hangs never holds up a badge.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests"))]

/// A named place where fault tests stop the program or make a step fail. The program is built without.
macro_rules! fail_point {
    ($name:literal $(, $refuse:expr)?) => {
        #[cfg(feature = "failpoints")]
        fail::fail_point!($name $(, $refuse)?);
    };
}

mod issue;
mod journal;
mod lines;
mod mail;
mod revoked;
mod vitals;
mod worker;

pub use journal::{Entry, Event, FileJournal, Journal, JournalError, LeftOut, ReadError, Reading, Signing, extends, facts, read};
pub use mail::{MailError, Mailer, Outbox, Sending, SmtpMailer};
pub use worker::{Worker, WorkerParts};
