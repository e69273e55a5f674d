//! The bucket, and what must be in it at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use edge_worker::archivist::{Condition, Operation, Outcome};
use edgetally_proto::archive::Line;
use edgetally_proto::archive::manifest::Manifest;
use edgetally_proto::archive::names::{MANIFEST, RawName};
use flate2::read::GzDecoder;

use super::model::Service;

/// Objects by name, with what changes when they are written.
#[derive(Debug, Default)]
pub struct Bucket {
    objects: BTreeMap<String, (Vec<u8>, u64)>,
    writes: u64,
}

impl Bucket {
    /// Carries out an operation, as well as it is served.
    pub fn perform(&mut self, operation: Operation, service: Service) -> Outcome {
        if service == Service::Failed {
            return Outcome::Failed;
        }
        let outcome = match operation {
            Operation::Get { name } => self.get(&name),
            Operation::Put { name, body, condition } => self.put(name, body, &condition),
            Operation::Delete { names } => {
                names.iter().for_each(|name| drop(self.objects.remove(name)));
                Outcome::Done
            }
        };
        if service == Service::AnswerLost { Outcome::Failed } else { outcome }
    }

    fn get(&self, name: &str) -> Outcome {
        match self.objects.get(name) {
            Some((body, etag)) => Outcome::Found { body: body.clone(), etag: etag.to_string() },
            None => Outcome::Absent,
        }
    }

    fn put(&mut self, name: String, body: Vec<u8>, condition: &Condition) -> Outcome {
        let known = self.objects.get(&name).map(|(_, etag)| etag.to_string());
        let holds = match condition {
            Condition::Absent => known.is_none(),
            Condition::Unchanged { etag } => known.as_ref() == Some(etag),
        };
        if !holds {
            return Outcome::Conflict;
        }
        self.writes += 1;
        self.objects.insert(name, (body, self.writes));
        Outcome::Done
    }

    /// An object's bytes.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.objects.get(name).map(|(body, _)| body.clone())
    }

    /// Numbers of the events in the raw archive, each as often as it is there.
    ///
    /// # Errors
    /// If a part is not listed, is not as it is listed, or is missing.
    pub fn archived(&self) -> Result<Vec<u16>, String> {
        let mut numbers = Vec::new();
        let mut listed = BTreeSet::new();
        let mut there = BTreeSet::new();
        for (name, (body, _)) in &self.objects {
            let Some(raw) = RawName::parse(name) else { continue };
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            let manifest = self.read(&format!("{folder}/{MANIFEST}"));
            let manifest = Manifest::read(&manifest.ok_or(format!("{folder} has no list"))?)?;
            if raw.part.is_none() {
                let parts = manifest.parts.iter();
                listed.extend(parts.map(|part| format!("{folder}/{}", part.name)));
                continue;
            }
            let file = name.rsplit('/').next().unwrap_or_default();
            let part = manifest.part(file).ok_or(format!("{name} is not listed"))?;
            let lines = lines(body)?;
            if !part.fits(body) || part.lines != lines.len() as u64 {
                return Err(format!("{name} is not as it is listed"));
            }
            numbers.extend(lines);
            there.insert(name.clone());
        }
        if listed == there { Ok(numbers) } else { Err(format!("{listed:?} are listed")) }
    }
}

/// Numbers of the events in a part.
fn lines(part: &[u8]) -> Result<Vec<u16>, String> {
    let mut text = String::new();
    GzDecoder::new(part).read_to_string(&mut text).map_err(|error| error.to_string())?;
    let number = |line: &str| {
        let (_, event) = Line::read(line).map_err(|error| format!("{error}: {line}"))?;
        let id = event.id.to_string();
        id.trim_start_matches('e').parse().map_err(|_| format!("{id} is no id"))
    };
    text.lines().map(number).collect()
}
