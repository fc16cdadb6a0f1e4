//! `assay reconcile`: holds a database against the journals, and makes good what it does not know. `assay restore` does the same; a
//! server only compares, and signs and mails nothing where the two do not agree.

use std::{fs, path::PathBuf, process::ExitCode};

use assay_core::{
    UtcMillis,
    entry::address_mac,
    ids::{IssuerId, Learner, RowId, Secret128},
};
use assay_jobs::{Entry, Event, FileJournal, Journal, Reading, facts, read};
use assay_store::{
    Store,
    commands::{Act, Audit, BeginList, Erase, Fact, JournalPosition, NoteJournals, Reconcile, Settled},
    moving,
    queries::{Compare, JournalPositions, KnowsAny, WhereToMail},
};

use crate::{
    archive::journals,
    beside::{Beside, Where},
    failure::Failure,
    folder::DataFolder,
    journals::{self, news, remarks, set_aside, short, take_journals},
    keys, out,
    system::SystemChance,
};

/// Facts in one transaction.
const FACTS: usize = 256;
/// Most credentials that are named one by one.
const NAMED: usize = 200;

#[derive(clap::Args)]
#[command(
    after_help = "Stop the server first; of several nodes stop all, and gather their journals on one. Running it again changes nothing.\n\nExit status: 0 journal and database agree now; 1 not done; 64 wrong usage."
)]
pub(crate) struct Args {
    #[command(flatten)]
    place: Where,
    /// A journal to go by (journal/signing.jsonl of the machine that was lost, or of another node). May be given several times.
    #[arg(long, value_name = "FILE")]
    journal: Vec<PathBuf>,
    /// Take a journal, too, that says nothing of anybody whom this database knows: a node's whose people all came after it was set back.
    #[arg(long)]
    strangers: bool,
    /// Go on although the newest journal is lost: what happened since is forgotten, and new badges go into a fresh status list.
    #[arg(long)]
    journal_lost: bool,
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args) -> Result<ExitCode, Failure> {
    // Before it is opened here, which would be seen as a server, too.
    let place = args.place.clone().end()?.place;
    moving::refuse_servers(&place).await.map_err(|e| Failure::Words(e.to_string()))?;
    let beside = args.place.open().await?;
    let _held = beside.folder.lock()?;
    let done = async {
        if !args.strangers {
            refuse_strangers(&beside, &args.journal).await?;
        }
        take_journals(beside.folder.root(), &args.journal, args.journal_lost)?;
        reconcile(&beside, args.journal_lost, "reconcile").await
    }
    .await;
    beside.store.close().await;
    let root = beside.folder.root();
    let given_back = journals(root).and_then(|all| give_back(&beside.folder, all.into_iter().chain([root.join("server.lock")])));
    done?.say();
    given_back?;
    Ok(ExitCode::SUCCESS)
}

/// What root wrote belongs to the folder's owner: the server, which is not root, must be able to go on with it.
#[cfg(unix)]
pub(crate) fn give_back(folder: &DataFolder, paths: impl IntoIterator<Item = PathBuf>) -> Result<(), Failure> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let root = folder.root();
    let owner = fs::metadata(root).map_err(|e| Failure::while_doing(&root.display().to_string(), e))?;
    let no_link = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
    for path in paths.into_iter().filter(|path| path.exists()) {
        let give = || {
            // The folder's owner must not be given what a link of theirs leads to.
            let file = fs::File::options().read(true).custom_flags(no_link).open(&path)?;
            let found = file.metadata()?;
            let ours = found.is_file() && found.nlink() == 1 && found.uid() == 0;
            if ours && owner.uid() != 0 { fchown(&file, Some(owner.uid()), Some(owner.gid())) } else { Ok(()) }
        };
        give().map_err(|e| Failure::while_doing(&path.display().to_string(), e))?;
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn give_back(_folder: &DataFolder, _paths: impl IntoIterator<Item = PathBuf>) -> Result<(), Failure> {
    Ok(())
}

/// What was made good.
#[derive(Debug, Default)]
pub(crate) struct Report {
    known: usize,
    done: usize,
    /// Mails, closed attempts and erasures of people that the database does not hold.
    strangers: usize,
    /// Credentials that the database does not hold.
    unknown: Vec<String>,
    clashes: Vec<String>,
    /// Last lines that say nothing.
    remarks: Vec<String>,
    erased: usize,
    fresh_list: Option<i64>,
}

impl Report {
    /// On standard output.
    pub(crate) fn say(&self) {
        out::line(format_args!(
            "Journal and database agree: {} things were known, {} were made good, {} people were erased again.",
            self.known, self.done, self.erased
        ));
        if self.strangers > 0 {
            out::line(format_args!(
                "{} lines are about people who are not in this database, since they first came after it was taken: their waits cannot be kept.",
                self.strangers
            ));
        }
        if !self.unknown.is_empty() {
            out::line(format_args!(
                "{} signed badges are not in this database. Their status indexes are never given again; holders' copies stay valid unless it says revoked:",
                self.unknown.len()
            ));
            self.unknown.iter().take(NAMED).for_each(|words| out::line(format_args!("  {words}")));
            if self.unknown.len() > NAMED {
                out::line(format_args!("  … and {} more; the journal has them all", self.unknown.len() - NAMED));
            }
        }
        for words in &self.clashes {
            out::line(format_args!("WARNING: {words}"));
        }
        self.remarks.iter().for_each(|words| out::line(format_args!("NOTE: {words}")));
        if let Some(list) = self.fresh_list {
            out::line(format_args!(
                "The newest journal is lost: new badges go into status list {list}, so no index is given twice. What happened after the backup cannot be \
                 known: badges revoked since are valid again, people erased since are back, waits begun since are over, mails sent since may be sent \
                 again. Do again what you remember. Should the journal be found: `assay reconcile --journal FILE`."
            ));
        }
    }
}

fn facts_of(readings: Vec<Reading>) -> Vec<Fact> {
    let whole = readings.iter().all(|reading| reading.whole);
    let mut entries: Vec<Entry> = readings.into_iter().flat_map(|reading| reading.entries).collect();
    entries.sort_by_key(|entry| entry.at);
    facts(&entries, whole, &SystemChance)
}

/// What a comparison of a database and its journals says.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// Why nothing may be signed or mailed with them; none when they agree, which is noted.
    pub(crate) held: Option<String>,
    /// Last lines that say nothing.
    pub(crate) remarks: Vec<String>,
}

