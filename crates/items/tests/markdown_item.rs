//! Items as files: what is read, and that every fault names its line and the way out.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;

use assay_items::{
    Choice, Item, ItemId, Lookup, Mark,
    markdown_item::{self, MAX_ITEM_BYTES},
};
use proptest::prelude::*;

const GOOD: &str = "---
objective: functions.limits
choose: 1
barely_competent: 60
lookup: partly
source: \"Developer Guide, Timeouts\"
family: timeouts
enemies: [functions-timeout-2]
---

A function calls a **slow** supplier:

```rust
// - [x] this is code, not an option
fn main() {}
```

Which change mends this?

- [ ] Raise the memory.
  > More memory brings more CPU.
- [x] Answer at once, and use `queue.send()`.
  > The caller no longer waits.
  >
  > Work goes on later.
- [ ] Write this:

  ```json
  { \"retry\": 3 }
  ```
  > Retrying makes it *worse*.
";

fn item(text: &str) -> Item {
    let reading = markdown_item::read("functions-timeout-1", text.as_bytes());
    assert_eq!(reading.faults, [], "{text}");
    reading.item.unwrap()
}

fn faults(text: &str) -> Vec<String> {
    let reading = markdown_item::read("functions-timeout-1", text.as_bytes());
    assert!(reading.item.is_none(), "an item with faults came through:\n{text}");
    reading.faults.iter().map(ToString::to_string).collect()
}

/// The good item with one change, and the one fault that follows.
fn one_fault(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    let faults = faults(&GOOD.replacen(from, to, 1));
    assert_eq!(faults.len(), 1, "{faults:#?}");
    faults.into_iter().next().unwrap()
}

#[test]
fn a_good_item() {
    let item = item(GOOD);
    assert_eq!(item.id.0, "functions-timeout-1");
    assert_eq!(item.question.choice, Choice::One);
    assert_eq!(item.question.options.len(), 3);
    assert_eq!(item.question.options[0].as_str(), "Raise the memory.");
    assert_eq!(item.question.options[1].as_str(), "Answer at once, and use <code>queue.send()</code>.");
    assert!(
        item.question.options[2]
            .as_str()
            .contains("<pre tabindex=\"0\" role=\"region\" aria-label=\"Code\"><code class=\"language-json\">{ \"retry\": 3 }")
    );
    assert!(
        item.question
            .stem
            .as_str()
            .starts_with("<p>A function calls a <strong>slow</strong> supplier:</p>\n<pre tabindex=\"0\" role=\"region\" aria-label=\"Code\"><code class=\"language-rust\">")
    );
    assert!(item.question.stem.as_str().ends_with("<p>Which change mends this?</p>"));
    assert_eq!(item.key.score(&BTreeSet::from([1])), Mark::Right);
    assert_eq!(item.key.score(&BTreeSet::from([0])), Mark::Wrong);
    let sealed = String::from_utf8(item.key.seal().0).unwrap();
    assert!(sealed.contains("<p>The caller no longer waits.</p>\\n<p>Work goes on later.</p>"), "{sealed}");
    assert_eq!(item.about.objective, "functions.limits");
    assert_eq!(item.about.family, "timeouts");
    assert_eq!(item.about.enemies, [ItemId("functions-timeout-2".into())]);
    assert_eq!((item.about.barely_competent, item.about.lookup), (60, Lookup::Partly));
    assert_eq!(item.about.source, "Developer Guide, Timeouts");
}

#[test]
fn the_version_is_a_hash_over_everything_but_layout() {
    let version = item(GOOD).version;
    assert_eq!(version.0.len(), 64);
    assert_eq!(item(&GOOD.replace('\n', "\r\n")).version, version);
    assert_eq!(item(&format!("\u{feff}{GOOD}")).version, version);
    assert_eq!(item(&GOOD.replace("choose: 1\n", "")).version, version);
    for (from, to) in [
        ("**slow**", "slow"),
        ("Raise the memory.", "Raise the memory!"),
        ("More memory brings", "Memory brings"),
        ("barely_competent: 60", "barely_competent: 61"),
        ("family: timeouts", "family: other"),
        ("functions.limits", "functions.model"),
    ] {
        assert_ne!(item(&GOOD.replace(from, to)).version, version, "{to}");
    }
    let other_key = GOOD.replace("- [x] A", "- [ ] A").replace("- [ ] Raise", "- [x] Raise");
    assert_ne!(item(&other_key).version, version);
}

