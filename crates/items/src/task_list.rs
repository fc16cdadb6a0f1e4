//! A question in Markdown: its stem, then one task list of options, each with its rationale as a quotation.
//!
//! Items and the knowledge checks of lessons are written the same way; this is the part they share.

use std::{fmt, ops::Range};

use pulldown_cmark::{Event, Tag, TagEnd};

use crate::{
    Html, clean,
    fault::{Fault, Lines},
    words,
};

/// More options than anyone reads.
pub(crate) const MAX_OPTIONS: usize = 12;

/// One question as it was written, answer included. It is no [`crate::Question`]: it must not travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The line its stem begins on.
    pub line: u32,
    /// The stem, as blocks.
    pub stem: Html,
    /// The stem's plain words.
    pub stem_words: String,
    /// The options in the author's order.
    pub options: Vec<AskedOption>,
}

/// One option as it was written. Its `Debug` does not say whether it is right, nor why.
#[derive(Clone, PartialEq, Eq)]
pub struct AskedOption {
    /// The line it stands on.
    pub line: u32,
    /// Running text where it is one paragraph, blocks otherwise.
    pub text: Html,
    /// Its plain words.
    pub words: String,
    /// Whether its box is ticked.
    pub right: bool,
    /// Why it is right or wrong, as blocks.
    pub rationale: Html,
}

impl fmt::Debug for AskedOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskedOption").field("line", &self.line).field("text", &self.text).finish_non_exhaustive()
    }
}

pub(crate) type Placed<'a> = (Event<'a>, Range<usize>);

