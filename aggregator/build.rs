//! Lists the files of the built dashboard, so that they become part of the program.
//!
//! Without a build of them the program says so on its page; everything else of it works.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The media type of a file by the end of its name; others are not served.
fn kind(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()? {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dashboard = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("dashboard");
    let dist = dashboard.join("dist");
    let is_built = dist.join("index.html").exists();
    // A path that is not there would be looked for again by every build.
    let watched = if is_built { &dist } else { &dashboard };
    println!("cargo::rerun-if-changed={}", watched.display());
    let mut found = Vec::new();
    if is_built {
        files(&dist, &mut found)?;
        found.sort();
    }
    let mut list = String::from("&[\n");
    for path in &found {
        let Some(kind) = kind(path) else { continue };
        let name = path.strip_prefix(&dist)?.display();
        let (plain, packed) = (path.display(), format!("{}.gz", path.display()));
        writeln!(
            list,
            "    File {{ path: \"/{name}\", kind: {kind:?}, plain: include_bytes!({:?}), packed: \
             include_bytes!({packed:?}) }},",
            plain.to_string(),
        )?;
    }
    list.push_str("]\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("dashboard.rs"), list)?;
    Ok(())
}
