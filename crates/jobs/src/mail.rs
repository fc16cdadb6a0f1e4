//! Sending mail: over SMTP, or into the demonstration's outbox.

use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use assay_core::{UtcMillis, mail::Mail};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    message::{Attachment, Mailbox, MultiPart, SinglePart, header::ContentType},
};

/// A mail was not handed over. The words hold no address.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The address cannot be put into a mail: it will never be sent.
    #[error("the mail cannot be written: {0}")]
    Unwritable(String),
    /// The server did not take it now: try again.
    #[error("the mail server did not take it: {0}")]
    NotTaken(String),
    /// The server says that it never will: worth some tries, since servers are also wrongly set up for a while.
    #[error("the mail server refuses it: {0}")]
    Refused(String),
}

/// A send in progress.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), MailError>> + Send + 'a>>;

/// Where mails go. `id` is the same for every try of one mail.
pub trait Mailer: Send + Sync {
    /// Hands one mail over.
    fn send<'a>(&'a self, id: &'a str, mail: &'a Mail, at: UtcMillis) -> Sending<'a>;
}

/// A real mail server.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    host: String,
}

impl SmtpMailer {
    /// A server by URL (`smtp://host:25`, `smtp://user:password@host:587?tls=required`, `smtps://host`) and the sender's address.
    ///
    /// # Errors
    /// When the URL or the address cannot be read.
    pub fn new(url: &str, from: &str) -> Result<Self, String> {
        let from: Mailbox = from.parse().map_err(|e| format!("the sender “{from}” is not a mail address: {e}"))?;
        let transport =
            AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|e| format!("the mail server's URL cannot be read: {e}"))?;
        let host = from.email.domain().to_owned();
        Ok(Self { transport: transport.timeout(Some(Duration::from_secs(20))).build(), from, host })
    }

    /// Says hello to the server, with TLS and the password where the URL has them, and mails nothing.
    ///
    /// # Errors
    /// What went wrong, in words without an address.
    pub async fn greet(&self) -> Result<(), String> {
        match self.transport.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("it does not want to talk".to_owned()),
            Err(error) => Err(error.status().map_or_else(|| kind(&error).to_owned(), |code| format!("it answered {code}"))),
        }
    }

    fn message(&self, id: &str, mail: &Mail) -> Result<lettre::Message, MailError> {
        let unwritable = |e: &dyn std::fmt::Display| MailError::Unwritable(e.to_string());
        let to: Mailbox = mail.to.parse().map_err(|_| MailError::Unwritable("the address".into()))?;
        let builder = lettre::Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(&mail.subject)
            .message_id(Some(format!("<{id}@{}>", self.host)));
        let text = SinglePart::plain(mail.text.clone());
        let message = match &mail.calendar {
            None => builder.singlepart(text),
            Some(file) => {
                let kind = ContentType::parse("text/calendar; charset=utf-8").map_err(|e| unwritable(&e))?;
                builder.multipart(
                    MultiPart::mixed().singlepart(text).singlepart(Attachment::new("next-try.ics".into()).body(file.clone(), kind)),
                )
            }
        };
        message.map_err(|e| unwritable(&e))
    }
}

impl Mailer for SmtpMailer {
    fn send<'a>(&'a self, id: &'a str, mail: &'a Mail, _at: UtcMillis) -> Sending<'a> {
        Box::pin(async move {
            let message = self.message(id, mail)?;
            // What a server answers may repeat the address; only its number is kept.
            let words =
                |e: &lettre::transport::smtp::Error| e.status().map_or_else(|| kind(e).to_owned(), |code| format!("it answered {code}"));
            self.transport.send(message).await.map(drop).map_err(|e| match e.is_permanent() {
                true => MailError::Refused(words(&e)),
                false => MailError::NotTaken(words(&e)),
            })
        })
    }
}

fn kind(error: &lettre::transport::smtp::Error) -> &'static str {
    match () {
        () if error.is_timeout() => "it did not answer in time",
        () if error.is_tls() => "the encrypted connection failed",
        () if error.is_client() => "the conversation with it failed",
        () => "it could not be reached",
    }
}

/// The demonstration's mail box: mails are shown on a page, the newest first.
#[derive(Debug, Default)]
pub struct Outbox(Mutex<Vec<(UtcMillis, Mail)>>);

impl Outbox {
    /// Most mails kept.
    const KEEP: usize = 200;

    /// What was sent, newest first.
    pub fn mails(&self) -> Vec<(UtcMillis, Mail)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }
}

impl Mailer for Outbox {
    fn send<'a>(&'a self, _id: &'a str, mail: &'a Mail, at: UtcMillis) -> Sending<'a> {
        Box::pin(async move {
            let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            mails.push((at, mail.clone()));
            let over = mails.len().saturating_sub(Self::KEEP);
            mails.drain(..over);
            Ok(())
        })
    }
}
