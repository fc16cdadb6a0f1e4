fn takes<T: serde::Serialize>() {}

fn main() {
    takes::<assay_items::Item>();
}
