//! Cleaning: what a hostile picture tries, and what an honest one keeps.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use assay_art::{MAX_SVG_BYTES, clean_svg, raster};

const HEAD: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 10 10">"#;

fn picture(inner: &str) -> String {
    format!("{HEAD}{inner}</svg>")
}

/// Each with a word that its fault has to contain.
const HOSTILE: &[(&str, &str)] = &[
    ("<script>alert(1)</script>", "script"),
    ("<SCRIPT>alert(1)</SCRIPT>", "SCRIPT"),
    (r#"<script href="data:text/javascript,alert(1)"/>"#, "script"),
    (r#"<g onload="alert(1)"/>"#, "onload"),
    (r#"<g ONCLICK="alert(1)"/>"#, "ONCLICK"),
    (r#"<rect width="1" height="1" onmouseover="alert(1)"/>"#, "onmouseover"),
    (r#"<a href="javascript:alert(1)"><rect width="9" height="9"/></a>"#, "<a>"),
    (r#"<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><script>1</script></body></foreignObject>"#, "foreignObject"),
    (r#"<iframe xmlns="http://www.w3.org/1999/xhtml" srcdoc="x"/>"#, "iframe"),
    (r#"<h:script xmlns:h="http://www.w3.org/1999/xhtml">1</h:script>"#, "script"),
    (r#"<image href="https://example.com/a.png"/>"#, "image"),
    (r#"<image href="data:image/svg+xml;base64,PHN2Zy8+"/>"#, "image"),
    (r#"<use href="https://example.com/a.svg#x"/>"#, "href"),
    (r#"<use xlink:href="data:image/svg+xml,x#x"/>"#, "href"),
    (r#"<use href="file:///etc/passwd#x"/>"#, "href"),
    (r##"<use href="#nothing"/>"##, "nothing"),
    (r##"<g id="a"><use href="#a"/></g>"##, "circle"),
    (r##"<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>"##, "circle"),
    (r##"<linearGradient id="a" href="#b"/><linearGradient id="b" href="#a"/>"##, "circle"),
    (r##"<clipPath id="c"><rect width="5" height="5" clip-path="url(#c)"/></clipPath>"##, "clip"),
    (r#"<rect width="5" height="5" style="fill:url(https://example.com)"/>"#, "style"),
    (r#"<rect width="5" height="5" fill="url(https://example.com/#a)"/>"#, "fill"),
    (r#"<rect width="5" height="5" fill="url('//example.com')"/>"#, "fill"),
    (r#"<rect width="5" height="5" fill="red;background:url(x)"/>"#, "fill"),
    (r#"<rect width="5" height="5" fill="expression(alert(1))"/>"#, "fill"),
    (r#"<rect width="5" height="5" fill="var(--x)"/>"#, "fill"),
    (r#"<rect class="button" width="5" height="5"/>"#, "class"),
    ("<style>@import url(https://example.com)</style>", "style"),
    (r#"<animate attributeName="href" values="javascript:alert(1)"/>"#, "animate"),
    (r#"<set attributeName="onclick" to="alert(1)"/>"#, "set"),
    (r#"<animateTransform attributeName="transform"/>"#, "animateTransform"),
    (r#"<text>fine words</text>"#, "text"),
    ("words outside", "text between"),
    (r#"<filter id="f"><feImage href="http://example.com"/></filter>"#, "filter"),
    (r#"<rect width="5" height="5" filter="url(#f)"/>"#, "filter"),
    (r#"<pattern id="p"/>"#, "pattern"),
    (r#"<metadata>x</metadata>"#, "metadata"),
    (r#"<handler xmlns:ev="http://www.w3.org/2001/xml-events" ev:event="load"/>"#, "handler"),
    (r#"<g xml:base="https://example.com/"/>"#, "base"),
    (r#"<title><b>bold</b></title>"#, "words only"),
    (r#"<g id="x"/><g id="x"/>"#, "twice"),
    (r#"<g id="a b"/>"#, "id"),
    (r#"<g id="&quot;&gt;&lt;script&gt;"/>"#, "id"),
    (r#"<path d="M0 0L1e99 5"/>"#, "d="),
    (r#"<path d="M0 0&quot; onload=&quot;alert(1)"/>"#, "d="),
    (r#"<path stroke-dasharray="0.0001" d="M0 0L99999 0"/>"#, "stroke-dasharray"),
    (r#"<rect width="calc(1px)" height="5"/>"#, "width"),
    (r#"<g transform="rotate(1) url(x)"/>"#, "transform"),
    (r#"<?xml-stylesheet href="https://example.com/x.css"?>"#, "processing"),
    (r#"<svg viewBox="0 0 1 1"/>"#, "svg"),
    (r##"<use href="#g" fill="red"/><linearGradient id="g"/>"##, "leads to"),
    (r#"<stop offset="0"/>"#, "stop"),
];

#[test]
fn hostile_pictures_are_refused_with_a_reason() {
    for (inner, word) in HOSTILE {
        let faults = clean_svg(&picture(inner)).expect_err(inner);
        assert!(faults.iter().any(|f| f.contains(word)), "{inner}: {faults:?}");
        assert!(faults.iter().all(|f| f.contains("line ")), "{inner}: {faults:?}");
        assert!(raster(&picture(inner), 16).is_err(), "{inner}");
    }
}

#[test]
fn whole_documents_that_are_refused() {
    let bombs = [
        String::new(),
        "\u{0}".to_owned(),
        "not xml".to_owned(),
        "<html/>".to_owned(),
        "<svg viewBox='0 0 1 1'/>".to_owned(),
        r#"<svg xmlns="http://www.w3.org/2000/svg"/>"#.to_owned(),
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 0 5"/>"#.to_owned(),
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 NaN inf"/>"#.to_owned(),
        r#"<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">&a;</svg>"#.to_owned(),
        r#"<!DOCTYPE svg SYSTEM "file:///etc/passwd"><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>"#.to_owned(),
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1" onload="x"/>"#.to_owned(),
        picture(&"<g>".repeat(60_000)),
        picture(&format!("{}{}", "<g>".repeat(5_000), "</g>".repeat(5_000))),
        picture(&"<g/>".repeat(45_000)),
        HEAD.to_owned(),
    ];
    for bomb in bombs {
        let start: String = bomb.chars().take(80).collect();
        assert!(clean_svg(&bomb).is_err(), "{start}");
        assert!(raster(&bomb, 16).is_err(), "{start}");
    }
}

#[test]
fn a_picture_has_a_largest_size() {
    let faults = clean_svg(&picture(&" ".repeat(MAX_SVG_BYTES))).unwrap_err();
    assert!(faults[0].contains("204800"), "{faults:?}");
    assert!(raster(&picture(&" ".repeat(1024 * 1024)), 16).is_err());
}

#[test]
fn copies_of_copies_are_refused() {
    let mut inner = String::from(r#"<g id="l0"><rect width="1" height="1"/></g>"#);
    for level in 1..12 {
        let uses = format!(r##"<use href="#l{}"/>"##, level - 1).repeat(10);
        inner.push_str(&format!(r#"<g id="l{level}">{uses}</g>"#));
    }
    let faults = clean_svg(&picture(&inner)).unwrap_err();
    assert!(faults.iter().any(|f| f.contains("multiply")), "{faults:?}");
}

#[test]
fn a_deep_chain_of_uses_does_not_overflow() {
    let mut inner = String::from(r#"<g id="l0"/>"#);
    for level in 1..3000 {
        inner.push_str(&format!(r##"<g id="l{level}"><use href="#l{}"/></g>"##, level - 1));
    }
    // Whether it is taken matters less than that the answer comes.
    let _ = clean_svg(&picture(&inner));
    let mut inner = String::from(r#"<g id="l2999"/>"#);
    for level in (0..2999).rev() {
        inner.insert_str(0, &format!(r##"<g id="l{level}"><use href="#l{}"/></g>"##, level + 1));
    }
    assert!(clean_svg(&picture(&inner)).is_err());
}

const HONEST: &str = r##"<?xml version="1.0" encoding="UTF-8"?>
<!-- a comment -->
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 100 100" fill="none" version="1.1">
  <title>Tea &amp; &lt;cake&gt;</title><desc>Two   lines
  of words</desc>
  <defs><linearGradient id="g" x1="0%" y2="1"><stop offset="50%" stop-color="#FFF"/></linearGradient>
  <linearGradient id="h" xlink:href="#g"/><clipPath id="c"><circle r="9" cx="1e1" cy="-.5"/></clipPath></defs>
  <g clip-path="url('#c')" transform="translate(1,2) rotate(-4.5 1 1)"><path id="p" d="M0-1l.5.5a1 1 0 013 4z" fill="url(#h)"/></g>
  <use xlink:href="#p" stroke="rgb(1, 2, 3)" stroke-dasharray="1 2"/><polygon points="0,0 1,1-2 3" fill="currentColor"/>
</svg>"##;

#[test]
fn honest_pictures_keep_what_they_hold() {
    let clean = clean_svg(HONEST).unwrap();
    for kept in [
        "<title>Tea &amp; &lt;cake&gt;</title>",
        "<desc>Two lines of words</desc>",
        "x1=\"0%\"",
        "stop-color=\"#FFF\"",
        "rotate(-4.5 1 1)",
        "M0-1l.5.5a1 1 0 013 4z",
        "rgb(1, 2, 3)",
        "viewBox=\"0 0 100 100\"",
        "fill=\"none\"",
    ] {
        assert!(clean.contains(kept), "{kept} in {clean}");
    }
    assert!(!clean.contains("id=\"g\"") && !clean.contains("comment") && !clean.contains("xlink"));
    assert!(raster(&clean, 64).is_ok());
}

#[test]
fn cleaning_twice_is_cleaning_once() {
    let art = std::fs::read_to_string("../../packs/serverless/badge.svg").unwrap();
    for svg in [HONEST, &art] {
        let once = clean_svg(svg).unwrap();
        assert_eq!(clean_svg(&once).unwrap(), once);
    }
}

#[test]
fn two_pictures_have_ids_of_their_own() {
    let one = clean_svg(&picture(r#"<g id="a"/>"#)).unwrap();
    let two = clean_svg(&picture(r#"<g id="a" opacity=".5"/>"#)).unwrap();
    let same = clean_svg(&picture(r#"<g id="other"/>"#)).unwrap();
    let id = |svg: &str| svg.split("id=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_ne!(id(&one), id(&two));
    assert_eq!(one, same);
}

#[test]
fn faults_are_listed_but_not_without_end() {
    let faults = clean_svg(&picture(&"<script/>\n".repeat(500))).unwrap_err();
    assert!(faults.len() < 60 && faults.last().unwrap().contains("and more"));
    assert!(faults[1].starts_with("line 2:"), "{faults:?}");
}
