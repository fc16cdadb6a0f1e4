//! `assay.toml`: read as a whole, every fault with its line and what to write instead.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use assay_core::programme::{Entry, EntryRule};
use assay_items::{
    fault::{Fault, Lines, Located, is_slug, text_of},
    fields::{Fields, Node, Value},
};
use assay_store::{Promise, Store, StoreError};
use axum::http::Uri;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{connections, folder::DataFolder, logging};

/// The largest settings file, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// What `serve` runs by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// The data folder.
    pub(crate) data: PathBuf,
    /// The PostgreSQL database, if it is not the embedded one in the data folder.
    pub(crate) server: Option<(String, Promise)>,
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// Public address, without a slash at the end.
    pub(crate) public_url: String,
    /// Its host, with the port if it has one: the name in `did:web`.
    pub(crate) host: String,
    /// The client's address is in `X-Forwarded-For`.
    pub(crate) behind_proxy: bool,
    /// Most connections at one time.
    pub(crate) connections: usize,
    /// Of these, from one address.
    pub(crate) connections_per_address: usize,
    /// What log lines look like.
    pub(crate) log: logging::Form,
    /// Where figures are read; nowhere, if not set.
    pub(crate) metrics: Option<SocketAddr>,
    /// Name for people.
    pub(crate) issuer_name: String,
    /// Name in the database, never to be changed.
    pub(crate) issuer_slug: String,
    /// How people reach the issuer.
    pub(crate) contact: String,
    /// The mail server's URL.
    pub(crate) smtp_url: String,
    /// Sender of mails.
    pub(crate) smtp_from: String,
    /// Programmes' folders.
    pub(crate) packs: Vec<PathBuf>,
    /// Entry rules that stand in for the packs' own, by programme.
    pub(crate) entry: Vec<(Located<String>, EntryChange)>,
}

/// What the settings change in a programme's entry rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EntryChange {
    who: Option<EntryRule>,
    tries_a_year: Option<u16>,
    pool_share_percent: Option<u8>,
}

impl EntryChange {
    /// The entry rules with the changes in them.
    pub(crate) fn apply(&self, entry: &mut Entry) {
        if let Some(who) = &self.who {
            entry.who = who.clone();
        }
        entry.tries_a_year = self.tries_a_year.or(entry.tries_a_year);
        entry.pool_share_percent = self.pool_share_percent.unwrap_or(entry.pool_share_percent);
    }
}

/// Settings that cannot be followed.
#[derive(Debug)]
pub(crate) struct SettingsError {
    file: String,
    faults: Vec<Fault>,
}

impl std::error::Error for SettingsError {}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings cannot be followed:")?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n  {}:{}: {}; {}", self.file, fault.line, fault.what, fault.instead))
    }
}

impl SettingsError {
    /// One fault that was found outside of this file's reading.
    pub(crate) fn one(file: &Path, line: u32, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { file: file.display().to_string(), faults: vec![Fault::new(line, what, instead)] }
    }
}

impl Settings {
    /// Reads a file. Paths in it are relative to its folder.
    pub(crate) fn read(file: &Path) -> Result<Self, SettingsError> {
        let bytes = std::fs::read(file).map_err(|e| {
            SettingsError::one(file, 1, format!("the file cannot be read ({e})"), "name it with --config; README.md has an example")
        })?;
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        Self::from_bytes(&bytes, &folder).map_err(|mut faults| {
            faults.sort();
            SettingsError { file: file.display().to_string(), faults }
        })
    }

    /// Opens the database: the one that is named, or the embedded one in the data folder.
    pub(crate) async fn open_store(&self, folder: &DataFolder) -> Result<Store, StoreError> {
        match &self.server {
            Some((url, promise)) => Store::open_postgres(url, *promise).await,
            None => Store::open_sqlite(&folder.database()).await,
        }
    }

