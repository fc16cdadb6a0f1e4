//! The sample programme is embedded in the program: a changed, new or deleted file in it builds the program again.

fn main() {
    println!("cargo::rerun-if-changed=../../packs/serverless");
}
