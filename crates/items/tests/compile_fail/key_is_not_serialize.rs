use assay_items::{Html, Key};

fn main() {
    if let Ok(key) = Key::new([0], vec![Html::default(), Html::default()]) {
        let _ = serde_json::to_string(&key);
    }
}