    fn from_bytes(bytes: &[u8], folder: &Path) -> Result<Self, Vec<Fault>> {
        let text = text_of(bytes, MAX_BYTES)?;
        let root = parse(&text)?;
        let mut faults = Vec::new();
        let known = [
            "data",
            "listen",
            "public_url",
            "behind_proxy",
            "database",
            "durability",
            "connections",
            "connections_per_address",
            "log",
            "metrics",
            "packs",
            "issuer",
            "smtp",
            "entry",
        ];
        let mut fields = Fields::new("the file", &root, &known, &mut faults);
        let data = fields.required_text("data", "the folder for database and keys, such as \"data\"");
        let listen = fields.required_text("listen", "such as \"127.0.0.1:8080\"");
        let listen = listen.and_then(|found| read_address("listen", &found, &mut fields));
        let server = read_database(&mut fields);
        let public = fields.required_text("public_url", "such as \"https://badges.example.org\"");
        let public = public.and_then(|found| read_public_url(&found, &mut fields));
        let behind_proxy = fields.flag("behind_proxy").unwrap_or(false);
        let mut count =
            |name, else_so: usize| fields.whole(name, 1, 1_000_000).and_then(|found| usize::try_from(found.value).ok()).unwrap_or(else_so);
        let connections = count("connections", connections::TOTAL);
        let connections_per_address = count("connections_per_address", connections::PER_ADDRESS);
        let log = fields.text("log").map_or(logging::Form::Text, |found| read_log(&found, &mut fields));
        let metrics = fields.text("metrics").and_then(|found| read_address("metrics", &found, &mut fields)).map(|(_, address)| address);
        let packs = fields.required_texts("packs", "the programmes' folders, such as [\"packs/serverless\"]");
        let (issuer, smtp, entry) = (fields.required_table("issuer"), fields.required_table("smtp"), fields.get("entry"));
        if let (Some((listen_line, listen)), Some(public)) = (&listen, &public)
            && !public.https
            && !listen.ip().is_loopback()
        {
            let what = format!(
                "`listen` is {listen}, which other machines can reach, and `public_url` is plain http: whoever is on the way could read sign-in links and session cookies"
            );
            fields.fault(*listen_line, what, "listen on 127.0.0.1, or put TLS in front and write the https address as `public_url`");
        }
        let issuer = issuer.and_then(|node| read_issuer(node, &mut faults));
        let smtp = smtp.and_then(|node| read_smtp(node, &mut faults));
        let entry = entry.map_or(Some(Vec::new()), |node| read_entries(node, &mut faults));
        if !faults.is_empty() {
            return Err(faults);
        }
        let whole = || {
            let (issuer, (smtp_url, smtp_from), public) = (issuer?, smtp?, public?);
            Some(Self {
                data: folder.join(data?.value),
                server: server?,
                listen: listen?.1,
                public_url: public.url,
                host: public.host,
                behind_proxy,
                connections,
                connections_per_address,
                log,
                metrics,
                issuer_name: issuer.0,
                issuer_slug: issuer.1,
                contact: issuer.2,
                smtp_url,
                smtp_from,
                packs: packs.iter().map(|pack| folder.join(&pack.value)).collect(),
                entry: entry?,
            })
        };
        whole().ok_or_else(|| vec![Fault::new(1, "the settings are not complete", "compare them with the example in README.md")])
    }
}

fn read_log(found: &Located<String>, fields: &mut Fields<'_, '_>) -> logging::Form {
    match found.value.as_str() {
        "json" => logging::Form::Json,
        "text" => logging::Form::Text,
        other => {
            fields.fault(found.line, format!("`log` is “{other}”"), "write \"text\" or \"json\"");
            logging::Form::Text
        }
    }
}

/// `database` and `durability`; `None` after a fault.
fn read_database(fields: &mut Fields<'_, '_>) -> Option<Option<(String, Promise)>> {
    let (database, durability) = (fields.text("database"), fields.text("durability"));
    let is_server = |url: &str| url.starts_with("postgres://") || url.starts_with("postgresql://");
    let odd = database.as_ref().filter(|found| !is_server(&found.value));
    if let Some(odd) = odd {
        // Not repeated in words: a mistyped URL may hold a password.
        let instead = "write \"postgres://user:password@host/database\", or delete the line for the embedded database in the data folder";
        fields.fault(odd.line, "`database` is not a PostgreSQL URL", instead);
    }
    let promise = match durability.as_ref().map(|found| found.value.as_str()) {
        None | Some("disk") => Some(Promise::Disk),
        Some("standby") if database.is_some() => Some(Promise::Standby),
        Some("standby") => {
            let what = "`durability` is “standby”, and there is no `database` that could have one";
            fields.fault(fields.line_of("durability"), what, "name a PostgreSQL database, or delete the line");
            None
        }
        Some(other) => {
            let instead = "write \"disk\", or \"standby\" where every answer must outlive the database server";
            fields.fault(fields.line_of("durability"), format!("`durability` is “{other}”"), instead);
            None
        }
    };
    let (promise, None) = (promise?, odd) else { return None };
    Some(database.map(|found| (found.value, promise)))
}

