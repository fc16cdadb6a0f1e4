//! Writes a contact sheet of pictures: `cargo run -p assay-art --example gallery -- FOLDER`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a chore, not the program")]

use assay_art::{BadgePicture, Hallmark, badge_svg, clean_svg, favicon_svg, hallmark, logo_svg, raster};

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/art".to_owned());
    std::fs::create_dir_all(&folder).unwrap();
    for i in 1..=8_u8 {
        let svg = hallmark([i; 32], &Hallmark { accent: Some(if i % 2 == 0 { "#5fd3bf" } else { "#0b6e5f" }), ..Hallmark::default() });
        println!("hallmark {i}: {} bytes", svg.len());
        std::fs::write(format!("{folder}/hallmark-{i}.png"), raster(&svg, 300).unwrap()).unwrap();
        std::fs::write(format!("{folder}/hallmark-{i}.svg"), svg).unwrap();
    }
    let art = std::fs::read_to_string("packs/serverless/badge.svg").unwrap_or_default();
    let art = clean_svg(&art).unwrap_or_else(|faults| {
        faults.iter().for_each(|fault| println!("art: {fault}"));
        String::new()
    });
    let long = "Designing, Securing and Operating Event-Driven Serverless Applications in Regulated Organisations";
    let badges = [
        ("plain", "Serverless Foundations", None, "#0b6e5f", 1_u8),
        ("practice", "Serverless Foundations", Some("PRACTICE"), "#0b6e5f", 2),
        ("demo", "Serverless Foundations", Some("DEMONSTRATION"), "#0b6e5f", 3),
        ("long", long, Some("PRACTICE"), "#0b6e5f", 4),
        ("blue", "Čeština pro <b> & \"pány\"", None, "#2b4ea2", 5),
        ("wine", "Go", None, "#8a2b4e", 8),
    ];
    for (name, title, ribbon, accent, seed) in badges {
        let svg = badge_svg(&BadgePicture {
            art_svg: if accent == "#2b4ea2" { "" } else { &art },
            title,
            ribbon,
            accent,
            seed: [seed; 32],
            date: "2026-11-23",
            issuer: if ribbon == Some("DEMONSTRATION") { "Assay Demonstration Office" } else { "Example Academy" },
        });
        println!("badge {name}: {} bytes", svg.len());
        for pixels in [64, 200, 600] {
            std::fs::write(format!("{folder}/badge-{name}-{pixels}.png"), raster(&svg, pixels).unwrap()).unwrap();
        }
        std::fs::write(format!("{folder}/badge-{name}.svg"), svg).unwrap();
    }
    for (name, svg) in [("favicon", favicon_svg()), ("logo", logo_svg())] {
        for pixels in [16, 32, 256] {
            std::fs::write(format!("{folder}/{name}-{pixels}.png"), raster(svg, pixels).unwrap()).unwrap();
        }
    }
    if !art.is_empty() {
        for pixels in [64, 200, 600] {
            std::fs::write(format!("{folder}/art-{pixels}.png"), raster(&art, pixels).unwrap()).unwrap();
        }
    }
}