impl Compared {
    fn held(words: String) -> Self {
        Self { held: Some(words), remarks: Vec::new() }
    }

    /// For the log.
    pub(crate) fn log_remarks(&self) {
        self.remarks.iter().for_each(|words| tracing::warn!("{words}"));
    }
}

/// Compares a database with its journals.
pub(crate) async fn compare(store: &Store, issuer: IssuerId, folder: &DataFolder, at: UtcMillis) -> Result<Compared, Failure> {
    let known = store.read(JournalPositions {}).await?;
    let way_out = match store.is_alone() {
        true => {
            "badges and mails wait, and no attempt is begun or closed. Stop the server, run `assay reconcile` \
             (with --journal FILE where the newest journal lies elsewhere, with --journal-lost where it is lost), start it again"
        }
        false => {
            "badges and mails wait, and no attempt is begun or closed. Stop every server, gather all journals on one of them, run \
             `assay reconcile` there with each (--journal FILE), start them again"
        }
    };
    // Of several nodes each answers for its own journal: what lies here of the others' are copies, and the rest is on other machines.
    let own = if store.is_alone() { journals(folder.root())? } else { vec![folder.journal()] };
    let (readings, missing) = match news(own, &known, false) {
        Ok(news) => news,
        Err(error) => return Ok(Compared::held(format!("{error}: {way_out}"))),
    };
    if let (true, Some(missing)) = (store.is_alone(), missing.first()) {
        return Ok(Compared::held(format!(
            "the journal {} is not in {}: {way_out}",
            short(&missing.journal),
            folder.root().join("journal").display()
        )));
    }
    let remarks = remarks(&readings);
    let readings: Vec<Reading> = readings.into_iter().map(|(_, reading)| reading).collect();
    let positions = readings.iter().map(|reading| reading.position.clone()).collect();
    let facts = facts_of(readings);
    let mut unknown = 0;
    for some in facts.chunks(FACTS) {
        let known = store.read(Compare { issuer, facts: some.to_vec(), at }).await?;
        unknown += known.iter().filter(|known| !**known).count();
    }
    if unknown > 0 {
        return Ok(Compared::held(format!(
            "the journal knows {unknown} things that the database does not, so the database was set back: {way_out}"
        )));
    }
    store.run(NoteJournals { positions, all: false }).await?;
    Ok(Compared { held: None, remarks })
}

