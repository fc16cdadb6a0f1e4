//! The keys of an installation: made at its first start, asked for at each later one, and changed only where somebody orders it
//! (`assay rotate`). A server that made a new key for one that is lost would sign in nobody's name, and the loss would stay unseen.

use assay_badge::{KeyHistory, KeyRecord, SigningKey};
use assay_core::{Chance, UtcMillis, chance::keyed_seed, ids::IssuerId};
use assay_store::{
    Store,
    commands::{Agree, AgreeAnew},
    queries::{Agreed, NewestKey},
};

use crate::{demo, failure::Failure, folder::DataFolder, serve};

/// The key that signs badges, and how a database calls it: by its public half.
pub(crate) const SIGNING: &str = "signing.key";
/// The secret that seeds forms, and how a database calls it: by a hash.
pub(crate) const SECRET: &str = "server.secret";

/// What the database says of the keys.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Who signed the newest badge, and when.
    pub(crate) newest: Option<(String, UtcMillis)>,
    /// Hash of the secret that it was begun with.
    pub(crate) secret: Option<Vec<u8>>,
    /// The public key that it was last used with.
    pub(crate) signing: Option<Vec<u8>>,
    /// Whether other nodes may use it.
    shared: bool,
}

const SIGNING_KNOWN_AS: &str = "public key";

impl Known {
    /// Asks the database.
    pub(crate) async fn read(store: &Store, issuer: IssuerId) -> Result<Self, Failure> {
        Ok(Self {
            newest: store.read(NewestKey { issuer }).await?,
            secret: store.read(Agreed { name: SECRET }).await?,
            signing: store.read(Agreed { name: SIGNING_KNOWN_AS }).await?,
            shared: !store.is_alone(),
        })
    }
}

/// Keys that belong here, as far as they are there; none that is missing was ever used.
#[derive(Debug)]
pub(crate) struct Found {
    seed: Option<[u8; 32]>,
    secret: Option<[u8; 32]>,
}

impl Found {
    /// In words.
    pub(crate) fn words(&self) -> String {
        match (self.seed, self.secret) {
            (Some(_), Some(_)) => "they are those that signed and drew here before, and nobody else can read them".to_owned(),
            _ => "nothing was signed here yet: the first start makes them".to_owned(),
        }
    }
}

/// Keys to work with.
pub(crate) struct Keys {
    /// Signs.
    pub(crate) seed: [u8; 32],
    /// Seeds forms and keyed hashes.
    pub(crate) secret: [u8; 32],
}

/// Whose a data folder is: what an issuer is called does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `assay serve`'s.
    Served,
    /// `assay demo`'s.
    Demonstration,
}

impl Kind {
    /// For a command that is told a folder, and no settings. A demonstration never has its history among the keys.
    pub(crate) fn of(folder: &DataFolder, slug: &str) -> Self {
        if slug == demo::SLUG && !folder.root().join(serve::HISTORY).exists() { Self::Demonstration } else { Self::Served }
    }

    /// The key history's file.
    fn history(self) -> &'static str {
        match self {
            Self::Served => serve::HISTORY,
            Self::Demonstration => demo::HISTORY,
        }
    }
}

/// The words for a key that is missing or another's, each with the way out.
struct Words<'a> {
    folder: &'a DataFolder,
    kind: Kind,
    shared: bool,
}

impl Words<'_> {
    fn path(&self, name: &str) -> String {
        self.folder.root().join(name).display().to_string()
    }

    fn bring(&self, name: &str) -> String {
        let root = self.folder.root().display();
        if self.kind == Kind::Demonstration {
            return "Bring it back from a copy of this folder, or begin another demonstration with another folder and database".to_owned();
        }
        let copy = if self.shared { "copy the folder `keys` from another node, or bring" } else { "bring" };
        format!("To keep what was, {copy} it back from a backup: `tar -xf BACKUP -C {root} {name}`, and give it to the server's user")
    }

    fn way_out(&self, name: &str) -> String {
        if self.kind == Kind::Demonstration {
            return self.bring(name);
        }
        let file = name.trim_start_matches("keys/");
        let place = if self.shared { "--config FILE".to_owned() } else { format!("--data {}", self.folder.root().display()) };
        format!("{}. If it is lost for good: `assay rotate {file} {place}` makes a new one", self.bring(name))
    }
}

