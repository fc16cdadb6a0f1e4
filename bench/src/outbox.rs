//! The demo's mails, read by all people of a run together: one look at the page serves everybody who waits.

use std::{collections::HashMap, time::Duration};

use tokio::{
    sync::{Mutex, Semaphore, SemaphorePermit},
    time::sleep,
};

use crate::client::{Client, Trouble, now};

/// How long somebody waits for a mail.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many wait for a mail at once. The demo keeps the last 200 mails: half of that, and nobody misses one.
const WAITING: usize = 100;

/// Sign-in links seen so far, by address.
pub(crate) struct Outbox {
    inner: Mutex<(Client, HashMap<String, String>)>,
    waiting: Semaphore,
}

impl Outbox {
    pub(crate) fn new(url: &str) -> Self {
        Self { inner: Mutex::new((Client::new(url, None), HashMap::new())), waiting: Semaphore::new(WAITING) }
    }

    /// Waits until few enough others wait for a mail; held from asking for the link until having it.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Never closed, so there is always a turn.
        self.waiting.acquire().await.ok()
    }

    /// Waits for the sign-in link that was mailed to an address: the path `/sign-in/{token}`.
    pub(crate) async fn link(&self, address: &str) -> Result<String, Trouble> {
        const WHAT: &str = "outbox";
        let started = now();
        let mut pause = Duration::from_millis(20);
        loop {
            {
                let mut inner = self.inner.lock().await;
                let (client, seen) = &mut *inner;
                if !seen.contains_key(address) {
                    let page = client.get(WHAT, "/demo/outbox").await?.expect_status(WHAT, 200)?;
                    // The newest mail stands first, so the first one seen for an address is the one that counts.
                    links(&page.text).into_iter().for_each(|(to, link)| _ = seen.entry(to).or_insert(link));
                }
                if let Some(link) = seen.get(address) {
                    return Ok(link.clone());
                }
            }
            if started.elapsed() > PATIENCE {
                let expected = format!("a mail to {address} with a link within {} s", PATIENCE.as_secs());
                return Err(Trouble::Unexpected { what: WHAT.to_owned(), expected, got: "none".to_owned(), status: 200 });
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }
}

/// Every sign-in link of the page with the address that stands last before it.
fn links(page: &str) -> Vec<(String, String)> {
    const PATH: &str = "/sign-in/";
    let mut found: Vec<(String, String)> = Vec::new();
    for (at, _) in page.match_indices(PATH) {
        let rest = &page[at + PATH.len()..];
        let token = &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_')).unwrap_or(rest.len())];
        if let Some(to) = address_before(&page[..at])
            && !token.is_empty()
        {
            found.push((to.to_owned(), format!("{PATH}{token}")));
        }
    }
    found
}

/// The last address of the driver's own people in a text; the sender's address is none of them.
fn address_before(text: &str) -> Option<&str> {
    let start = text.rfind(crate::person::ADDRESS_START)?;
    let rest = &text[start..];
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.' | '@')).unwrap_or(rest.len());
    Some(rest[..end].trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_link_goes_to_the_address_before_it() {
        let page = "<h2>To bench-1-2@example.org</h2><p>From assay@example.org <a href=\"http://h:1/sign-in/AbC-_9\">http://h:1/sign-in/AbC-_9</a>\
            <h2>To bench-1-3@example.org.</h2> http://h:1/sign-in/zzz and <h2>To: bench-9@example.org</h2>";
        let found = links(page);
        assert_eq!(found.first().unwrap(), &("bench-1-2@example.org".to_owned(), "/sign-in/AbC-_9".to_owned()));
        assert_eq!(found.last().unwrap(), &("bench-1-3@example.org".to_owned(), "/sign-in/zzz".to_owned()));
        assert_eq!(links("/sign-in/x <a href=/sign-in/>"), Vec::new());
    }
}
