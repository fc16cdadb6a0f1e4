//! What the check says of a pool as a whole, each with a planted case and with a pool that gives no cause.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod small;

use assay_pack::{Memory, Report, check, read};

/// Words that make stems differ.
const THINGS: [&str; 44] = [
    "kettle",
    "ladder",
    "mirror",
    "candle",
    "basket",
    "hammer",
    "pillow",
    "saddle",
    "violin",
    "anchor",
    "barrel",
    "button",
    "carpet",
    "chisel",
    "cradle",
    "dagger",
    "engine",
    "feather",
    "goblet",
    "helmet",
    "inkwell",
    "jacket",
    "kimono",
    "lantern",
    "magnet",
    "needle",
    "oven",
    "paddle",
    "quiver",
    "ribbon",
    "sickle",
    "teapot",
    "urn",
    "vase",
    "wagon",
    "xylophone",
    "yoke",
    "zither",
    "abacus",
    "bellows",
    "compass",
    "drum",
    "easel",
    "flute",
];

fn item(thing: &str, right: usize, options: [&str; 4], more: &str) -> String {
    let mut text = format!(
        "---\nobjective: alpha.one\nbarely_competent: 60\nlookup: partly\nsource: \"Some Guide\"\n{more}---\n\nWho mends a {thing} that broke beside the {}?\n\n",
        thing.chars().rev().collect::<String>()
    );
    for (index, option) in options.iter().enumerate() {
        let box_ = if index == right { "x" } else { " " };
        text.push_str(&format!("- [{box_}] {option}\n  > Because.\n"));
    }
    text
}

/// The small pack with 44 items more; `of` gives an item's text by its number.
fn pool(of: impl Fn(usize, &str) -> String) -> Memory {
    let mut files = small::pack();
    for (n, thing) in THINGS.iter().enumerate() {
        files.insert(format!("items/alpha/{thing}.md"), of(n, thing));
    }
    files
}

const EVEN: [&str; 4] = ["aaaa aaaa", "bbbb bbbb", "cccc cccc", "dddd dddd"];

fn said(report: &Report) -> Vec<String> {
    report.faults.iter().chain(&report.warnings).map(ToString::to_string).collect()
}

#[track_caller]
fn assert_says(files: &Memory, expected: &str) {
    let said = said(&check(files, "small"));
    assert!(said.iter().any(|found| found.contains(expected)), "{expected}\nin {said:#?}");
}

#[test]
fn an_even_pool_is_quiet_and_counted() {
    let report = check(&pool(|n, thing| item(thing, n % 4, EVEN, "")), "small");
    assert_eq!(said(&report), Vec::<String>::new());
    let bank = report.bank.unwrap();
    assert_eq!((bank.items, bank.families, bank.fillings), (50, 50, 2));
    assert_eq!(bank.places[&4], [11, 11, 11, 11]);
    let guesses = bank.guesses.unwrap();
    assert!(guesses.best.percent <= 35.0, "{guesses:?}");
    assert!(bank.closest.unwrap().percent < 60.0);
}

#[test]
fn a_pool_that_gives_answers_away_has_a_fault_from_forty_items_on() {
    let long = |n: usize| {
        let mut options = EVEN;
        options[n % 4] = "eeee eeee eeee";
        options
    };
    let files = pool(|n, thing| item(thing, n % 4, long(n), ""));
    let report = check(&files, "small");
    assert!(report.pack.is_none());
    assert!(read(&files, "small").is_ok(), "a habit of the pool stops a server");
    let fault = report.faults.iter().find(|fault| fault.what.contains("knows nothing")).unwrap();
    assert_eq!((fault.file.as_str(), fault.line), ("items/", 1));
    assert!(fault.what.contains("% right by cues: the longest"), "{fault}");
    assert!(fault.instead.contains("kettle") || fault.instead.contains("abacus"), "{fault}");
    assert_says(&files, "items/: right options have 14");
    // The same habit in a small pool is told, and is no fault.
    let mut few = small::pack();
    for (n, thing) in THINGS.iter().enumerate().take(20) {
        few.insert(format!("items/alpha/{thing}.md"), item(thing, n % 4, long(n), ""));
    }
    let report = check(&few, "small");
    assert_eq!(report.faults, []);
    assert!(report.bank.unwrap().guesses.unwrap().best.percent > 35.0);
}

#[test]
fn keys_in_one_place_are_told() {
    assert_says(&pool(|_, thing| item(thing, 0, EVEN, "")), "the right one of 4 options is not evenly placed: 100 %, 0 %");
}

#[test]
fn items_alike_are_told_unless_they_can_never_meet() {
    let twin = |more: &str| {
        let mut files = pool(|n, thing| item(thing, n % 4, EVEN, ""));
        let one = item("gramophone with a crooked brass horn and a spring", 0, ["ask the watchmaker", "oil it", "sell it", "wait"], "");
        let other = item("spring, or the crooked horn of a brass gramophone,", 1, ["sell it", "ask a watchmaker", "wait", "oil it"], more);
        files.insert("items/alpha/one.md", one);
        files.insert("items/alpha/other.md", other);
        files
    };
    let files = twin("");
    assert_says(&files, "items/alpha/other.md:8: this item is much like items/alpha/one.md (");
    let bank = check(&files, "small").bank.unwrap();
    assert_eq!(bank.closest.map(|closest| (closest.one, closest.other)), Some(("one".into(), "other".into())));
    for apart in ["family: one\n", "enemies: [one]\n"] {
        let said = said(&check(&twin(apart), "small"));
        assert!(!said.iter().any(|found| found.contains("much like")), "{apart}: {said:#?}");
    }
}

#[test]
fn heavy_reading_and_unkind_words_are_told_with_their_lines() {
    let heavy = "Notwithstanding organisational considerations concerning interdependent infrastructural responsibilities, administrators \
                 consequently reconsider architectural simplifications whenever unforeseeable circumstances necessitate comprehensive \
                 reorganisation of established communication arrangements everywhere, today and tomorrow and always.";
    let mut files = small::pack();
    files.insert("lessons/one.md", small::LESSON.replace("NAME", "one").replace("Teaching.", heavy));
    files.insert("items/alpha/alpha-1.md", small::item("alpha-1", "alpha.one").replace("This one.", "Put it on the blacklist."));
    files.insert("glossary.md", "## Term\n\nObviously a term.\n");
    assert_says(&files, "lessons/one.md:1: very difficult to read: LIX ");
    assert_says(&files, "begins \"Notwithstanding organisational considerations");
    assert_says(&files, "items/alpha/alpha-1.md:10: \"blacklist\" leaves people out or belittles them; write deny list");
    assert_says(&files, "glossary.md:3: \"obviously\"");
    assert_eq!(check(&files, "small").faults, []);
    // Words are English ones; other languages have other lists.
    files.insert("programme.toml", small::PROGRAMME.replace("language = \"en\"", "language = \"de\""));
    assert!(!said(&check(&files, "small")).iter().any(|found| found.contains("blacklist")));
}
