//! Configuration in Spring Boot's manner. From the strongest source to the weakest: arguments, environment, files of profiles,
//! `application.{properties,yml,yaml}`, the manifest; defaults are the engine's.

mod bind;
mod environment;
mod files;
mod locations;
mod mask;
mod origin;
mod placeholders;
mod profiles;
mod properties;
mod relaxed;
mod spring;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use millrace::config::{self, Notice};

pub use bind::Chosen;
pub use files::START;
use locations::{Location, Reader};
pub use mask::{MASK, is_secret};
pub use origin::{Layer, LayerKind, Origin, Setting};

use crate::manifest::Problem;

/// What surrounds the process.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// The working directory.
    pub directory: PathBuf,
}

impl Surroundings {
    /// This process's. Variables that are not Unicode are left out.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: std::env::vars_os().filter_map(text).collect(),
            directory: PathBuf::from("."),
        }
    }
}

/// All properties of Kafka's that are set, with their places.
#[derive(Debug, Default)]
pub struct Settings {
    /// By Kafka's keys.
    pub chosen: BTreeMap<String, Chosen>,
    /// The active profiles.
    pub profiles: Vec<String>,
    /// The files that were read, the weakest first.
    pub files: Vec<String>,
    /// What is wrong, and what has no effect.
    pub problems: Vec<Problem>,
}

/// Reads all sources. `arguments` and `manifest` are the layers around them; `beside` is the manifest's directory, with a slash at its
/// end, or empty; `None` reads files nowhere.
pub fn resolve(arguments: Layer, manifest: Layer, beside: Option<&str>, around: &Surroundings) -> Settings {
    let mut problems = Vec::new();
    let mut layers = vec![arguments];
    layers.extend(json(&layers[0], around, &mut problems));
    layers.push(Layer {
        settings: environment::settings(&around.variables),
        kind: LayerKind::Environment,
    });
    let early = Names {
        layers: &layers,
        variables: &around.variables,
    };
    let resolve = |text: &str| placeholders::resolve(text, &|name| early.find(name)).map_err(|fault| fault.to_string());
    let mut reader = Reader::new(
        &around.directory,
        early.list("spring.config.name").unwrap_or_else(application),
        &resolve,
    );
    let locations = match beside {
        Some(beside) => early.locations(beside, around, &mut problems),
        None => Vec::new(),
    };
    let any_profile = reader.collect(&locations, None);
    let profiles = active_profiles(&early, &any_profile, &mut problems);
    let files = reader.collect(&locations, Some(&profiles));
    let (used, wrong) = (std::mem::take(&mut reader.used), std::mem::take(&mut reader.problems));
    problems.extend(wrong);
    layers.extend(files.into_iter().rev());
    layers.push(manifest);
    let names = Names {
        layers: &layers,
        variables: &around.variables,
    };
    let bound = bind::bind(&layers, &|name| names.find(name));
    problems.extend(bound.problems);
    Settings {
        chosen: bound.properties,
        profiles,
        files: used,
        problems,
    }
}

fn application() -> Vec<String> {
    vec!["application".to_owned()]
}

/// `SPRING_APPLICATION_JSON`: properties as one JSON object, between arguments and environment.
fn json(arguments: &Layer, around: &Surroundings, problems: &mut Vec<Problem>) -> Option<Layer> {
    const VARIABLE: &str = "SPRING_APPLICATION_JSON";
    let (text, origin) = match arguments.get("spring.application.json") {
        Some(setting) => (setting.value.clone(), setting.origin.clone()),
        None => (
            around.variables.get(VARIABLE)?.clone(),
            Origin::Environment(VARIABLE.to_owned()),
        ),
    };
    let value: serde_json::Value = match serde_json::from_str(&text) {
        Ok(value) => value,
        Err(error) => {
            problems.push(origin.problem(format!("this is no JSON: {error}")));
            return None;
        }
    };
    let mut settings = Vec::new();
    files::flatten(&value, String::new(), String::new(), &|_| origin.clone(), &mut settings);
    Some(Layer {
        settings,
        kind: LayerKind::Arguments,
    })
}

/// The profiles that arguments, environment or files without conditions activate.
fn active_profiles(early: &Names<'_>, files: &[Layer], problems: &mut Vec<Problem>) -> Vec<String> {
    let mut layers: Vec<Layer> = early.layers.to_vec();
    layers.extend(files.iter().rev().cloned());
    let names = Names {
        layers: &layers,
        variables: early.variables,
    };
    let mut list = |key: &str| match names.try_list(key) {
        Ok(list) => list.unwrap_or_default(),
        Err(problem) => {
            problems.push(*problem);
            Vec::new()
        }
    };
    let (asked, mut default) = (list("spring.profiles.active"), list("spring.profiles.default"));
    if default.is_empty() {
        default = vec!["default".to_owned()];
    }
    // Includes of all sources add up, those of the weakest first.
    let mut included: Vec<String> = Vec::new();
    for layer in layers.iter().rev() {
        let of_layer = Names {
            layers: std::slice::from_ref(layer),
            variables: early.variables,
        };
        included.extend(of_layer.list("spring.profiles.include").unwrap_or_default());
    }
    let group = |profile: &str| {
        names
            .list(&format!("spring.profiles.group.{profile}"))
            .unwrap_or_default()
    };
    profiles::active(&included, &asked, &default, &group)
}