fn read_address(name: &str, found: &Located<String>, fields: &mut Fields<'_, '_>) -> Option<(u32, SocketAddr)> {
    match found.value.parse() {
        Ok(address) => Some((found.line, address)),
        Err(_) => {
            fields.fault(
                found.line,
                format!("`{name}` is “{}”, which is not an address with a port", found.value),
                "write an IP address and a port, such as \"127.0.0.1:8080\" or \"[::]:8080\"",
            );
            None
        }
    }
}

struct PublicUrl {
    url: String,
    host: String,
    https: bool,
}

fn read_public_url(found: &Located<String>, fields: &mut Fields<'_, '_>) -> Option<PublicUrl> {
    let example = "write the address people will type, without a path, such as \"https://badges.example.org\"";
    let trimmed = found.value.trim_end_matches('/');
    let uri: Option<Uri> = trimmed.parse().ok();
    let parts = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?, uri.path(), uri.query())));
    let Some((scheme @ ("http" | "https"), authority, "" | "/", None)) = parts else {
        fields.fault(found.line, format!("`public_url` is “{}”", found.value), example);
        return None;
    };
    let port = authority.as_str().rsplit_once(']').map_or(authority.as_str(), |(_, rest)| rest).rsplit_once(':').map(|(_, port)| port);
    if let Some(port) = port.filter(|port| !port.is_empty() && !port.parse::<u16>().is_ok_and(|port| port > 0)) {
        fields.fault(
            found.line,
            format!("`public_url` has the port {port}, which no address can have"),
            "write a port of 1 to 65535, or none",
        );
        return None;
    }
    let odd = authority.as_str().contains('@') || authority.host().is_empty() || authority.as_str().ends_with(':');
    if odd {
        fields.fault(found.line, format!("`public_url` is “{}”", found.value), example);
        return None;
    }
    if scheme == "http" && !is_loopback(authority.host()) {
        let what = format!(
            "`public_url` is plain http to {}: whoever is on the way could read sign-in links and session cookies, and change pages and badges",
            authority.host()
        );
        fields.fault(
            found.line,
            what,
            "put TLS in front (a reverse proxy such as Caddy) and write the https address; plain http is for 127.0.0.1 and localhost",
        );
        return None;
    }
    let host = authority.as_str().to_ascii_lowercase();
    Some(PublicUrl { url: format!("{scheme}://{host}"), host, https: scheme == "https" })
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn read_issuer(node: &Node, faults: &mut Vec<Fault>) -> Option<(String, String, String)> {
    let mut fields = Fields::new("[issuer]", node, &["name", "slug", "contact"], faults);
    let name = fields.required_text("name", "who issues the badges, as people know it");
    let slug = fields.required_text("slug", "a short name for the database that never changes, such as \"example-org\"");
    let contact = fields.required_text("contact", "how people reach you, such as \"badges@example.org\"");
    if let Some(slug) = slug.as_ref().filter(|slug| !is_slug(&slug.value)) {
        fields.fault(
            slug.line,
            format!("`slug` is “{}”", slug.value),
            "write lower-case letters, digits and single hyphens, such as \"example-org\"",
        );
        return None;
    }
    if let Some(odd) = contact.as_ref().filter(|found| found.value.chars().any(char::is_control)) {
        fields.fault(
            odd.line,
            format!("`contact` is “{}”", odd.value.escape_debug()),
            "write how people reach you on one line: it stands on every page and in mails",
        );
        return None;
    }
    Some((name?.value, slug?.value, contact?.value))
}

fn read_smtp(node: &Node, faults: &mut Vec<Fault>) -> Option<(String, String)> {
    let mut fields = Fields::new("[smtp]", node, &["url", "from"], faults);
    let url = fields.required_text("url", "such as \"smtps://user:password@mail.example.org\"");
    let from = fields.required_text("from", "the sender, such as \"Badges <badges@example.org>\"");
    let (url, from) = (url?, from?);
    // Sign-in links open accounts: they cross no network in clear.
    let host =
        url.value.strip_prefix("smtp://").map(|rest| rest.rsplit('@').next().unwrap_or(rest).split(['/', '?']).next().unwrap_or_default());
    let host = host.map(|h| h.rsplit_once(':').map_or(h, |(name, _)| name).trim_matches(['[', ']']));
    if host.is_some_and(|h| !is_loopback(h)) && !url.value.contains("tls=required") {
        fields.fault(
            url.line,
            "mails would cross the network without encryption",
            "write smtps://… or smtp://…?tls=required; plain smtp:// is for a server on this machine",
        );
        return None;
    }
    // The mailer's own judgement, so that a slip is found now and not with the first mail.
    match assay_jobs::SmtpMailer::new(&url.value, &from.value) {
        Ok(_) => Some((url.value, from.value)),
        Err(words) => {
            let line = if words.contains("sender") { from.line } else { url.line };
            fields.fault(line, words, "write url = \"smtps://user:password@mail.example.org\" (or smtp:// with ?tls=required) and from = \"Badges <badges@example.org>\"");
            None
        }
    }
}