#[test]
fn several_right_options() {
    let text = GOOD.replace("choose: 1", "choose: 2").replace("- [ ] Raise", "- [X] Raise");
    let item = item(&text);
    assert_eq!(item.question.choice, Choice::Many(2));
    assert_eq!(item.key.score(&BTreeSet::from([0, 1])), Mark::Right);
    assert_eq!(item.key.score(&BTreeSet::from([1])), Mark::Wrong);
}

#[test]
fn defaults_and_bare_truth_values() {
    assert_eq!(item(&GOOD.replace("family: timeouts\n", "")).about.family, "functions-timeout-1");
    assert_eq!(item(&GOOD.replace("enemies: [functions-timeout-2]\n", "")).about.enemies, []);
    for (written, lookup) in [("yes", Lookup::Yes), ("no", Lookup::No), ("\"no\"", Lookup::No), ("true", Lookup::Yes)] {
        assert_eq!(item(&GOOD.replace("partly", written)).about.lookup, lookup, "{written}");
    }
}

#[test]
fn loose_and_tight_lists_give_the_same_item() {
    let loose = GOOD.replace("CPU.\n- [x]", "CPU.\n\n- [x]").replace("memory.\n  >", "memory.\n\n  >");
    assert_eq!(item(&loose).version, item(GOOD).version);
}

#[test]
fn a_list_in_the_stem_stays_in_the_stem() {
    let text = GOOD.replace("Which change", "* one\n* two\n\nWhich change");
    assert!(item(&text).question.stem.as_str().contains("<li>one</li>"));
    assert_eq!(item(&text).question.options.len(), 3);
    let merged = GOOD.replace("Which change mends this?", "- one");
    assert!(
        faults(&merged).iter().any(|fault| fault.starts_with("line 18: this option has no box; write `- [ ]`")),
        "{:?}",
        faults(&merged)
    );
}

#[test]
fn faults_of_the_front_matter() {
    let cases = [
        ("objective: functions.limits\n", "", "line 2: the front matter has no `objective`; add"),
        ("barely_competent: 60", "barely_competent: 0", "line 4: `barely_competent` is 0; write a whole number from 1 to 99"),
        ("barely_competent: 60", "barely_competent: most", "line 4: `barely_competent` is text; write a whole number"),
        ("barely_competent: 60", "barely_competent: 60.5", "line 4: `barely_competent` is a number; write a whole number"),
        ("lookup: partly", "lookup: maybe", "line 5: `lookup` is `maybe`; write yes, partly or no"),
        ("source: \"Developer Guide, Timeouts\"\n", "", "line 2: the front matter has no `source`"),
        ("source: \"Developer Guide, Timeouts\"", "source: \"\"", "line 6: `source` is empty"),
        ("family: timeouts", "family: Time outs", "line 7: `family` has `Time outs`, which is not a slug"),
        ("functions-timeout-2", "functions-timeout-1", "line 8: the item is its own enemy"),
        ("[functions-timeout-2]", "functions-timeout-2", "line 8: `enemies` is text; write a list of texts"),
        ("choose: 1", "chose: 1", "line 3: `chose` is not a field of the front matter; use one of: objective, choose"),
        ("choose: 1", "choose: 2", "line 3: `choose` is 2, but 1 options are marked right; write `choose: 1`"),
        ("lookup: partly", "lookup: partly\nlookup: no", "line 6: `lookup` stands twice"),
        ("family: timeouts", "family: a: b", "line 7: the front matter is not YAML"),
    ];
    for (from, to, said) in cases {
        let fault = one_fault(from, to);
        assert!(fault.starts_with(said), "{to}: {fault}");
    }
    assert!(faults("words only")[0].starts_with("line 1: the file has no front matter; begin the file with `---`"));
    assert!(faults("---\nobjective: a.b\n")[0].starts_with("line 1: the front matter does not end"));
}

