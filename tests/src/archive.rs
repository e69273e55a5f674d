//! What the archive holds, read as its readers do.

use std::io::Read;

use anyhow::{Context, Result, ensure};
use edgetally_proto::archive::manifest::Manifest;
use edgetally_proto::archive::names::{MANIFEST, RawName};
use edgetally_proto::archive::{Listing, ROUTE};
use flate2::read::GzDecoder;

use crate::http::Answer;

/// The names of all objects that begin with a prefix, by a function that asks the worker.
pub fn names(ask: impl Fn(&str) -> Result<Answer>, prefix: &str) -> Result<Vec<String>> {
    let (mut names, mut next) = (Vec::new(), String::new());
    loop {
        let answer = ask(&format!("{ROUTE}?prefix={prefix}&cursor={next}"))?;
        ensure!(answer.status == 200, "{}", answer.text());
        let page: Listing = serde_json::from_slice(&answer.body)?;
        names.extend(page.results.into_iter().map(|object| object.name));
        match page.next {
            Some(cursor) => next = cursor.replace('+', "%2B"),
            None => return Ok(names),
        }
    }
}

/// Every line of a site's archive, each as often as it is there.
///
/// # Errors
/// If a part is not as its manifest lists it, or one that is listed is missing.
pub fn lines(ask: impl Fn(&str) -> Result<Answer>, site: &str) -> Result<Vec<String>> {
    let names = names(&ask, &format!("raw/{site}/"))?;
    let mut lines = Vec::new();
    for name in &names {
        let (folder, file) = name.rsplit_once('/').context("a folder")?;
        let manifest = ask(&format!("{ROUTE}/{folder}/{MANIFEST}"))?;
        // A part stands there before it is listed.
        let manifest = (manifest.status == 200).then(|| Manifest::read(&manifest.body));
        let manifest = manifest.transpose().map_err(anyhow::Error::msg)?;
        if RawName::parse(name).is_none_or(|raw| raw.part.is_none()) {
            for part in manifest.iter().flat_map(|manifest| &manifest.parts) {
                let listed = format!("{folder}/{}", part.name);
                // It may have been put and listed since.
                let is_there =
                    names.contains(&listed) || ask(&format!("{ROUTE}/{listed}"))?.status == 200;
                ensure!(is_there, "{listed} is listed and not there");
            }
            continue;
        }
        let body = ask(&format!("{ROUTE}/{name}"))?.body;
        if let Some(part) = manifest.as_ref().and_then(|manifest| manifest.part(file)) {
            ensure!(part.fits(&body), "{name} is not as it is listed");
        }
        let mut text = String::new();
        GzDecoder::new(body.as_slice()).read_to_string(&mut text).context(name.clone())?;
        lines.extend(text.lines().map(str::to_owned));
    }
    Ok(lines)
}