/// Whether the keys in a folder are the ones that its badges and forms hang on. Changes nothing.
///
/// # Errors
/// Everything that is wrong, each with the way out.
pub(crate) fn judge(folder: &DataFolder, kind: Kind, known: &Known) -> Result<Found, Vec<String>> {
    let words = Words { folder, kind, shared: known.shared };
    let mut wrong = Vec::new();
    let mut kept = |name: &str| folder.kept_secret(name).map_err(|error| wrong.push(error.to_string()));
    let (seed, secret) = (kept(SIGNING), kept(SECRET));
    let file = kind.history();
    let history = folder.history(file).map_err(|error| wrong.push(error.to_string()));
    let (Ok(seed), Ok(secret), Ok(history)) = (seed, secret, history) else { return Err(wrong) };
    let keys = history.as_ref().map(|history| history.keys.as_slice()).unwrap_or_default();

    let signed = known.newest.is_some() || known.signing.is_some();
    if seed.is_none() && (signed || !keys.is_empty()) {
        let name = "keys/signing.key";
        wrong.push(format!(
            "{} is missing, and this installation has a key that it signs with: a new one cannot stand in for it. {}",
            words.path(name),
            words.way_out(name)
        ));
    }
    if secret.is_none() && (known.secret.is_some() || known.newest.is_some()) {
        let name = "keys/server.secret";
        wrong.push(format!(
            "{} is missing, and this installation was begun with one: forms and the waits of erased accounts hang on it. {}",
            words.path(name),
            words.way_out(name)
        ));
    }
    if keys.is_empty() && signed {
        let none = match kind {
            Kind::Served => {
                ". Whoever verifies with `assay verify --trust` has a copy, too. If there is none anywhere, what was signed here cannot be verified \
                 any more, and no command makes it anew: begin with a new data folder and database"
            }
            Kind::Demonstration => "",
        };
        wrong.push(format!(
            "{} is missing: without it no badge that was signed here can be verified. {}{none}",
            words.path(file),
            words.bring(file)
        ));
    }
    let others = |name: &str| match words.shared {
        true => another(name),
        false => format!(
            "{} is not the one that the database was last used with: it is an older copy, another installation's, or a change that was cut off. {}",
            words.path(name),
            words.way_out(name)
        ),
    };
    if let Some(multibase) = seed.map(|seed| SigningKey::from_seed(seed).public_multibase()) {
        let name = "keys/signing.key";
        if known.signing.as_ref().is_some_and(|known| *known != multibase.as_bytes()) {
            wrong.push(others(name));
        } else if let Some(history) = &history {
            match record_of(history, multibase.as_bytes()) {
                // Told below, as what the database knows.
                None if known.signing.is_some() || keys.is_empty() => {}
                None => wrong.push(format!(
                    "{} is not in the key history ({file}): badges that it signs could not be verified, and that file is older, or another \
                     installation's. {}",
                    words.path(name),
                    words.bring(file)
                )),
                Some(record) if record.valid_until.is_some() => wrong.push(format!(
                    "{} is retired in the key history ({file}): `assay rotate` was cut off, or it is an older copy. {}",
                    words.path(name),
                    words.way_out(name)
                )),
                Some(_) => {}
            }
        }
    }
    // By the key itself: the first key of every history of one address has the same name.
    if let (Some(history), Some(signing)) = (history.as_ref().filter(|_| !keys.is_empty()), &known.signing)
        && record_of(history, signing).is_none()
    {
        wrong.push(format!(
            "the key that the database was last used with is not in the key history ({file}): that file is older, or another installation's. {}",
            words.bring(file)
        ));
    }
    if let Some(secret) = secret
        && known.secret.as_ref().is_some_and(|known| *known != hash_of(&secret))
    {
        wrong.push(others("keys/server.secret"));
    }
    let newest = known.newest.as_ref().filter(|(method, _)| history.as_ref().is_some_and(|history| !names_key(history, method)));
    if let Some((method, at)) = newest {
        wrong.push(format!(
            "the newest badge ({}) was signed by {method}, which is not in the key history of this folder ({file}): the keys are older, or \
             another installation's. Bring the whole folder `keys` from the newest backup",
            at.day()
        ));
    }
    if wrong.is_empty() { Ok(Found { seed, secret }) } else { Err(wrong) }
}