#[test]
fn faults_of_the_question() {
    let cases = [
        ("  > More memory brings more CPU.\n", "", "line 20: this option has no rationale; add it below"),
        ("  > More memory brings more CPU.", "  >", "line 21: the rationale is empty"),
        ("- [ ] Raise the memory.", "- [ ] All of the above.", "line 20: this option leans on the place of others (\"all of the above\")"),
        ("Raise the memory.", "Answer at once, and use `queue.send()`.", "line 22: this option is the same as the one on line 20"),
        ("- [x] Answer", "- [ ] Answer", "line 20: no option is marked right"),
        ("Which change", "## Which change", "line 18: a heading inside an item"),
        ("Which change", "<b>Which</b> change", "line 18: raw HTML (<b>)"),
        ("Which change", "![plan](plan.png) Which change", "line 18: an image"),
        ("**slow**", "[slow](http://a.example)", "line 11: a link to `http://a.example`; link to https:"),
        ("Raise the memory.", "Raise the <memory>.", "line 20: raw HTML (<memory>)"),
        ("*worse*.\n", "*worse*.\n\nThe end.\n", "line 33: text after the options"),
        ("  > More memory brings more CPU.\n", "  > More memory.\n\n  Indeed.\n", "line 23: something after the rationale"),
        ("- [ ] Raise the memory.\n  > More", "- Raise the memory.\n  > More", "line 20: this option has no box"),
        ("  > Work goes on later.", "  > Work goes on later.\u{7}", "line 25: a control character (U+0007)"),
    ];
    for (from, to, said) in cases {
        let fault = one_fault(from, to);
        assert!(fault.starts_with(said), "{to}: {fault}");
    }
    let front = GOOD.split("A function").next().unwrap();
    assert_eq!(
        faults(front),
        [
            "line 10: the question has no options; add a list of `- [ ]` and `- [x]` below it",
            "line 10: the question has no stem; write the question above its options"
        ]
    );
    let one_option = format!("{front}What?\n\n- [x] This.\n  > Yes.\n");
    assert!(faults(&one_option).iter().any(|fault| fault.starts_with("line 13: 1 options; write 2 to 12")));
    let all_right = format!("{front}What?\n\n- [x] This.\n  > Yes.\n- [x] That.\n  > Yes.\n").replace("choose: 1", "choose: 2");
    let said = faults(&all_right);
    assert!(
        said[0].starts_with("line 3: `choose` is 2 of 2 options") && said[1].starts_with("line 13: every option is marked right"),
        "{said:?}"
    );
    let numbered = format!("{front}What?\n\n1. [x] This.\n   > Yes.\n2. [ ] That.\n   > No.\n");
    assert!(faults(&numbered)[0].starts_with("line 13: the options are numbered"));
    let outdented = format!("{front}What?\n\n- [x] This.\n> Yes.\n- [ ] That.\n  > No.\n");
    assert!(faults(&outdented).iter().any(|fault| fault.contains("text after the options") && fault.contains("indent each `>`")));
}

#[test]
fn all_faults_of_a_file_at_once() {
    let text =
        GOOD.replace("lookup: partly", "lookup: x").replace("choose: 1", "choose: 9").replace("  > More memory brings more CPU.\n", "");
    let said = faults(&text);
    assert_eq!(said.len(), 4, "{said:#?}");
}

#[test]
fn files_that_are_no_text() {
    let reading = markdown_item::read("a", b"---\nobjective: \xff\n---\n");
    assert_eq!(reading.faults[0].to_string(), "line 2: the file is not UTF-8; save it as UTF-8");
    let reading = markdown_item::read("a", &vec![b'a'; MAX_ITEM_BYTES + 1]);
    assert_eq!(
        reading.faults[0].to_string(),
        "line 1: the file has 65537 bytes; at most 65536 are read; shorten it, or split it into several files"
    );
    let reading = markdown_item::read("Not A Slug", GOOD.as_bytes());
    assert!(reading.faults[0].what.contains("not a slug"));
}

#[test]
fn an_outline_survives_faults() {
    let text = GOOD.replace("lookup: partly", "lookup: x");
    let outline = markdown_item::read("a", text.as_bytes()).outline;
    assert_eq!(outline.objective.unwrap().value, "functions.limits");
    assert_eq!(outline.asked.unwrap().options.len(), 3);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        markdown_item::read("a", &bytes);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,400}") {
        markdown_item::read("a", text.as_bytes());
    }

    /// Lines of a good item in any order, some missing, some twice: near misses reach deeper than noise does.
    #[test]
    fn shuffled_items_never_panic(picks in prop::collection::vec(0_usize..40, 0..40), cut in 0_usize..900) {
        let lines: Vec<&str> = GOOD.lines().collect();
        let body: Vec<&str> = picks.iter().filter_map(|&pick| lines.get(pick).copied()).collect();
        let text = format!("---\nobjective: a.b\n---\n{}", body.join("\n"));
        let reading = markdown_item::read("a", text.as_bytes());
        prop_assert_eq!(reading.item.is_some(), reading.faults.is_empty());
        let bytes = &GOOD.as_bytes()[..cut.min(GOOD.len())];
        let reading = markdown_item::read("a", bytes);
        prop_assert_eq!(reading.item.is_some(), reading.faults.is_empty());
    }
}
