//! Which files are read, and in which order: Spring Boot's config data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::files::{self, Format};
use super::origin::{Layer, LayerKind, Origin, Setting};
use super::{profiles, relaxed};
use crate::manifest::Problem;

/// What `spring.config.location` and `spring.config.import` name.
#[derive(Clone, Debug)]
pub struct Location {
    /// As it is shown; relative to the working directory.
    shown: String,
    kind: Kind,
    /// Whether it may be missing.
    optional: bool,
    /// Who names it; nobody for the default ones.
    origin: Option<Origin>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `application.*` in it are read.
    Directory,
    File(Format),
    /// Each file is a property.
    Tree,
}

/// Of one name, the later file wins.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "properties"];
/// Files that import each other.
const DEEPEST: usize = 20;

/// Reads files, each once.
pub struct Reader<'a> {
    /// The working directory.
    directory: &'a Path,
    /// `spring.config.name`.
    names: Vec<String>,
    /// Resolves placeholders of imports.
    resolve: &'a dyn Fn(&str) -> Result<String, String>,
    read: BTreeMap<String, Vec<Vec<Setting>>>,
    /// The files that were used, the weakest first.
    pub used: Vec<String>,
    /// What is wrong with them.
    pub problems: Vec<Problem>,
}

impl Location {
    /// Where Spring Boot looks, with the manifest's directory in place of the class path: the weakest first.
    pub fn defaults(manifest: Option<&str>, directory: &Path) -> Vec<Self> {
        let mut shown: Vec<String> = Vec::new();
        shown.extend(manifest.map(str::to_owned));
        shown.extend([String::new(), "config/".to_owned()]);
        shown.extend(subdirectories(directory, "config/"));
        let real = |shown: &String| directory.join(shown).canonicalize().ok();
        let mut kept: Vec<String> = Vec::new();
        for (at, location) in shown.iter().enumerate() {
            let again = shown[at + 1..].iter().any(|later| real(later) == real(location));
            if real(location).is_some() && !again {
                kept.push(location.clone());
            }
        }
        let default = |shown| Self {
            shown,
            kind: Kind::Directory,
            optional: true,
            origin: None,
        };
        kept.into_iter().map(default).collect()
    }

    /// Of a text such as `optional:file:./conf/`, relative to `base`; several for `conf/*/`.
    ///
    /// # Errors
    /// What cannot be read here.
    pub fn parse(text: &str, base: &str, directory: &Path, origin: &Origin) -> Result<Vec<Self>, String> {
        let (optional, rest) = match text.trim().strip_prefix("optional:") {
            Some(rest) => (true, rest),
            None => (false, text.trim()),
        };
        let (is_tree, rest) = match rest.strip_prefix("configtree:") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let is_file = rest.starts_with("file:");
        let rest = rest.strip_prefix("file:").unwrap_or(rest);
        let rest = rest.strip_prefix("resource:").unwrap_or(rest);
        if let Some((scheme, _)) = rest.split_once(':').filter(|_| !is_file) {
            return if optional {
                Ok(Vec::new())
            } else {
                Err(format!("`{text}`: files can be read, {scheme}: cannot"))
            };
        }
        let shown = if rest.starts_with('/') {
            rest.to_owned()
        } else {
            format!("{base}{}", rest.trim_start_matches("./"))
        };
        let location = |shown: String, kind| Self {
            shown,
            kind,
            optional,
            origin: Some(origin.clone()),
        };
        if let Some(parent) = shown.strip_suffix("*/") {
            let kind = if is_tree { Kind::Tree } else { Kind::Directory };
            return Ok(subdirectories(directory, parent)
                .into_iter()
                .map(|shown| location(shown, kind))
                .collect());
        }
        if is_tree {
            return Ok(vec![location(shown, Kind::Tree)]);
        }
        if shown.is_empty() || shown.ends_with('/') {
            return Ok(vec![location(shown, Kind::Directory)]);
        }
        // `app[.yaml]`: a file without an extension, and what it would be.
        let (path, extension) = match shown.strip_suffix(']').and_then(|rest| rest.rsplit_once("[.")) {
            Some((path, extension)) => (path.to_owned(), extension.to_owned()),
            None => (shown.clone(), shown.rsplit('.').next().unwrap_or_default().to_owned()),
        };
        match Format::of(&extension) {
            Some(format) => Ok(vec![location(path, Kind::File(format))]),
            None => Err(format!(
                "`{text}`: the file ends in none of .properties, .yaml and .yml; a directory ends in /"
            )),
        }
    }

