fn takes<T: serde::Serialize>() {}

fn main() {
    takes::<assay_items::task_list::Asked>();
}
