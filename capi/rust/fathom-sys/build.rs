//! Finds libfathom.so and links it: in FATHOM_LIBRARY_DIR, in a build folder of the repository, or where the linker looks by itself.
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{exit, Command};

const NAME: &str = "libfathom.so";
const SONAME: &str = "libfathom.so.1"; // the name that programs look for when they start

fn main() {
    println!("cargo:rerun-if-env-changed=FATHOM_LIBRARY_DIR");
    println!("cargo:rustc-link-lib=dylib=fathom");
    if env::var_os("DOCS_RS").is_some() {
        return;
    }
    let found = match env::var_os("FATHOM_LIBRARY_DIR") {
        Some(wanted) => named(Path::new(&wanted)),
        None => built().or_else(|looked| if linker_finds_it() { Ok(None) } else { Err(looked) }),
    };
    match found {
        Ok(Some(folder)) => link(&folder),
        Ok(None) => {}
        Err(looked) => {
            eprintln!(
                "{NAME} is not in {}: set FATHOM_LIBRARY_DIR to the folder that has it, which is build/lib after `cmake --build build \
                 --target fathom_capi`, and link programs that start outside cargo with -Wl,-rpath,THAT_FOLDER.",
                looked.join(", ")
            );
            exit(1);
        }
    }
}

/// The folder that FATHOM_LIBRARY_DIR names. A relative path counts from the caller's folder, which the shell's PWD still tells.
fn named(wanted: &Path) -> Result<Option<PathBuf>, Vec<String>> {
    let starts = [env::var_os("PWD").map(PathBuf::from), env::current_dir().ok(), Some(repository())];
    let places: Vec<PathBuf> = starts.into_iter().flatten().map(|start| start.join(wanted)).collect();
    match places.iter().find(|place| place.join(NAME).is_file()) {
        Some(place) => Ok(Some(place.clone())),
        None => Err(tell(&places)),
    }
}

fn repository() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    package.ancestors().nth(3).unwrap_or(&package).to_path_buf()
}

/// A folder build*/lib of the repository: build before others. Libraries that need a sanitizer's run time are passed over.
fn built() -> Result<Option<PathBuf>, Vec<String>> {
    let root = repository();
    let mut folders: Vec<PathBuf> = fs::read_dir(&root)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("build"))
        .map(|entry| entry.path().join("lib"))
        .filter(|folder| folder.join(NAME).is_file() && !is_sanitized(&folder.join(NAME)))
        .collect();
    folders.sort(); // "build" comes before "build-tests"
    match folders.into_iter().next() {
        Some(folder) => Ok(Some(folder)),
        None => Err(tell(&[root.join("build/lib")])),
    }
}

fn is_sanitized(library: &Path) -> bool {
    let bytes = fs::read(library).unwrap_or_default();
    bytes.windows(7).any(|window| window == b"__asan_" || window == b"__tsan_")
}

/// The compiler prints a path for files that its linker finds, and the bare name for others.
fn linker_finds_it() -> bool {
    if env::var_os("HOST") != env::var_os("TARGET") {
        return true; // the other system's folders are the linker's to know
    }
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    match Command::new(compiler).arg(format!("-print-file-name={NAME}")).output() {
        Ok(told) => told.stdout.contains(&b'/'),
        Err(_) => true,
    }
}

fn link(folder: &Path) {
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    let library = folder.join(NAME);
    println!("cargo:rerun-if-changed={}", library.display());
    println!("cargo:lib_dir={}", folder.display()); // DEP_FATHOM_LIB_DIR in build scripts of crates that depend on this one
    // Cargo lets programs that it starts look into OUT_DIR, but not into folders outside its own.
    let out = env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    let near = [NAME, SONAME].iter().all(|name| {
        let link = out.join(name);
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(&library, &link).is_ok()
    });
    println!("cargo:rustc-link-search=native={}", if near { out.display() } else { folder.display() });
}

fn tell(places: &[PathBuf]) -> Vec<String> {
    places.iter().map(|place| place.display().to_string()).collect()
}