fn read_entries(node: &Node, faults: &mut Vec<Fault>) -> Option<Vec<(Located<String>, EntryChange)>> {
    let Value::Table(entries) = &node.value else {
        faults.push(Fault::new(
            node.line,
            "`entry` is not a table",
            "write [entry.PROGRAMME] for each programme whose entry rules differ from its pack's",
        ));
        return None;
    };
    entries.iter().map(|(name, node)| Some((name.clone(), read_entry(&name.value, node, faults)?))).collect()
}

fn read_entry(programme: &str, node: &Node, faults: &mut Vec<Fault>) -> Option<EntryChange> {
    let place = format!("[entry.{programme}]");
    let mut fields = Fields::new(&place, node, &["who", "domains", "addresses", "tries_a_year", "pool_share_percent"], faults);
    let lower = |found: Vec<Located<String>>| found.into_iter().map(|one| one.value.to_lowercase()).collect::<Vec<_>>();
    let who = fields.text("who");
    let word = who.as_ref().map_or("", |who| who.value.as_str());
    for (name, wanted) in [("domains", "domains"), ("addresses", "invited")] {
        if fields.get(name).is_some() && word != wanted {
            fields.fault(
                fields.line_of(name),
                format!("`{name}` has no effect here"),
                format!("write who = \"{wanted}\" beside it, or delete `{name}`"),
            );
        }
    }
    let who = match word {
        "" => None,
        "anyone" => Some(EntryRule::Anyone),
        "domains" => Some(EntryRule::Domains(lower(fields.required_texts("domains", "mail domains, such as [\"example.org\"]")))),
        "invited" => {
            let people = fields.required_texts("addresses", "mail addresses, such as [\"ada@example.org\"]");
            for one in &people {
                if let Err(words) = assay_core::entry::normalise_address(&one.value) {
                    fields.fault(one.line, words.to_string(), "write addresses such as \"ada@example.org\"");
                }
            }
            Some(EntryRule::Invited(lower(people)))
        }
        other => {
            fields.fault(fields.line_of("who"), format!("`who` is “{other}”"), "write \"anyone\", \"domains\" or \"invited\"");
            None
        }
    };
    let tries = fields.whole("tries_a_year", 1, 365).and_then(|found| u16::try_from(found.value).ok());
    let share = fields.whole("pool_share_percent", 1, 100).and_then(|found| u8::try_from(found.value).ok());
    Some(EntryChange { who, tries_a_year: tries, pool_share_percent: share })
}

/// TOML with the line of everything, or its syntax faults: what is missing is said once the file can be read.
fn parse(text: &str) -> Result<Node, Vec<Fault>> {
    let lines = Lines::new(text, 1);
    let (table, errors) = DeTable::parse_recoverable(text);
    let fault = |error: &toml::de::Error| {
        let line = error.span().map_or(1, |span| lines.of(&span));
        Fault::new(
            line,
            format!("not TOML: {}", error.message().lines().next().unwrap_or_default()),
            "write `name = value`, one a line, texts in quotation marks",
        )
    };
    let faults: Vec<Fault> = errors.iter().map(fault).collect();
    if faults.is_empty() { Ok(Node { line: 1, value: table_value(table.get_ref(), &lines) }) } else { Err(faults) }
}

fn table_value(table: &DeTable<'_>, lines: &Lines) -> Value {
    let mut entries: Vec<_> = table.iter().collect();
    // Faults are told in the order of the file, not of the alphabet.
    entries.sort_by_key(|(name, _)| name.span().start);
    let located = |name: &Spanned<std::borrow::Cow<'_, str>>| Located { line: lines.of(&name.span()), value: name.get_ref().to_string() };
    Value::Table(entries.into_iter().map(|(name, value)| (located(name), node(value, lines))).collect())
}

fn node(spanned: &Spanned<DeValue<'_>>, lines: &Lines) -> Node {
    let value = match spanned.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(whole) => i64::from_str_radix(whole.as_str(), whole.radix()).map_or(Value::Number(f64::INFINITY), Value::Whole),
        DeValue::Float(number) => Value::Number(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(date) => Value::Text(date.to_string()),
        DeValue::Array(list) => Value::List(list.iter().map(|one| node(one, lines)).collect()),
        DeValue::Table(table) => table_value(table, lines),
    };
    Node { line: lines.of(&spanned.span()), value }
}

#[cfg(test)]
mod tests;