/// Reads one question from its events. What could be read comes back even where there are faults.
pub(crate) fn question(events: &[Placed<'_>], lines: &Lines, line: u32, faults: &mut Vec<Fault>) -> Asked {
    let blocks = top_level(events);
    let is_options =
        |block: &Range<usize>| matches!(events[block.start].0, Event::Start(Tag::List(_))) && has_boxes(&events[block.clone()]);
    let list = blocks.iter().position(is_options);
    let stem_end = list.map_or(events.len(), |index| blocks[index].start);
    let stem = &events[..stem_end];
    let stem_words = plain(stem);
    let line = stem.first().map_or(line, |(_, range)| lines.of(range));
    if words::normalised(&stem_words).is_empty() {
        faults.push(Fault::new(line, "the question has no stem", "write the question above its options"));
    }
    let options = match list {
        None => {
            faults.push(Fault::new(line, "the question has no options", "add a list of `- [ ]` and `- [x]` below it"));
            Vec::new()
        }
        Some(index) => {
            if let Some(after) = blocks.get(index + 1) {
                let what = if is_options(after) { "a second list of options" } else { "text after the options" };
                let line = lines.of(&events[after.start].1);
                faults.push(Fault::new(line, what, "keep one list at the end; indent each `>` rationale by two blanks below its option"));
            }
            options(&events[blocks[index].clone()], lines, faults)
        }
    };
    check_options(&options, line, list.is_some(), faults);
    Asked { line, stem: render(stem), stem_words, options }
}

fn check_options(options: &[AskedOption], line: u32, is_list: bool, faults: &mut Vec<Fault>) {
    if is_list && !(2..=MAX_OPTIONS).contains(&options.len()) {
        let at = options.first().map_or(line, |option| option.line);
        let what = format!("{} options", options.len());
        faults.push(Fault::new(at, what, format!("write 2 to {MAX_OPTIONS}; four is usual")));
    }
    let right = options.iter().filter(|option| option.right).count();
    if let Some(first) = options.first() {
        if right == 0 {
            faults.push(Fault::new(first.line, "no option is marked right", "mark each right option with `- [x]`"));
        } else if right == options.len() {
            faults.push(Fault::new(first.line, "every option is marked right", "add at least one wrong option, `- [ ]`"));
        }
    }
    for (index, option) in options.iter().enumerate() {
        if let Some(twin) = options[..index].iter().find(|other| other.text == option.text && !option.text.as_str().is_empty()) {
            let what = format!("this option is the same as the one on line {}", twin.line);
            faults.push(Fault::new(option.line, what, "make them differ, or delete one"));
        }
        if let Some(phrase) = words::leans_on_place(&option.words) {
            let what = format!("this option leans on the place of others (\"{phrase}\")");
            faults.push(Fault::new(option.line, what, "say what you mean: options are shuffled for every attempt"));
        }
    }
}

fn options(list: &[Placed<'_>], lines: &Lines, faults: &mut Vec<Fault>) -> Vec<AskedOption> {
    if let (Event::Start(Tag::List(Some(_))), range) = &list[0] {
        faults.push(Fault::new(lines.of(range), "the options are numbered", "write `- [ ]` and `- [x]`"));
    }
    let inner = &list[1..list.len().saturating_sub(1).max(1)];
    top_level(inner).into_iter().filter_map(|item| option(&inner[item], lines, faults)).collect()
}

fn option(item: &[Placed<'_>], lines: &Lines, faults: &mut Vec<Fault>) -> Option<AskedOption> {
    let line = lines.of(&item.first()?.1);
    let content = &item[1..item.len().saturating_sub(1).max(1)];
    let mark = content.iter().take(2).find_map(|(event, _)| match event {
        Event::TaskListMarker(right) => Some(*right),
        _ => None,
    });
    let Some(right) = mark else {
        let instead =
            "write `- [ ]` or `- [x]` and the option's words; for a list inside the stem use `*`, so that the two lists stay apart";
        faults.push(Fault::new(line, "this option has no box", instead));
        return None;
    };
    let content: Vec<Placed<'_>> = {
        let mut first = true;
        let keep = |(event, _): &&Placed<'_>| !(matches!(event, Event::TaskListMarker(_)) && std::mem::take(&mut first));
        content.iter().filter(keep).cloned().collect()
    };
    if let Some((_, range)) = content.iter().find(|(event, _)| matches!(event, Event::TaskListMarker(_))) {
        faults.push(Fault::new(lines.of(range), "an option inside an option", "write all options at the left margin"));
    }
    let blocks = top_level(&content);
    let is_quote = |block: &Range<usize>| matches!(content[block.start].0, Event::Start(Tag::BlockQuote(_)));
    let quote = blocks.iter().position(is_quote);
    let text = &content[..quote.map_or(content.len(), |index| blocks[index].start)];
    let option_words = plain(text);
    if option_words.trim().is_empty() {
        faults.push(Fault::new(line, "this option is empty", "write its words after the box"));
    }
    let mut rationale = Html::default();
    match quote {
        None => faults.push(Fault::new(line, "this option has no rationale", "add it below, indented: `  > why it is right or wrong`")),
        Some(index) => {
            let block = &content[blocks[index].clone()];
            let at = lines.of(&block[0].1);
            let inner = &block[1..block.len().saturating_sub(1).max(1)];
            if plain(inner).trim().is_empty() {
                faults.push(Fault::new(at, "the rationale is empty", "say why the option is right or wrong"));
            }
            rationale = render(inner);
            if let Some(after) = blocks.get(index + 1) {
                let at = lines.of(&content[after.start].1);
                let instead = "keep the option's words above its rationale, and the rationale in one quotation: `>` on its blank lines too";
                faults.push(Fault::new(at, "something after the rationale", instead));
            }
        }
    }
    Some(AskedOption { line, text: render_option(text), words: option_words, right, rationale })
}

fn render_option(text: &[Placed<'_>]) -> Html {
    let is_running = |(event, _): &Placed<'_>| match event {
        Event::Start(tag) => matches!(tag, Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. }),
        Event::End(tag) => {
            matches!(tag, TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image)
        }
        Event::Rule => false,
        _ => true,
    };
    let running = match text {
        [(Event::Start(Tag::Paragraph), _), inner @ .., (Event::End(TagEnd::Paragraph), _)] => inner,
        other => other,
    };
    if running.iter().all(is_running) { clean::render_inline(running.iter().map(|(event, _)| event.clone())) } else { render(text) }
}

fn render(events: &[Placed<'_>]) -> Html {
    clean::render_block(events.iter().map(|(event, _)| event.clone()))
}

fn has_boxes(list: &[Placed<'_>]) -> bool {
    let mut depth = 0_usize;
    list.iter().any(|(event, _)| {
        match event {
            Event::Start(Tag::List(_)) => depth += 1,
            Event::End(TagEnd::List(_)) => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 1 && matches!(event, Event::TaskListMarker(_))
    })
}

/// Index ranges of the outermost blocks.
pub(crate) fn top_level(events: &[Placed<'_>]) -> Vec<Range<usize>> {
    let mut blocks = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (index, (event, _)) in events.iter().enumerate() {
        match event {
            Event::Start(_) => {
                if depth == 0 {
                    start = index;
                }
                depth += 1;
            }
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    blocks.push(start..index + 1);
                }
            }
            _ if depth == 0 => blocks.push(index..index + 1),
            _ => {}
        }
    }
    blocks
}

/// The words of some events, code included, markup not.
pub(crate) fn plain(events: &[Placed<'_>]) -> String {
    let mut out = String::new();
    for (event, _) in events {
        match event {
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => out.push_str(text),
            Event::SoftBreak | Event::HardBreak => out.push(' '),
            Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::CodeBlock | TagEnd::Heading(_) | TagEnd::TableCell) => out.push('\n'),
            _ => {}
        }
    }
    out.trim().to_owned()
}

/// What cleaning would drop or change without a word is a fault, so that no author loses text unseen.
pub(crate) fn prose(events: &[Placed<'_>], lines: &Lines, faults: &mut Vec<Fault>) {
    markup(events, lines, "images are not shown: say it in words, or in a table or code block", faults);
    for (event, range) in events {
        if let Event::Start(Tag::Link { dest_url, .. }) = event
            && !clean::is_link_allowed(dest_url)
        {
            faults.push(Fault::new(lines.of(range), format!("a link to `{dest_url}`"), "link to https: or mailto: addresses only"));
        }
    }
}

/// As [`prose`], but for links.
pub(crate) fn markup(events: &[Placed<'_>], lines: &Lines, instead_of_image: &str, faults: &mut Vec<Fault>) {
    let mut last_html = 0;
    for (event, range) in events {
        let line = lines.of(range);
        match event {
            Event::Html(text) | Event::InlineHtml(text) if !text.trim().is_empty() && line != last_html => {
                last_html = line;
                let tag: String = text.trim().chars().take(30).collect();
                faults.push(Fault::new(line, format!("raw HTML ({tag})"), "write Markdown, or put the words into `backticks`"));
            }
            Event::Start(Tag::Image { .. }) => {
                faults.push(Fault::new(line, "an image", instead_of_image));
            }
            _ => {}
        }
    }
}
