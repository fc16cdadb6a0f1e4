//! The one way out of the server: a look at a badge that somebody else published.
//!
//! What a visitor types becomes an address that this machine connects to, so everything that could reach into a private network
//! is refused: after resolving, for every address that a name stands for, and the connection goes to the addresses that were
//! judged. No redirects, no proxy from the environment, https on its own port, 3 seconds, 1 MiB.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use assay_web::{Egress, Fetched, Fetching};
use tokio::sync::Semaphore;
use ureq::{
    Agent,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

/// Longest a fetch may take, names and all.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Largest document, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;
/// Fetches at one time: more would only serve whoever wants to make this server knock at doors.
const AT_ONCE: usize = 8;

/// See the module.
pub(crate) struct Outward {
    agent: Agent,
    places: Arc<Semaphore>,
}

impl Outward {
    /// The way out as it must be.
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder()
            .https_only(true)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(TIMEOUT))
            .max_idle_connections(0)
            .http_status_as_error(false)
            .user_agent("Assay (verifies Open Badges)")
            .accept("application/vc, application/ld+json, application/json, image/png, image/svg+xml")
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::new(), PublicOnly(DefaultResolver::default()));
        Self { agent, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Egress for Outward {
    fn get<'a>(&'a self, url: &'a str) -> Fetching<'a> {
        Box::pin(async move {
            let url = judge_url(url)?;
            let Ok(_place) = Arc::clone(&self.places).try_acquire_owned() else {
                return Err("Too many look-ups are under way. Try again in a few seconds.".to_owned());
            };
            let agent = self.agent.clone();
            tokio::task::spawn_blocking(move || fetch(&agent, &url)).await.unwrap_or_else(|_| Err("The look-up broke.".to_owned()))
        })
    }
}

/// https, a host, no name or password, port 443.
fn judge_url(url: &str) -> Result<Uri, String> {
    let uri: Uri = url.trim().parse().map_err(|_| "That is not a web address.".to_owned())?;
    let authority = uri.authority().ok_or("That is not a web address: it has no host.")?;
    match () {
        () if uri.scheme_str() != Some("https") => Err("Only addresses that begin with https:// are looked up.".to_owned()),
        () if authority.as_str().contains('@') => Err("Addresses with a name or password in them are not looked up.".to_owned()),
        () if !matches!(authority.port().map(|p| p.as_str().to_owned()).as_deref(), None | Some("443"))
            || authority.as_str().ends_with(':') =>
        {
            Err("Only addresses without a port of their own (443) are looked up.".to_owned())
        }
        () => Ok(uri),
    }
}

fn fetch(agent: &Agent, url: &Uri) -> Fetched {
    let response = agent.get(url).call().map_err(|e| words(&e))?;
    match response.status().as_u16() {
        200 => response.into_body().into_with_config().limit(MAX_BYTES).read_to_vec().map_err(|e| words(&e)),
        300..400 => Err("The address leads on to another one. Give that one.".to_owned()),
        status => Err(format!("The other server answered with status {status}.")),
    }
}

fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("The other server took longer than {} seconds.", TIMEOUT.as_secs()),
        ureq::Error::BodyExceedsLimit(_) => format!("The document is larger than {} KiB.", MAX_BYTES / 1024),
        ureq::Error::HostNotFound => "There is no such host.".to_owned(),
        ureq::Error::Other(inner) if inner.is::<NotPublic>() => format!("{inner}."),
        ureq::Error::Io(e) if e.to_string().contains("lookup") => "There is no such host.".to_owned(),
        other => format!("The other server could not be reached ({other})."),
    }
}

/// A name that stands for an address which is not on the public internet.
#[derive(Debug, thiserror::Error)]
#[error("The address was refused: it leads into a private or reserved network")]
struct NotPublic;

/// Resolves once, and only to public addresses. One bad address among good ones spoils the name: that is how rebinding looks.
struct PublicOnly(DefaultResolver);

impl std::fmt::Debug for PublicOnly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PublicOnly")
    }
}

impl Resolver for PublicOnly {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let addresses = self.0.resolve(uri, config, timeout)?;
        if addresses.iter().all(|address| is_public(address.ip())) { Ok(addresses) } else { Err(ureq::Error::Other(Box::new(NotPublic))) }
    }
}

/// Blocks of the IANA IPv4 Special-Purpose Address Registry that are not globally reachable, and multicast.
const PRIVATE_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Blocks inside 2000::/3 (all that is assigned as global unicast) that lead elsewhere: protocol assignments with Teredo,
/// documentation, 6to4, documentation again. Mapped, NAT64, link-local, unique local and multicast lie outside of 2000::/3.
const PRIVATE_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address is one of the public internet. Source: the IANA special-purpose address registries (RFC 6890).
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !PRIVATE_V4.iter().any(|(block, bits)| (u32::from(v4) ^ u32::from(*block)) >> (32 - bits) == 0),
        IpAddr::V6(v6) => {
            let inside = |block: Ipv6Addr, bits: u32| (u128::from(v6) ^ u128::from(block)) >> (128 - bits) == 0;
            inside(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3) && !PRIVATE_V6.iter().any(|(block, bits)| inside(*block, *bits))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        let private = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "fe80::1",
            "fc00::1",
            "fd12:3456::1",
            "ff02::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fec0::1",
        ];
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn addresses_are_judged_before_anything_is_looked_up() {
        for bad in [
            "",
            "example.org",
            "http://example.org/",
            "ftp://example.org/",
            "https://",
            "https://a@example.org/",
            "https://example.org:8443/",
            "https://example.org:/",
            "file:///etc/passwd",
        ] {
            assert!(judge_url(bad).is_err(), "{bad}");
        }
        assert!(judge_url("https://example.org/b/1.json").is_ok());
        assert!(judge_url(" https://example.org:443/b ").is_ok());
    }

    #[tokio::test]
    async fn loopback_is_refused_under_any_name() {
        let out = Outward::new();
        for url in [
            "https://localhost/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://2130706433/",
            "https://0x7f.1/",
        ] {
            let answer = out.get(url).await.unwrap_err();
            // Some systems do not read the odd spellings as addresses at all, which is as good.
            assert!(
                answer.contains("private or reserved") || answer.contains("no such host") || answer.contains("not a web address"),
                "{url}: {answer}"
            );
        }
        assert!(out.get("https://localhost/").await.unwrap_err().contains("private or reserved"));
    }
}
