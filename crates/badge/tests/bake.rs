//! Baking: what goes in comes out, pictures stay pictures, and no input makes anything panic.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod common;

use assay_badge::*;
use common::*;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A small picture made by the `png` crate.
fn picture(text: Option<(&str, &str)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png_crate::Encoder::new(&mut bytes, 2, 2);
    encoder.set_color(png_crate::ColorType::Rgba);
    if let Some((keyword, text)) = text {
        encoder.add_itxt_chunk(keyword.to_owned(), text.to_owned()).unwrap();
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[7; 16]).unwrap();
    drop(writer);
    bytes
}

use ::png as png_crate;

const DRAWING: &str = "<?xml version=\"1.0\"?>\n<!DOCTYPE svg>\n<svg xmlns=\"http://www.w3.org/2000/svg\" data-x='a>b' viewBox=\"0 0 1 1\"><title>a</title></svg>";

fn json_of(found: &Unbaked) -> Value {
    match &found.payload {
        Payload::Json(text) => serde_json::from_str(text).unwrap(),
        Payload::Jws(_) => panic!("a token"),
    }
}

#[test]
fn a_baked_badge_verifies_and_the_picture_still_opens() {
    let badge = signed(&spec());
    let baked = assay_badge::png(&picture(Some(("Comment", "kept"))), &badge.to_string()).unwrap();
    assert_eq!(check(&baked).verdict, Verdict::Valid);
    let twice = assay_badge::png(&baked, &badge.to_string()).unwrap();
    assert_eq!(twice, baked, "baking again replaces");
    let mut reader = png_crate::Decoder::new(std::io::Cursor::new(&baked)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    assert_eq!(pixels, [7; 16]);
    reader.finish().unwrap();
    let texts = &reader.info().utf8_text;
    let ours = texts.iter().find(|t| t.keyword == "openbadgecredential").unwrap();
    assert!(!ours.compressed);
    assert_eq!(ours.get_text().unwrap(), badge.to_string());
    assert!(texts.iter().any(|t| t.keyword == "Comment"));

    let drawn = svg(DRAWING, &badge.to_string()).unwrap();
    assert_eq!(check(drawn.as_bytes()).verdict, Verdict::Valid);
    assert_eq!(svg(&drawn, &badge.to_string()).unwrap(), drawn);
    assert!(drawn.contains("<title>a</title></svg>"));
}

#[test]
fn drawings_of_all_kinds() {
    let badge = json!({"a": "]]>\u{fffe}\r\n<b>&amp;"}).to_string();
    for drawing in [
        "<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
        "<s:svg xmlns:s=\"http://www.w3.org/2000/svg\" />",
        "<svg xmlns:openbadges=\"http://openbadges.org\"><openbadges:assertion verify='x'/></svg>",
        "<svg xmlns:openbadges=\"https://purl.imsglobal.org/ob/v3p0\"><openbadges:credential verify=\"eyJ.a.b\"></openbadges:credential></svg>",
        "<svg xmlns:o=\"https://purl.imsglobal.org/ob/v3p0\"><o:credential>{}</o:credential></svg>",
    ] {
        let baked = svg(drawing, &badge).unwrap();
        let found = unbake(baked.as_bytes()).unwrap();
        assert_eq!(found.carrier, Carrier::Svg);
        assert_eq!(json_of(&found), serde_json::from_str::<Value>(&badge).unwrap(), "{baked}");
    }
    assert!(svg("<html/>", "{}").is_err());
    assert!(svg("<svg>", "{}").is_err());
}

#[test]
fn what_carries_no_badge_is_said_so() {
    assert_eq!(unbake(&picture(None)), Err(BakeError::NoBadge));
    assert_eq!(unbake(&picture(Some(("openbadges", "{}")))), Err(BakeError::OpenBadges2));
    assert_eq!(unbake(DRAWING.as_bytes()), Err(BakeError::NoBadge));
    assert_eq!(unbake(b"hello"), Err(BakeError::Unknown));
    assert_eq!(unbake(&[0xff, 0xfe]), Err(BakeError::Unknown));
    let token = unbake(b" eyJhbGciOiJFUzI1NiJ9.e30.AAAA\n").unwrap();
    assert!(matches!(token.payload, Payload::Jws(_)));
    assert_eq!(check(b"eyJhbGciOiJub25lIn0.e30.").verdict, Verdict::CannotDecide);
    assert_eq!(assay_badge::png(&picture(None), "no json"), Err(BakeError::NotJson));
    // A billion laughs.
    let laughs = "<!DOCTYPE svg [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;\"><!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;\"><!ENTITY f \"&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;\">]><svg>&f;&f;&f;&f;&f;&f;&f;&f;</svg>";
    assert!(unbake(laughs.as_bytes()).is_err());
}

#[test]
fn a_flipped_bit_in_a_baked_badge_is_never_valid() {
    let badge = signed(&spec());
    let baked = assay_badge::png(&picture(None), &badge.to_string()).unwrap();
    for at in (0..baked.len()).step_by(3) {
        let mut altered = baked.clone();
        altered[at] ^= 0x04;
        let report = check(&altered);
        // The picture's own bytes are protected by checksums, so every change shows.
        assert_ne!(report.exit_code(false), 0, "at {at}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from), any::<String>().prop_map(Value::from),];
    let tree = leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(any::<String>(), tree, 0..6).prop_map(|m| Value::Object(m.into_iter().collect()))
}

/// Documents that are nearly badges: parts of a real one replaced by anything.
fn nearly_a_badge() -> impl Strategy<Value = Value> {
    let places = prop::sample::select(vec![
        "/@context",
        "/@context/1",
        "/id",
        "/type",
        "/issuer",
        "/validFrom",
        "/validUntil",
        "/name",
        "/credentialSubject",
        "/credentialSubject/id",
        "/credentialSubject/achievement",
        "/credentialSubject/achievement/criteria",
        "/credentialSubject/identifier",
        "/credentialStatus",
        "/credentialStatus/statusListIndex",
        "/credentialStatus/type",
        "/evidence",
        "/proof",
        "/proof/0",
        "/proof/0/type",
        "/proof/0/created",
        "/proof/0/verificationMethod",
        "/proof/0/proofValue",
    ]);
    let anything = prop_oneof![
        any_json(),
        Just(Value::Null),
        any::<String>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!([])),
        Just(json!([[["x"]]]))
    ];
    (places, anything).prop_map(|(place, value)| {
        let mut badge = signed(&spec());
        *badge.pointer_mut(place).unwrap() = value;
        badge
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn baking_round_trip(document in any_json()) {
        let text = document.to_string();
        let in_png = unbake(&assay_badge::png(&picture(None), &text).unwrap()).unwrap();
        prop_assert_eq!(in_png, Unbaked { payload: Payload::Json(text.clone()), carrier: Carrier::Png });
        let in_svg = unbake(svg(DRAWING, &text).unwrap().as_bytes()).unwrap();
        prop_assert_eq!(json_of(&in_svg), document);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "\\PC*") {
        let _ = check(&bytes);
        let _ = check(text.as_bytes());
        let _ = check(&[b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", bytes.as_slice()].concat());
        let _ = check(format!("<svg>{text}</svg>").as_bytes());
        let _ = assay_badge::png(&bytes, "{}");
        let _ = svg(&text, "{}");
        let _ = StatusList::decode(&format!("u{text}"));
        let _ = PublicKey::from_multibase(&format!("z{text}"));
    }

    #[test]
    fn nearly_badges_never_panic_and_are_never_valid(document in nearly_a_badge()) {
        let report = check(document.to_string().as_bytes());
        prop_assert_ne!(report.exit_code(false), 0);
        let _ = lint(&document);
        let _ = conforms(&document, ContextSet::bundled(), Kind::AnyCredential);
    }
}