/// The keys of an installation, made where it never had any.
///
/// # Errors
/// Where one is missing that was used, or another is there.
pub(crate) async fn take(folder: &DataFolder, kind: Kind, store: &Store, issuer: IssuerId, chance: &dyn Chance) -> Result<Keys, Failure> {
    let known = Known::read(store, issuer).await?;
    let found = judge(folder, kind, &known).map_err(|wrong| Failure::Words(format!("nothing was started:\n  {}", wrong.join("\n  "))))?;
    let made = |there: Option<[u8; 32]>, name| there.map_or_else(|| folder.make_secret(name, chance), Ok);
    Ok(Keys { seed: made(found.seed, SIGNING)?, secret: made(found.secret, SECRET)? })
}

/// Lets the database know these keys. After the history is written: a key that is known must be one of it.
///
/// # Errors
/// Where another node was quicker, with others.
pub(crate) async fn agree(store: &Store, keys: &Keys) -> Result<(), Failure> {
    for (name, file, own) in
        [(SECRET, "keys/server.secret", hash_of(&keys.secret)), (SIGNING_KNOWN_AS, "keys/signing.key", public(keys.seed))]
    {
        if store.run(Agree { name, value: own.clone() }).await? != own {
            return Err(Failure::Words(another(file)));
        }
    }
    Ok(())
}

/// Lets the database know that one of the keys was changed.
pub(crate) async fn agree_anew(store: &Store, name: &'static str, key: [u8; 32]) -> Result<(), Failure> {
    let (name, own) = if name == SECRET { (name, hash_of(&key)) } else { (SIGNING_KNOWN_AS, public(key)) };
    let from = store.run(Agree { name, value: own.clone() }).await?;
    if from == own || store.run(AgreeAnew { name, from, value: own }).await? {
        return Ok(());
    }
    Err(Failure::Words("somebody else changed the keys at the same moment: run the command again".to_owned()))
}

/// What a database that nodes share says against a key.
fn another(file: &str) -> String {
    let name = file.trim_start_matches("keys/");
    format!(
        "the other nodes of this installation have another {file}: copy the folder `keys` from one of them, or name another database; or, where a \
         change was cut off or the database was set back: `assay rotate {name} --config FILE` again"
    )
}

fn hash_of(secret: &[u8; 32]) -> Vec<u8> {
    keyed_seed(secret, &[b"node", b""]).to_vec()
}

/// As a database knows it, and a history.
pub(crate) fn public(seed: [u8; 32]) -> Vec<u8> {
    SigningKey::from_seed(seed).public_multibase().into_bytes()
}

/// The record of a key, by its public half.
pub(crate) fn record_of<'a>(history: &'a KeyHistory, public: &[u8]) -> Option<&'a KeyRecord> {
    history.keys.iter().find(|key| key.public_key_multibase.as_bytes() == public)
}

/// Whether a verification method is in a history: a `did:key` ends with its key, a `did:web` with a name.
pub(crate) fn names_key(history: &KeyHistory, method: &str) -> bool {
    history.find(method).is_some() || history.keys.iter().any(|key| method.ends_with(&key.public_key_multibase))
}

#[cfg(test)]
mod tests {
    use assay_badge::{KeyHistory, KeyRecord};

    use super::names_key;

    #[test]
    fn a_key_is_known_by_its_name_and_by_itself() {
        let record = |method: &str, key: &str| KeyRecord {
            verification_method: method.to_owned(),
            public_key_multibase: key.to_owned(),
            valid_from: "2026-11-28T00:00:00Z".parse().expect("a time"),
            valid_until: None,
        };
        let history = |keys| KeyHistory { issuer: "did:web:badges.example.org".to_owned(), name: "Issuer".to_owned(), keys };
        let of_web = history(vec![record("did:web:badges.example.org#key-1", "z6MkOne")]);
        assert!(names_key(&of_web, "did:web:badges.example.org#key-1"));
        assert!(!names_key(&of_web, "did:web:badges.example.org#key-2") && !names_key(&of_web, "did:key:z6MkTwo#z6MkTwo"));
        let of_key = history(vec![record("did:key:z6MkTwo#z6MkTwo", "z6MkTwo")]);
        assert!(names_key(&of_key, "did:key:z6MkTwo#z6MkTwo"));
    }
}
