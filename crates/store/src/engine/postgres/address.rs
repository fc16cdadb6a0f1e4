//! Where the server is: one host in the URL, or several of which one can be written to.
//!
//! The driver knows one host only. libpq's way of naming several (`postgres://user@one:5432,two:5432/database`) is read here.

use std::{fmt, str::FromStr};

use sqlx::postgres::PgConnectOptions;

/// What libpq calls the wish for a server that can be written to; no other server is of use here.
const WISH: &str = "target_session_attrs=";
/// A pooler in transaction mode stands between.
const POOLED: &str = "statement-cache-capacity=0";

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// How each host is reached; never empty.
    pub(crate) hosts: Vec<PgConnectOptions>,
    /// Behind a pooler in transaction mode, a statement and its preparation must share a transaction.
    pub(crate) pooled: bool,
}

impl Address {
    /// Reads a URL. What is wrong with it is said without repeating it: it may hold a password.
    pub(crate) fn read(url: &str) -> Result<Self, String> {
        let how = "write postgres://user:password@host/database";
        let (scheme, rest) = url.split_once("://").ok_or(how)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if path.contains('@') {
            return Err("its user or password holds a character that has another meaning in a URL: write / as %2F, ? as %3F, # as %23, @ as %40, % as %25".to_owned());
        }
        let (user, hosts) = authority.rsplit_once('@').map_or((String::new(), authority), |(user, hosts)| (format!("{user}@"), hosts));
        let (database, query) = path.split_once('?').unwrap_or((path, ""));
        let mut kept = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.strip_prefix(WISH) {
                None => kept.push(pair),
                Some("read-write" | "primary") => {}
                Some(_) => return Err("target_session_attrs can only be read-write here: delete it".to_owned()),
            }
        }
        let query = kept.join("&");
        let one = |host: &str| {
            if host.is_empty() && hosts.contains(',') {
                return Err(format!("a host is missing between its commas; {how}"));
            }
            PgConnectOptions::from_str(&format!("{scheme}://{user}{host}{database}?{query}"))
                .map_err(|e| format!("its URL cannot be read ({e}); {how}"))
        };
        Ok(Self { hosts: hosts.split(',').map(one).collect::<Result<_, _>>()?, pooled: kept.contains(&POOLED) })
    }

    /// The same with something set for every host.
    pub(crate) fn with(self, set: impl Fn(PgConnectOptions) -> PgConnectOptions) -> Self {
        Self { hosts: self.hosts.into_iter().map(set).collect(), ..self }
    }
}

/// Without user and password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, host) in self.hosts.iter().enumerate() {
            write!(f, "{}{}", if n > 0 { "," } else { "" }, place(host))?;
        }
        write!(f, "/{}", self.hosts.first().and_then(PgConnectOptions::get_database).unwrap_or_default())
    }
}

/// Host and port.
pub(super) fn place(host: &PgConnectOptions) -> String {
    format!("{}:{}", host.get_host(), host.get_port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_or_several() {
        let read = |url: &str| Address::read(url).map(|a| (a.to_string(), a.pooled));
        assert_eq!(read("postgres://u:p@one/db").unwrap(), ("one:5432/db".to_owned(), false));
        let several = "postgres://u:p@one:5433,[::1]:5434,three/db?target_session_attrs=read-write&statement-cache-capacity=0";
        assert_eq!(read(several).unwrap(), ("one:5433,[::1]:5434,three:5432/db".to_owned(), true));
        for wrong in
            ["postgres:one", "postgres://u@one,,two/db", "postgres://u@one:port/db", "postgres://u@one/db?target_session_attrs=any"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_part_of_a_password_is_ever_repeated() {
        for password in ["12/hidden", "hid?den", "hidden#1", "hid/den", "12/hid@den", "hid%den", "hid,den", "hid:den", "hid@den"] {
            let words = match Address::read(&format!("postgres://user:{password}@host:5432/db")) {
                Ok(address) => address.to_string(),
                Err(words) => words,
            };
            assert!(!words.contains("hid") && !words.contains("den"), "{password}: {words}");
        }
    }
}