/// Makes good whatever the folder's journals know and the database does not. All the journals there are must be there.
pub(crate) async fn reconcile(here: &Beside, lost: bool, action: &str) -> Result<Report, Failure> {
    let Beside { folder, store, issuer, at } = here;
    let known = store.read(JournalPositions {}).await?;
    let (readings, missing) = news(journals(folder.root())?, &known, lost)?;
    if let (false, Some(missing)) = (lost, missing.first()) {
        return Err(Failure::Words(format!(
            "the database knows {} journals, and {} of them are not here, such as {}; of several nodes gather all on this one, and give each with \
             --journal; where one is lost, --journal-lost",
            known.len(),
            known.iter().filter(|known| readings.iter().all(|(_, reading)| reading.position.journal != known.journal)).count(),
            short(&missing.journal)
        )));
    }
    let mut report = Report { remarks: remarks(&readings), ..Report::default() };
    let readings: Vec<Reading> = readings.into_iter().map(|(_, reading)| reading).collect();
    let mut positions: Vec<JournalPosition> = readings.iter().map(|reading| reading.position.clone()).collect();
    let mut facts = facts_of(readings);
    keep_links(folder, &mut facts)?;
    for some in facts.chunks(FACTS) {
        let settled = store.run(Reconcile { issuer: *issuer, facts: some.to_vec(), at: *at }).await?;
        for (fact, settled) in some.iter().zip(settled) {
            report.add(fact, settled);
        }
    }
    for fact in &facts {
        if let Fact::Erased { person, at } = fact {
            erase(here, Learner { issuer: *issuer, person: *person }, *at, &mut report).await?;
        }
    }
    store.fold_log().await;
    if lost {
        let least = at.0.div_euclid(1000);
        report.fresh_list = Some(store.run(BeginList { issuer: *issuer, least }).await?);
        set_aside(folder)?;
    }
    if lost || report.done + report.strangers + report.erased + report.unknown.len() > 0 || action == "restore" {
        let mark = Secret128::random(&SystemChance).to_string();
        let event = Event::Reconciled { mark, fresh_list: report.fresh_list };
        let journal = FileJournal::new(folder.journal());
        journal.append(&Entry { at: *at, event }).map_err(|e| Failure::Words(e.to_string()))?;
        if let Some(end) = journal.position() {
            positions.retain(|position| position.journal != end.journal);
            positions.push(end);
        }
    }
    store.run(NoteJournals { positions, all: true }).await?;
    let detail = format!("{} made good, {} erased again, {} credentials unknown", report.done, report.erased, report.unknown.len());
    let act = Act { row: RowId::random(&SystemChance), actor: "operator".to_owned(), at: *at };
    store.run(Audit { issuer: *issuer, act, action: action.to_owned(), object: "journal".to_owned(), detail }).await?;
    Ok(report)
}

/// A journal of another installation would spend status indexes here, and be asked for ever after.
async fn refuse_strangers(here: &Beside, given: &[PathBuf]) -> Result<(), Failure> {
    let mut own: Vec<[u8; 32]> = here.store.read(JournalPositions {}).await?.into_iter().map(|known| known.journal).collect();
    for path in journals(here.folder.root())? {
        own.extend(journals::name(&path)?);
    }
    for path in given {
        let Some(reading) = read(path, &[]).map_err(journals::failure)? else { continue };
        if own.is_empty() || own.contains(&reading.position.journal) {
            continue;
        }
        let mut known = false;
        for some in facts_of(vec![reading]).chunks(FACTS) {
            known = known || here.store.read(KnowsAny { issuer: here.issuer, facts: some.to_vec() }).await?;
        }
        if !known {
            return Err(Failure::Words(format!(
                "the journal {} is another installation's: this database knows neither it nor anybody in it. Name this installation's newest one. If \
                 it is a node's of this installation whose people all came after the database was set back, add --strangers",
                path.display()
            )));
        }
    }
    Ok(())
}

/// An award that is made again keeps its link.
fn keep_links(folder: &DataFolder, facts: &mut [Fact]) -> Result<(), Failure> {
    for fact in facts {
        if let Fact::Closed(closed) = fact
            && let Some(award) = closed.award
        {
            closed.badge_id = Secret128::of_badge(&server_secret(folder)?, award);
        }
    }
    Ok(())
}

fn server_secret(folder: &DataFolder) -> Result<[u8; 32], Failure> {
    let missing =
        || Failure::Words(format!("{}/keys/server.secret is missing: bring it back from a backup first", folder.root().display()));
    folder.kept_secret(keys::SECRET)?.ok_or_else(missing)
}

async fn erase(here: &Beside, learner: Learner, at: UtcMillis, report: &mut Report) -> Result<(), Failure> {
    let Some(address) = here.store.read(WhereToMail { learner }).await? else { return Ok(()) };
    let secret = server_secret(&here.folder)?;
    let act = Act { row: RowId::random(&SystemChance), actor: "the journal".to_owned(), at };
    here.store.run(Erase { learner, address_mac: address_mac(&secret, &address), act }).await?;
    report.erased += 1;
    report.strangers = report.strangers.saturating_sub(1);
    Ok(())
}

impl Report {
    fn add(&mut self, fact: &Fact, settled: Settled) {
        match (settled, fact) {
            (Settled::Known, _) => self.known += 1,
            (Settled::Clash, Fact::Used { award, revision, status, .. }) => self.clashes.push(format!(
                "status index {} of list {} stands in two credentials: revision {revision} of award {award}, by the journal, and another one in \
                 the database. Revoke the one that must not stand, and tell the other's holder",
                status.1, status.0
            )),
            (Settled::Done | Settled::Stranger, Fact::Used { award, revision, status, revoked_at }) => {
                self.done += usize::from(settled == Settled::Done);
                if settled == Settled::Stranger || revoked_at.is_none() {
                    let revoked = revoked_at.map(|at| format!(", revoked on {}", at.day())).unwrap_or_default();
                    self.unknown
                        .push(format!("award {award}, revision {revision}, status index {} of list {}{revoked}", status.1, status.0));
                }
            }
            (Settled::Done, _) => self.done += 1,
            // Their credentials are listed as such.
            (_, Fact::Revoked { .. } | Fact::Replaced { .. }) => {}
            (Settled::Stranger | Settled::Clash, _) => self.strangers += 1,
        }
    }
}
