//! Turns on the half of `src/store/sync.rs` that a scheduler of threads is behind.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cfg=shuttle");
}
