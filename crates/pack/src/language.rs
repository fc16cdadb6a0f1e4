//! How a text reads: its level by a published formula, and words that have a better one.
//!
//! LIX (C. H. Björnsson, *Läsbarhet*, Stockholm 1968; in English: J. Anderson, "Lix and Rix: Variations on a Little-known
//! Readability Index", Journal of Reading 26(6), 1983, 490-496): words a sentence, plus long words (more than six letters) of a
//! hundred. It needs no syllables, so it works in more languages than one. Under 30 is very easy, 40 to 50 a newspaper, above 60
//! very difficult.

use std::sync::LazyLock;

use assay_items::Html;

/// From here on LIX calls a text very difficult.
pub(crate) const VERY_DIFFICULT: f64 = 60.0;

/// Fewer words than this have no level.
const TELLING_WORDS: usize = 25;

/// The level of a text and its longest sentence; none where there is too little of it.
pub(crate) fn level(text: &str) -> Option<Level> {
    let (mut words, mut long, mut sentences) = (0_usize, 0_usize, 0_usize);
    let (mut now, mut longest): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for word in text.split_whitespace() {
        let letters = word.chars().filter(|c| c.is_alphabetic()).count();
        if word.chars().any(char::is_alphanumeric) {
            words += 1;
            long += usize::from(letters > 6);
            now.push(word);
        }
        if word.trim_end_matches(['"', '\'', ')', '”', '’', '*', '_']).ends_with(['.', '!', '?', ':', '…']) && !now.is_empty() {
            sentences += 1;
            if now.len() > longest.len() {
                longest.clone_from(&now);
            }
            now.clear();
        }
    }
    if !now.is_empty() {
        sentences += 1;
        if now.len() > longest.len() {
            longest = now;
        }
    }
    (words >= TELLING_WORDS).then(|| Level {
        lix: words as f64 / sentences.max(1) as f64 + 100.0 * long as f64 / words as f64,
        longest_words: longest.len(),
        longest_begins: longest.iter().take(6).copied().collect::<Vec<_>>().join(" "),
    })
}

/// How a text reads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Level {
    /// Björnsson's figure.
    pub(crate) lix: f64,
    /// Words in its longest sentence.
    pub(crate) longest_words: usize,
    /// How that begins.
    pub(crate) longest_begins: String,
}

/// The sentences of a page: code, tables and pictures left out, blocks ended by a full stop.
pub(crate) fn sentences(html: &Html) -> String {
    let (mut out, mut rest, mut hidden) = (String::new(), html.as_str(), 0_usize);
    while let Some((text, after)) = rest.split_once('<') {
        let Some((tag, after)) = after.split_once('>') else { break };
        if hidden == 0 {
            out.push_str(text);
        }
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        match name {
            "pre" | "table" | "svg" | "code" if tag.starts_with('/') => hidden = hidden.saturating_sub(1),
            "pre" | "table" | "svg" => hidden += 1,
            // A name in a sentence is a word of it, whatever its length.
            "code" => {
                if hidden == 0 {
                    out.push_str("code");
                }
                hidden += 1;
            }
            "p" | "li" | "h2" | "h3" | "h4" | "blockquote" | "figcaption" if tag.starts_with('/') && hidden == 0 => {
                if !out.trim_end().ends_with(['.', '!', '?', ':', '…']) && !out.trim_end().is_empty() {
                    out.push('.');
                }
                out.push('\n');
            }
            _ => {}
        }
        rest = after;
    }
    out.push_str(rest);
    out.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&nbsp;", " ")
}