    /// The files that it stands for, for no profile or for one.
    fn files(&self, names: &[String], profile: Option<&str>) -> Vec<(String, Format)> {
        let suffix = profile.map(|profile| format!("-{profile}")).unwrap_or_default();
        match self.kind {
            Kind::Tree => Vec::new(),
            Kind::Directory => names
                .iter()
                .flat_map(|name| {
                    let suffix = &suffix;
                    EXTENSIONS.iter().filter_map(move |extension| {
                        let file = format!("{}{name}{suffix}.{extension}", self.shown);
                        Some((file, Format::of(extension)?))
                    })
                })
                .collect(),
            Kind::File(format) => {
                let (stem, extension) = match self.shown.rfind('.').filter(|at| !self.shown[*at..].contains('/')) {
                    Some(at) => self.shown.split_at(at),
                    None => (&*self.shown, ""),
                };
                vec![(format!("{stem}{suffix}{extension}"), format)]
            }
        }
    }
}

/// The directories in one, by name, with a slash at their ends.
fn subdirectories(directory: &Path, parent: &str) -> Vec<String> {
    let entries = std::fs::read_dir(directory.join(parent))
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .map(|name| format!("{parent}{name}/"))
        .collect();
    names.sort();
    names
}

impl<'a> Reader<'a> {
    /// Nothing is read yet.
    pub fn new(directory: &'a Path, names: Vec<String>, resolve: &'a dyn Fn(&str) -> Result<String, String>) -> Self {
        Self {
            directory,
            names,
            resolve,
            read: BTreeMap::new(),
            used: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// All documents that hold, the weakest first; before the profiles are known, those that hold for any.
    pub fn collect(&mut self, locations: &[Location], active: Option<&[String]>) -> Vec<Layer> {
        self.used.clear();
        self.problems.clear();
        let mut layers = Vec::new();
        for location in locations {
            self.location(location, None, active, 0, &mut layers);
        }
        for profile in active.unwrap_or_default() {
            for location in locations {
                self.location(location, Some(profile), active, 0, &mut layers);
            }
        }
        layers
    }

    fn location(
        &mut self,
        location: &Location,
        profile: Option<&str>,
        active: Option<&[String]>,
        depth: usize,
        out: &mut Vec<Layer>,
    ) {
        if location.kind == Kind::Tree {
            if profile.is_none() {
                self.tree(location, out);
            }
            return;
        }
        let mut found = false;
        for (file, format) in location.files(&self.names, profile) {
            found |= self.file(&file, format, profile.is_some(), active, depth, out);
        }
        let is_missing = match location.kind {
            Kind::Directory => !self.path(&location.shown).is_dir(),
            _ => !found,
        };
        if is_missing && profile.is_none() {
            self.missing(location);
        }
    }

    fn missing(&mut self, location: &Location) {
        if let Some(origin) = location.origin.as_ref().filter(|_| !location.optional) {
            let shown = &location.shown;
            self.problems.push(origin.problem(format!(
                "there is no {shown}: write `optional:` before it if it may be missing"
            )));
        }
    }

    fn path(&self, shown: &str) -> PathBuf {
        self.directory.join(shown)
    }

    fn tree(&mut self, location: &Location, out: &mut Vec<Layer>) {
        match files::read_tree(&self.path(&location.shown), &location.shown) {
            Ok(settings) => {
                self.used.push(location.shown.clone());
                out.push(Layer {
                    settings,
                    kind: LayerKind::File,
                });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.missing(location),
            Err(error) => {
                let message = format!("cannot be read: {error}");
                self.problems
                    .push(Problem::nowhere(&location.shown, "unreadable", message));
            }
        }
    }

    /// Whether the file is there.
    fn file(
        &mut self,
        file: &str,
        format: Format,
        is_of_profile: bool,
        active: Option<&[String]>,
        depth: usize,
        out: &mut Vec<Layer>,
    ) -> bool {
        if !self.read.contains_key(file) {
            match files::read(&self.path(file), file, format) {
                Ok(None) => return false,
                Ok(Some(documents)) => drop(self.read.insert(file.to_owned(), documents)),
                Err(problems) => {
                    self.problems.extend(problems);
                    return true;
                }
            }
        }
        self.used.push(file.to_owned());
        for document in self.read[file].clone() {
            self.document(file, document, is_of_profile, active, depth, out);
        }
        true
    }

    fn document(
        &mut self,
        file: &str,
        document: Vec<Setting>,
        is_of_profile: bool,
        active: Option<&[String]>,
        depth: usize,
        out: &mut Vec<Layer>,
    ) {
        let layer = Layer {
            settings: document,
            kind: LayerKind::File,
        };
        let on_profile = layer.get("spring.config.activate.on-profile");
        if let Some(setting) = on_profile {
            match active.map(|active| profiles::accepts(&setting.value, active)) {
                None | Some(Ok(false)) => return,
                Some(Ok(true)) => {}
                Some(Err(message)) => return self.problems.push(setting.origin.problem(message)),
            }
        }
        if let Some(setting) = layer.get("spring.config.activate.on-cloud-platform") {
            let message = "documents of a cloud platform are not told apart: use spring.config.activate.on-profile";
            return self.problems.push(setting.origin.problem(message));
        }
        if is_of_profile || on_profile.is_some() {
            let wrong = layer.settings.iter().find(|setting| {
                ["active", "include", "default", "group"].iter().any(|word| {
                    let name = format!("spring.profiles.{word}");
                    let key = relaxed::indexed(&setting.key).map_or(&*setting.key, |(key, _)| key);
                    relaxed::same(key, &name) || relaxed::below(key, &name).is_some()
                })
            });
            if let Some(setting) = wrong {
                let message = format!(
                    "{} cannot depend on a profile: set it where no profile is asked for",
                    setting.key
                );
                self.problems.push(setting.origin.problem(message));
            }
        }
        let imports = imports(&layer);
        out.push(layer);
        for (text, origin) in imports {
            self.import(file, &text, &origin, active, depth, out);
        }
    }

    fn import(
        &mut self,
        file: &str,
        text: &str,
        origin: &Origin,
        active: Option<&[String]>,
        depth: usize,
        out: &mut Vec<Layer>,
    ) {
        if depth >= DEEPEST {
            return self.problems.push(origin.problem("files import each other"));
        }
        let base = file.rfind('/').map_or("", |at| &file[..=at]);
        let resolve = self.resolve;
        let locations = resolve(text).and_then(|text| Location::parse(&text, base, self.directory, origin));
        match locations {
            Err(message) => self.problems.push(origin.problem(message)),
            Ok(locations) => {
                for location in &locations {
                    self.location(location, None, active, depth + 1, out);
                    for profile in active.unwrap_or_default() {
                        self.location(location, Some(profile), active, depth + 1, out);
                    }
                }
            }
        }
    }
}

/// What a document imports, in order.
fn imports(layer: &Layer) -> Vec<(String, Origin)> {
    let is_import = |setting: &&Setting| {
        let key = relaxed::indexed(&setting.key).map_or(&*setting.key, |(key, _)| key);
        relaxed::same(key, "spring.config.import")
    };
    let each = |setting: &Setting| {
        let texts = setting
            .value
            .split([',', ';'])
            .map(str::trim)
            .filter(|text| !text.is_empty());
        texts
            .map(|text| (text.to_owned(), setting.origin.clone()))
            .collect::<Vec<_>>()
    };
    layer.settings.iter().filter(is_import).flat_map(each).collect()
}
