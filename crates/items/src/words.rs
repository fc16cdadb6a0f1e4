//! Plain words of a text: to compare questions, and to find options that lean on their place in a list.

/// Letters and digits in lower case, one blank between words: two texts that read the same give the same words.
pub fn normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
    out
}

/// Phrases that mean nothing once options are shuffled.
const PHRASES: [&str; 17] = [
    "all of the above",
    "none of the above",
    "any of the above",
    "both of the above",
    "neither of the above",
    "some of the above",
    "the options above",
    "the options below",
    "the answers above",
    "the answers below",
    "the first option",
    "the second option",
    "the last option",
    "the previous option",
    "the first two options",
    "the last two options",
    "all the above",
];

/// What in an option leans on its place or on the letters of other options, if anything: "all of the above", "both A and C".
pub fn leans_on_place(option: &str) -> Option<String> {
    let words = normalised(option);
    let padded = format!(" {words} ");
    if let Some(phrase) = PHRASES.into_iter().find(|phrase| padded.contains(&format!(" {phrase} "))) {
        return Some(phrase.to_owned());
    }
    let original: Vec<&str> = option.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let is_letter = |word: &str| word.len() == 1 && word.bytes().all(|b| (b'A'..=b'H').contains(&b));
    let named = original.windows(2).find(|pair| {
        matches!(pair[0].to_lowercase().as_str(), "option" | "options" | "answer" | "answers" | "choice" | "choices") && is_letter(pair[1])
    });
    if let Some(pair) = named {
        return Some(pair.join(" "));
    }
    let glue = ["and", "or", "nor", "both", "only", "neither", "either"];
    let letters = original.iter().filter(|word| is_letter(word)).count();
    let only_letters = original.iter().all(|word| is_letter(word) || glue.contains(&word.to_lowercase().as_str()));
    let both = original.windows(4).find(|four| {
        matches!(four[0].to_lowercase().as_str(), "both" | "neither") && is_letter(four[1]) && is_letter(four[3]) && glue.contains(&four[2])
    });
    match both {
        Some(four) => Some(four.join(" ")),
        None => (letters >= 2 && only_letters && original.len() > letters).then(|| option.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalising() {
        assert_eq!(normalised("  What's `NEW`?\n\nÄ-b "), "what s new ä b");
        assert_eq!(normalised("…"), "");
    }

    #[test]
    fn leaning_options() {
        for bad in [
            "All of the above",
            "None of the above.",
            "Both A and C",
            "A and C",
            "A, B, and D",
            "Neither A nor B",
            "Only A or B",
            "Option B, but slower",
            "Do both A and B at once",
            "The same as the first option",
        ] {
            assert!(leans_on_place(bad).is_some(), "{bad}");
        }
        for good in [
            "A",
            "B",
            "Create an A and an AAAA record",
            "Use both A and AAAA records",
            "A queue and a topic",
            "Raise the memory above 1 GiB",
            "Vitamin A and B are needed",
            "It returns none of the items",
            "C and Rust",
        ] {
            assert_eq!(leans_on_place(good), None, "{good}");
        }
    }
}