/// Words that leave somebody out, hurt or belittle, and what to write. From the lists that many projects share (the Inclusive Naming
/// Initiative, style guides for documentation), kept to what can be told without knowing what is meant.
const BETTER: &[(&str, &str)] = &[
    ("blacklist", "deny list"),
    ("blacklisted", "denied"),
    ("whitelist", "allow list"),
    ("whitelisted", "allowed"),
    ("slave", "replica, or worker"),
    ("slaves", "replicas, or workers"),
    ("master slave", "primary and replica"),
    ("grandfathered", "kept under the old rule"),
    ("sanity check", "quick check"),
    ("sanity test", "quick test"),
    ("insane", "surprising"),
    ("crazy", "surprising"),
    ("lame", "weak"),
    ("cripple", "limit"),
    ("crippled", "limited"),
    ("dumb", "plain"),
    ("dummy", "placeholder"),
    ("man hours", "person-hours"),
    ("man hour", "person-hour"),
    ("man day", "person-day"),
    ("man days", "person-days"),
    ("manpower", "people"),
    ("mankind", "people"),
    ("manned", "staffed"),
    ("chairman", "chair"),
    ("middleman", "go-between"),
    ("man in the middle", "on-path attacker"),
    ("guys", "everyone, or people"),
    ("he or she", "they"),
    ("she or he", "they"),
    ("his or her", "their"),
    ("her or his", "their"),
    ("him or her", "them"),
    ("he she", "they"),
    ("s he", "they"),
    ("his her", "their"),
    ("tribal knowledge", "knowledge that nobody wrote down"),
    ("first class citizen", "fully supported"),
    ("third world", "countries with low incomes"),
    ("war room", "incident room"),
    ("housewife", "person at home"),
    ("wheelchair bound", "who uses a wheelchair"),
    ("the disabled", "disabled people"),
    ("the blind", "blind people"),
    ("the elderly", "older people"),
    ("normal people", "most people"),
    ("native speaker", "fluent speaker"),
    ("native speakers", "fluent speakers"),
    ("obviously", "nothing: who does not see it feels stupid"),
    ("needless to say", "nothing: leave it out, or say it"),
    ("as everyone knows", "nothing: say it"),
];

/// Words of a Markdown file that have a better one: the line, the word, the better one. Front matter, code and addresses are not read.
pub(crate) fn unkind(markdown: &str) -> Vec<(u32, &'static str, &'static str)> {
    /// The words, with a space on each side.
    static WORDS: LazyLock<Vec<(String, &str, &str)>> =
        LazyLock::new(|| BETTER.iter().map(|&(word, better)| (format!(" {word} "), word, better)).collect());
    let mut found = Vec::new();
    let (mut fence, mut front) = (false, markdown.starts_with("---"));
    for (number, line) in (1_u32..).zip(markdown.lines()) {
        let trimmed = line.trim_start().trim_start_matches(['>', ' ']);
        if front {
            front = number == 1 || trimmed.trim_end() != "---";
            continue;
        }
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            fence = !fence;
            continue;
        }
        if fence {
            continue;
        }
        let padded = format!(" {} ", assay_items::words::normalised(&without_code(line)));
        found.extend(WORDS.iter().filter(|(alone, ..)| padded.contains(alone)).map(|&(_, word, better)| (number, word, better)));
    }
    found
}

/// A line without its `code` and without the addresses of its links.
fn without_code(line: &str) -> String {
    let prose: Vec<&str> = line.split('`').step_by(2).collect();
    let mut out = String::new();
    let joined = prose.join(" , ");
    let mut rest = joined.as_str();
    while let Some((before, after)) = rest.split_once("](") {
        out.push_str(before);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lix_by_hand() {
        // 30 words in three sentences, six of them of more than six letters: 30 / 3 + 100 * 6 / 30.
        let text = "One two three four five six seven eight nine letters. One two three four five six seven eight letters letters. \
                    One two three four five six seven letters letters letters!";
        let found = level(text).unwrap();
        assert!((found.lix - 30.0).abs() < 1e-9, "{found:?}");
        assert_eq!(found.longest_words, 10);
    }

    #[test]
    fn too_little_has_no_level_and_the_longest_sentence_is_named() {
        assert_eq!(level("Short."), None);
        let heavy = "Notwithstanding organisational considerations concerning interdependent infrastructural responsibilities, \
                     administrators consequently reconsider architectural simplifications whenever unforeseeable \
                     circumstances necessitate comprehensive reorganisation of established communication arrangements everywhere today. Yes.";
        let found = level(heavy).unwrap();
        assert!(found.lix > VERY_DIFFICULT, "{found:?}");
        assert!(found.longest_begins.starts_with("Notwithstanding organisational"), "{found:?}");
    }

    #[test]
    fn pages_become_sentences() {
        let html = Html::trusted("<h2>Head</h2><p>One <code>a_b</code> two.</p><pre><code>x y z</code></pre><ul><li>Item</li></ul>");
        assert_eq!(sentences(&html).split_whitespace().collect::<Vec<_>>(), ["Head.", "One", "code", "two.", "Item."]);
    }

    #[test]
    fn words_with_a_better_one() {
        let text = "---\ntitle: blacklist\n---\n\nA Blacklist, and he/she.\n\n```\nwhitelist\n```\n\n`slave` [x](https://b.example/dummy) sane\n> the crazy one\n";
        let found: Vec<(u32, &str)> = unkind(text).into_iter().map(|(line, word, _)| (line, word)).collect();
        assert_eq!(found, [(5, "blacklist"), (5, "he she"), (12, "crazy")]);
    }
}
