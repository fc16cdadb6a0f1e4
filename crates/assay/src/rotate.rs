//! `assay rotate KEY`: the one way to change a key of an installation. A server never does it by itself.

use std::{fs, process::ExitCode};

use assay_badge::{KeyHistory, KeyRecord, SigningKey};
use assay_core::Chance;
use assay_store::{commands::Audit, moving};
use jiff::{SignedDuration, Timestamp};

use crate::{
    beside::{Beside, Where},
    failure::Failure,
    folder::DataFolder,
    keys::{self, Kind},
    out,
    reconcile::give_back,
    serve::HISTORY,
    system::{SystemChance, timestamp},
};

#[derive(clap::Args)]
#[command(
    after_help = "Stop the server first; of several nodes stop all, and copy the folder `keys` to the others afterwards. Make a backup then: an older one has the old key.\n\nExit status: 0 changed; 1 not done; 64 wrong usage."
)]
pub(crate) struct Args {
    /// Which key.
    #[arg(value_name = "KEY")]
    key: Key,
    #[command(flatten)]
    place: Where,
}

/// A key that can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Key {
    /// Signs badges. What the old one signed until now stays valid; what it signs from now on is not.
    #[value(name = "signing.key")]
    Signing,
    /// Seeds forms. Waits of erased accounts are forgotten with it, and drawn forms cannot be derived anew.
    #[value(name = "server.secret")]
    Secret,
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    // Before it is opened here, which would be seen as a server, too.
    let place = args.place.clone().end()?.place;
    moving::refuse_servers(&place).await.map_err(|e| Failure::Words(e.to_string()))?;
    let named = args.place.names_settings();
    let beside = args.place.open().await?;
    let _held = beside.folder.lock()?;
    let done = async {
        let slug = beside.folder.read("issuer")?.unwrap_or_default();
        let kind = if named { Kind::Served } else { Kind::of(&beside.folder, slug.trim()) };
        rotate(&beside, kind, args.key).await
    }
    .await;
    beside.store.close().await;
    let root = beside.folder.root();
    let names = ["keys/signing.key", "keys/server.secret", HISTORY, "server.lock"];
    let given_back = give_back(&beside.folder, names.map(|name| root.join(name)));
    done?;
    given_back?;
    match args.key {
        Key::Signing => out::line(format_args!(
            "{}/keys/signing.key is a new key. The old public key stays in {HISTORY} with the time of its end, so that what it signed until now stays \
             valid, and what it signs later is not.",
            root.display()
        )),
        Key::Secret => out::line(format_args!(
            "{}/keys/server.secret is a new secret. Waits of accounts that were erased before are forgotten, and forms that were drawn before \
             cannot be derived anew; answers, results and badges are untouched.",
            root.display()
        )),
    }
    if !beside.store.is_alone() {
        out::line(format_args!("Copy the whole folder {}/keys to the other nodes before they start.", root.display()));
    }
    out::line("Make a backup now: an older one does not have it.");
    Ok(ExitCode::SUCCESS)
}

async fn rotate(beside: &Beside, kind: Kind, key: Key) -> Result<(), Failure> {
    let Beside { folder, store, issuer, at } = beside;
    if kind == Kind::Demonstration {
        return Err(Failure::Usage("this is a demonstration: its key is a throw-away one. Begin another with another folder".to_owned()));
    }
    let new: [u8; 32] = (&SystemChance as &dyn Chance).bytes();
    let place = |name: &str| folder.root().join("keys").join(name);
    let name = match key {
        Key::Signing => {
            let known = keys::Known::read(store, *issuer).await?;
            let mut history = whole_history(folder, &known)?;
            retire(&mut history, new, timestamp(*at), known.newest.map(|(_, newest)| timestamp(newest)));
            // The public half first: a private key whose public half nobody has must not sign. Where this is cut off after it, the old key is
            // one that is retired: a start refuses it, and the command is run again.
            folder.keep_history(HISTORY, &history)?;
            folder.put_private(&place(keys::SIGNING), &new)?;
            keys::SIGNING
        }
        Key::Secret => {
            folder.put_private(&place(keys::SECRET), &new)?;
            keys::SECRET
        }
    };
    // Last: where this is cut off before, a start refuses the key, and the command is run again.
    keys::agree_anew(store, name, new).await?;
    let (object, detail) = (name.to_owned(), String::new());
    store.run(Audit { issuer: *issuer, act: beside.act(), action: "rotate".to_owned(), object, detail }).await?;
    Ok(())
}

/// The key history, in which every key is that may have signed here, as far as that is known.
fn whole_history(folder: &DataFolder, known: &keys::Known) -> Result<KeyHistory, Failure> {
    let path = folder.root().join(HISTORY);
    let path = path.display();
    let bring = format!("bring {HISTORY} back first (`tar -xf BACKUP -C {} {HISTORY}`)", folder.root().display());
    let history = folder.history(HISTORY)?.ok_or_else(|| {
        let way_out = match known.newest.is_none() && known.signing.is_none() {
            true => "start the server: nothing was signed here yet, and it makes the keys".to_owned(),
            false => bring.clone(),
        };
        Failure::Words(format!("{path} is not there, and without it what was signed could not be verified: {way_out}"))
    })?;
    if let Some((method, _)) = known.newest.as_ref().filter(|(method, _)| !keys::names_key(&history, method)) {
        return Err(Failure::Words(format!(
            "the newest badge was signed by {method}, which is not in {path}: it is an older copy, or another installation's; {bring}"
        )));
    }
    // By the keys themselves: the first key of every history of one address has the same name.
    if known.signing.as_ref().is_some_and(|signing| keys::record_of(&history, signing).is_none()) {
        return Err(Failure::Words(format!(
            "the key that the database was last used with is not in {path}: it is an older copy, or another installation's; {bring}"
        )));
    }
    // Whoever can read it, and however the database knows it; one that is no key at all never signed.
    let path_of_key = folder.root().join("keys").join(keys::SIGNING);
    let present = fs::read(&path_of_key).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    if present.is_some_and(|seed| keys::record_of(&history, &keys::public(seed)).is_none()) {
        return Err(Failure::Words(format!(
            "{} is not in {path}: if it signed here, {bring}; if it is another installation's, take it out of the folder, and run this again",
            path_of_key.display()
        )));
    }
    Ok(history)
}

/// Ends all keys, and adds a new one under a name that none had.
///
/// Whole seconds, as signatures have them: what was signed in this second, or by a clock that was ahead, stays valid.
fn retire(history: &mut KeyHistory, new: [u8; 32], now: Timestamp, newest: Option<Timestamp>) {
    let last = newest.map_or(now, |newest| newest.max(now));
    let end = last.checked_add(SignedDuration::from_secs(1)).unwrap_or(last);
    for record in &mut history.keys {
        record.valid_until.get_or_insert(end);
    }
    let number = |record: &KeyRecord| record.verification_method.rsplit_once("#key-").and_then(|(_, number)| number.parse::<u32>().ok());
    let next = history.keys.iter().filter_map(number).max().unwrap_or(0).saturating_add(1);
    history.keys.push(KeyRecord {
        verification_method: format!("{}#key-{next}", history.issuer),
        public_key_multibase: SigningKey::from_seed(new).public_multibase(),
        valid_from: now,
        valid_until: None,
    });
}
