use assay_items::{Html, Key};

fn main() {
    if let Ok(key) = Key::new([0], vec![Html::default(), Html::default()]) {
        let _ = key.right;
        let _ = key.rationales;
    }
}