/// Values by name over all sources, the strongest first: what placeholders ask.
struct Names<'a> {
    layers: &'a [Layer],
    variables: &'a BTreeMap<String, String>,
}

impl Names<'_> {
    fn find(&self, name: &str) -> Option<String> {
        let value = |layer: &Layer| layer.get(name).map(|setting| setting.value.clone());
        let (arguments, others) = self.layers.split_at(
            self.layers
                .iter()
                .take_while(|layer| layer.kind == LayerKind::Arguments)
                .count(),
        );
        arguments
            .iter()
            .find_map(value)
            .or_else(|| environment::find(self.variables, name).cloned())
            .or_else(|| others.iter().find_map(value))
    }

    /// A list of words: `a,b`, or an entry each.
    fn list(&self, key: &str) -> Option<Vec<String>> {
        self.try_list(key).ok().flatten()
    }

    fn try_list(&self, key: &str) -> Result<Option<Vec<String>>, Box<Problem>> {
        for layer in self.layers {
            let entries = layer
                .settings
                .iter()
                .filter(|setting| relaxed::indexed(&setting.key).is_some_and(|(name, _)| relaxed::same(name, key)));
            let settings: Vec<&Setting> = match layer.get(key) {
                Some(setting) => vec![setting],
                None => entries.collect(),
            };
            if settings.is_empty() {
                continue;
            }
            let mut words = Vec::new();
            for setting in settings {
                let value = placeholders::resolve(&setting.value, &|name| self.find(name));
                let value = value.map_err(|fault| Box::new(setting.origin.problem(format!("{key}: {fault}"))))?;
                words.extend(profiles::listed(&value));
            }
            return Ok(Some(words));
        }
        Ok(None)
    }

    /// `spring.config.location` instead of the default places, `spring.config.additional-location` after them.
    fn locations(&self, beside: &str, around: &Surroundings, problems: &mut Vec<Problem>) -> Vec<Location> {
        let mut stated = |key: &str| {
            let words = self.list(key)?;
            let setting = self.layers.iter().find_map(|layer| {
                let is_it = |setting: &&Setting| {
                    relaxed::same(
                        relaxed::indexed(&setting.key).map_or(&*setting.key, |(name, _)| name),
                        key,
                    )
                };
                layer.settings.iter().find(is_it)
            })?;
            let mut locations = Vec::new();
            for word in words.iter().flat_map(|word| word.split(';')) {
                match Location::parse(word, "", &around.directory, &setting.origin) {
                    Ok(more) => locations.extend(more),
                    Err(message) => problems.push(setting.origin.problem(format!("{key}: {message}"))),
                }
            }
            Some(locations)
        };
        let mut locations =
            stated("spring.config.location").unwrap_or_else(|| Location::defaults(Some(beside), &around.directory));
        locations.extend(stated("spring.config.additional-location").unwrap_or_default());
        locations
    }
}

impl Settings {
    /// Values by Kafka's keys, as the engine reads them.
    pub fn properties(&self) -> BTreeMap<String, String> {
        let pair = |(key, chosen): (&String, &Chosen)| (key.clone(), chosen.value.clone());
        self.chosen.iter().map(pair).collect()
    }

    /// Where a key was set: under this name, under an older one, or with another prefix.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        let older = |(set, _): &(&String, &Chosen)| config::known(set).and_then(|known| known.newer) == Some(key);
        let bare = |key: &str| {
            let prefixes = [
                "main.consumer.",
                "restore.consumer.",
                "consumer.",
                "producer.",
                "admin.",
                "topic.",
            ];
            let name = prefixes
                .iter()
                .find_map(|prefix| key.strip_prefix(prefix))
                .unwrap_or(key);
            name.to_owned()
        };
        let related = |(set, _): &(&String, &Chosen)| bare(set) == bare(key);
        let chosen = self
            .chosen
            .get(key)
            .or_else(|| self.chosen.iter().find(older).map(|(_, chosen)| chosen))
            .or_else(|| self.chosen.iter().find(related).map(|(_, chosen)| chosen));
        chosen.map(|chosen| &chosen.origin)
    }

    /// A word of the engine's on a property, at the place that set it; `nowhere` is for what nobody set.
    pub fn located(&self, notice: &Notice, nowhere: impl FnOnce(String) -> Problem) -> Problem {
        let Notice { key, message } = notice;
        let mut text = format!("{key}: {message}");
        if let Some(format) = self
            .chosen
            .get(key)
            .filter(|_| key.ends_with(".serde"))
            .and_then(format_of)
        {
            text.push_str(&format!(" (this one is `{format}`)"));
        }
        match self.origin(key) {
            Some(origin) => origin.problem(text),
            None => nowhere(text),
        }
    }
}

/// The format of the language that a serde's class stands for.
fn format_of(chosen: &Chosen) -> Option<&'static str> {
    let class = chosen.value.rsplit(['.', '$']).next().unwrap_or_default();
    let formats = [
        ("StringSerde", "string"),
        ("LongSerde", "long"),
        ("DoubleSerde", "double"),
        ("ByteArraySerde", "bytes"),
        ("BytesSerde", "bytes"),
        ("JsonSerde", "json"),
    ];
    formats
        .iter()
        .find(|(known, _)| *known == class)
        .map(|(_, format)| *format)
}
