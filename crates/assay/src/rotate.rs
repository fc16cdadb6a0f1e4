//! `assay rotate KEY`: the one way to change a key of an installation. A server never does it by itself.

use std::process::ExitCode;

use assay_badge::Issuer;
use assay_core::Chance;
use assay_store::{commands::Audit, moving};

use crate::{
    beside::{Beside, Where},
    failure::Failure,
    keys, out,
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
    /// Signs badges. What the old one signed stays valid.
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
    let beside = args.place.open().await?;
    let _held = beside.folder.lock()?;
    let done = rotate(&beside, args.key).await;
    beside.store.close().await;
    let root = beside.folder.root();
    let names = ["keys/signing.key", "keys/server.secret", HISTORY, "server.lock"];
    let given_back = give_back(&beside.folder, names.map(|name| root.join(name)));
    done?;
    given_back?;
    match args.key {
        Key::Signing => out::line(format_args!(
            "{}/keys/signing.key is a new key. The old public key stays in {HISTORY}, so that what it signed stays valid.",
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

async fn rotate(beside: &Beside, key: Key) -> Result<(), Failure> {
    let Beside { folder, store, issuer, at } = beside;
    let slug = folder.read("issuer")?.unwrap_or_default();
    if keys::is_demonstration(slug.trim()) {
        return Err(Failure::Usage("this is a demonstration: its key is a throw-away one. Begin another with another folder".to_owned()));
    }
    let known = keys::Known::read(store, *issuer).await?;
    let new: [u8; 32] = (&SystemChance as &dyn Chance).bytes();
    let place = |name: &str| folder.root().join("keys").join(name);
    let name = match key {
        Key::Signing => {
            let missing = || {
                Failure::Words(format!(
                    "{} is not there: bring it back first (it is in every backup), or what was signed could not be verified. Where nothing was \
                     ever signed, start the server: it makes the keys",
                    folder.root().join(HISTORY).display()
                ))
            };
            let history = folder.history(HISTORY)?.ok_or_else(missing)?;
            if let Some((method, _)) = known.newest.filter(|(method, _)| !keys::names_key(&history, method)) {
                return Err(Failure::Words(format!(
                    "the newest badge was signed by {method}, which is not in {HISTORY}: it is an older copy, or another installation's. Bring the \
                     newest one back first"
                )));
            }
            // The public half first: a private key whose public half nobody has must not sign.
            let history = Issuer::served(history, "", new, timestamp(*at)).history;
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
