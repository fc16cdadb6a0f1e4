//! Hallmark, badge and raster: the same seed gives the same picture, and every picture is safe and small.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use assay_art::{BadgePicture, Cartouche, Error, Hallmark, MAX_PIXELS, badge_svg, clean_svg, hallmark, raster};

fn art() -> String {
    clean_svg(&std::fs::read_to_string("../../packs/serverless/badge.svg").unwrap()).unwrap()
}

fn badge<'a>(art_svg: &'a str, title: &'a str, seed: u8) -> BadgePicture<'a> {
    BadgePicture {
        art_svg,
        title,
        ribbon: Some("PRACTICE"),
        accent: "#0b6e5f",
        seed: [seed; 32],
        date: "2026-11-23",
        issuer: "Example Academy",
    }
}

fn edge_of(png: &[u8]) -> (u32, u32) {
    let reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    (reader.info().width, reader.info().height)
}

#[test]
fn hallmarks_are_individual_repeatable_small_and_safe() {
    let mut seen = std::collections::HashSet::new();
    for seed in 0..=255_u8 {
        for cartouche in [None, Some(Cartouche::Shield)] {
            let settings = Hallmark { cartouche, ..Hallmark::default() };
            let svg = hallmark([seed; 32], &settings);
            assert_eq!(svg, hallmark([seed; 32], &settings));
            assert!(svg.len() <= 25 * 1024, "{} bytes", svg.len());
            assert!(svg.contains("currentColor") && svg.contains("aria-hidden"));
            if seed % 16 == 0 {
                clean_svg(&svg).unwrap();
            }
            if cartouche.is_none() {
                assert!(seen.insert(svg), "seed {seed} is not individual");
            }
        }
    }
}

#[test]
fn every_cartouche_is_chosen_by_some_seed() {
    for shape in Cartouche::ALL {
        let chosen = (0..64_u8).any(|seed| {
            let auto = hallmark([seed; 32], &Hallmark::default());
            let fixed = Hallmark { cartouche: Some(shape), ..Hallmark::default() };
            auto == hallmark([seed; 32], &fixed)
        });
        assert!(chosen, "{shape:?}");
    }
}

#[test]
fn hallmark_settings_are_harmless() {
    let svg = hallmark(
        [1; 32],
        &Hallmark {
            accent: Some("red\" onload=\"alert(1)"),
            title: Some("<b>&\"\u{1}"),
            id_suffix: "-2\"><script>",
            ..Hallmark::default()
        },
    );
    clean_svg(&svg).unwrap();
    assert!(svg.contains("<title>&lt;b&gt;&amp;&quot;</title>") && svg.contains("currentColor"));
    assert!(hallmark([1; 32], &Hallmark { accent: Some("#5fd3bf"), ..Hallmark::default() }).contains("#5fd3bf"));
}

#[test]
fn badges_are_repeatable_and_individual() {
    let art = art();
    let one = badge_svg(&badge(&art, "Serverless Foundations", 1));
    assert_eq!(one, badge_svg(&badge(&art, "Serverless Foundations", 1)));
    assert_ne!(one, badge_svg(&badge(&art, "Serverless Foundations", 2)));
    assert!(!one.contains("<text") && !one.contains("NaN"));
    assert!(one.len() < 100 * 1024, "{} bytes", one.len());
}

#[test]
fn badges_survive_every_title() {
    let art = art();
    let titles = [
        "",
        " ",
        "A",
        "Tea & <cake> \"now\" ]]>",
        "日本語",
        "Łódź – Čeština, ½ Größe ﬁn",
        "\u{0}\u{1}\u{7}\u{fffe}\u{202e}rtl",
        "👩🏽‍🚀 Space",
        &"W".repeat(5_000),
        &"Long words make long badges ".repeat(20),
    ];
    for title in titles {
        for (issuer, ribbon) in [("Office & <Sons>", None), (title, Some(title))] {
            let mut picture = badge(&art, title, 3);
            picture.issuer = issuer;
            picture.ribbon = ribbon;
            let svg = badge_svg(&picture);
            // The shape of the picture is the same whatever the words are: no markup comes out of them.
            let png = raster(&svg, 64).unwrap_or_else(|e| panic!("{title:?}: {e}"));
            assert_eq!(edge_of(&png), (64, 64));
        }
    }
    let svg = badge_svg(&badge(&art, "Tea & <cake>", 3));
    assert!(svg.contains("<title>Tea &amp; &lt;cake&gt;</title>"));
}

#[test]
fn bad_art_and_colours_fall_back() {
    for art in ["", "<svg", "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><script/></svg>"] {
        let mut picture = badge(art, "Fallback", 4);
        picture.accent = "no colour\"";
        let svg = badge_svg(&picture);
        assert!(!svg.contains("script"));
        raster(&svg, 64).unwrap();
    }
}

#[test]
fn two_badges_share_no_ids() {
    let (one, two) = (badge_svg(&badge("", "A", 1)), badge_svg(&badge("", "A", 2)));
    let ids = |svg: &str| -> Vec<String> { svg.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect() };
    let two = ids(&two);
    assert!(!two.is_empty() && ids(&one).iter().all(|id| !two.contains(id)));
}

#[test]
fn raster_has_limits() {
    let svg = badge_svg(&badge(&art(), "Serverless Foundations", 1));
    assert_eq!(edge_of(&raster(&svg, 600).unwrap()), (600, 600));
    assert_eq!(raster(&svg, 64).unwrap(), raster(&svg, 64).unwrap());
    assert!(matches!(raster(&svg, 0), Err(Error::Size(0))));
    assert!(matches!(raster(&svg, MAX_PIXELS + 1), Err(Error::Size(_))));
    assert!(matches!(raster("<svg/>", 10), Err(Error::Unsafe(_))));
}

#[test]
fn pictures_that_would_take_for_ever_are_refused() {
    let head = r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">"#;
    let layers = format!(
        r#"{head}{}<rect width="9" height="9"/>{}</svg>"#,
        r#"<g opacity=".9"><rect width="1" height="1"/>"#.repeat(20),
        "</g>".repeat(20)
    );
    assert!(matches!(raster(&layers, 64), Err(Error::Layers)));
    let paint = format!("{head}{}</svg>", r#"<rect width="9" height="9"/>"#.repeat(6_000));
    assert!(matches!(raster(&paint, 2_000), Err(Error::Heavy)));
    raster(&paint, 64).unwrap();
}
