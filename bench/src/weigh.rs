//! The weight of one cold question page: every request a browser makes for it with an empty cache.

use serde_json::json;

use crate::{
    WeighArgs,
    client::{Answer, Trouble},
    crowd::{fresh_tag, on_one_core},
    html::tags,
    outbox::Outbox,
    person::Person,
};

/// Signs a new person in, opens a question and fetches what the page names. `true` when everything came.
///
/// # Errors
/// Words for the person at the terminal, when the page cannot be reached.
pub(crate) fn run(args: &WeighArgs) -> Result<bool, String> {
    let answers = on_one_core(async { fetch(args).await.map_err(|trouble| trouble.to_string()) })?;
    let total: u64 = answers.iter().map(|(_, answer)| answer.wire_bytes).sum();
    if args.json {
        let each: Vec<_> = answers
            .iter()
            .map(|(path, a)| json!({ "path": path, "status": a.status, "bytes": a.wire_bytes, "type": a.content_type, "encoding": a.encoding }))
            .collect();
        println!("{:#}", json!({ "requests": each, "bytes": total }));
    } else {
        for (path, a) in &answers {
            println!("{:>8} bytes  {:>3}  {:<5} {:<28} {path}", a.wire_bytes, a.status, a.encoding, a.content_type);
        }
        println!("{total:>8} bytes of bodies in {} requests; headers are not counted", answers.len());
    }
    Ok(answers.iter().all(|(_, answer)| answer.status == 200))
}

async fn fetch(args: &WeighArgs) -> Result<Vec<(String, Answer)>, Trouble> {
    let mut person = Person::new(&args.target, &fresh_tag(), 1, 1);
    person.sign_in(&Outbox::new(args.target.url())).await?;
    let path = person.open_question().await?;
    let client = person.browser();
    let page = client.get("question page", &path).await?.expect_status("question page", 200)?;
    let wanted = subresources(&page.text);
    let mut answers = vec![(path, page)];
    let mut queue = wanted;
    while let Some(path) = queue.pop() {
        if answers.iter().any(|(known, _)| *known == path) {
            continue;
        }
        let answer = client.get(&path, &path).await?;
        // A module's own imports are requests too.
        queue.extend(imports(&answer));
        answers.push((path, answer));
    }
    Ok(answers)
}

/// Paths that a browser fetches for a page: stylesheets, icons, scripts, images; `/favicon.ico` where no icon is named.
fn subresources(page: &str) -> Vec<String> {
    let links: Vec<_> = tags(page, "link").collect();
    let rel = |tag: &crate::html::Tag, word: &str| tag.get("rel").is_some_and(|rel| rel.split(' ').any(|w| w == word));
    let has_icon = links.iter().any(|link| rel(link, "icon"));
    let fetched = links.iter().filter(|link| ["stylesheet", "icon", "preload", "modulepreload", "manifest"].iter().any(|w| rel(link, w)));
    let mut paths: Vec<String> = fetched.filter_map(|link| link.get("href").map(str::to_owned)).collect();
    for element in ["script", "img"] {
        paths.extend(tags(page, element).filter_map(|tag| tag.get("src").map(str::to_owned)));
    }
    if !has_icon {
        paths.push("/favicon.ico".to_owned());
    }
    paths.retain(|path| path.starts_with('/') && !path.starts_with("//"));
    paths.dedup();
    paths
}

/// Absolute paths that a script or stylesheet pulls in itself.
fn imports(answer: &Answer) -> Vec<String> {
    let marks: &[&str] = if answer.content_type.contains("javascript") {
        &["from \"", "from\"", "import \"", "import\"", "import(\""]
    } else if answer.content_type.contains("css") {
        &["url(\"", "@import \""]
    } else {
        &[]
    };
    let found = marks.iter().flat_map(|mark| answer.text.match_indices(mark).map(move |(at, _)| at + mark.len()));
    found.filter_map(|at| answer.text[at..].split('"').next()).filter(|path| path.starts_with('/')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_browser_fetches() {
        let page = r#"<link rel="stylesheet" href="/assets/a.css"><link rel=canonical href=/x><link rel="icon" href="/favicon.svg">
            <script type="module" src="/assets/q.js"></script><img src="https://elsewhere.example/x.png"><img src="/i.svg">"#;
        assert_eq!(subresources(page), ["/assets/a.css", "/favicon.svg", "/assets/q.js", "/i.svg"]);
        assert_eq!(subresources("<p>"), ["/favicon.ico"]);
    }
}
