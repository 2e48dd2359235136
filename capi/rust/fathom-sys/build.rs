//! Links libfathom.so: from FATHOM_LIBRARY_DIR, or where the linker looks by itself.
fn main() {
    println!("cargo:rerun-if-env-changed=FATHOM_LIBRARY_DIR");
    if let Ok(folder) = std::env::var("FATHOM_LIBRARY_DIR") {
        println!("cargo:rustc-link-search=native={folder}");
    }
    println!("cargo:rustc-link-lib=dylib=fathom");
}
