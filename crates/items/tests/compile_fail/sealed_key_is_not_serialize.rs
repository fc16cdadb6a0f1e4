use assay_items::SealedKey;

fn main() {
    let _ = serde_json::to_string(&SealedKey(Vec::new()));
}
