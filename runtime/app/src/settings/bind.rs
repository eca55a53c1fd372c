//! From what the sources set to one value for each of Kafka's keys.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use millrace::config;

use super::origin::{Layer, LayerKind, Origin, Setting};
use super::spring::{self, Meaning, Target};
use super::{environment, placeholders, relaxed};
use crate::manifest::Problem;

/// The value of a key, and where it was set.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// In Kafka's notation, placeholders replaced.
    pub value: String,
    /// Its place.
    pub origin: Origin,
    /// The position of its source, the strongest first.
    layer: usize,
}

/// All keys, and what is to be said about the settings that are none.
#[derive(Debug, Default)]
pub struct Bound {
    /// By Kafka's keys.
    pub properties: BTreeMap<String, Chosen>,
    /// Errors and warnings.
    pub problems: Vec<Problem>,
}

/// Chooses among sources, the strongest first.
pub fn bind(layers: &[Layer], find: &dyn Fn(&str) -> Option<String>) -> Bound {
    let asked_for: BTreeSet<String> = layers
        .iter()
        .flat_map(|layer| &layer.settings)
        .flat_map(|setting| placeholders::names(&setting.value))
        .map(relaxed::uniform)
        .collect();
    let mut binder = Binder {
        asked_for,
        find,
        kinds: layers.iter().map(|layer| layer.kind).collect(),
        candidates: BTreeMap::new(),
        said: BTreeSet::new(),
        problems: Vec::new(),
    };
    for (at, layer) in layers.iter().enumerate() {
        for setting in joined(&layer.settings) {
            binder.setting(at, setting);
        }
    }
    binder.finish()
}

/// One setting for all entries of a list.
fn joined(settings: &[Setting]) -> Vec<Setting> {
    let mut joined: Vec<Setting> = Vec::new();
    let mut lists: BTreeMap<String, BTreeMap<usize, String>> = BTreeMap::new();
    for setting in settings {
        match relaxed::indexed(&setting.key) {
            Some((name, index)) => {
                let list = lists.entry(relaxed::uniform(name)).or_default();
                if list.is_empty() {
                    joined.push(Setting {
                        key: name.to_owned(),
                        ..setting.clone()
                    });
                }
                list.insert(index, setting.value.clone());
            }
            None => joined.push(setting.clone()),
        }
    }
    for setting in &mut joined {
        if let Some(list) = lists.get(&relaxed::uniform(&setting.key)) {
            setting.value = list.values().cloned().collect::<Vec<_>>().join(",");
        }
    }
    joined
}

struct Candidate {
    setting: Setting,
    target: Target,
    layer: usize,
}

struct Binder<'a> {
    asked_for: BTreeSet<String>,
    find: &'a dyn Fn(&str) -> Option<String>,
    kinds: Vec<LayerKind>,
    candidates: BTreeMap<String, Vec<Candidate>>,
    /// Names about which something was said.
    said: BTreeSet<String>,
    problems: Vec<Problem>,
}

impl Binder<'_> {
    fn setting(&mut self, layer: usize, setting: Setting) {
        match spring::meaning(&setting.key) {
            Meaning::Kafka(target) => self.candidate(layer, setting, target),
            Meaning::Control => self.control(&setting),
            Meaning::Nothing { default, why } => {
                if default != Some(setting.value.trim()) && !self.is_asked_for(&setting.key) {
                    self.say(&setting, format!("{}: has no effect: {why}", setting.key), true);
                }
            }
            Meaning::Refused { default, why } => {
                if default != Some(setting.value.trim()) {
                    self.say(
                        &setting,
                        format!("{}: `{}` is not supported: {why}", setting.key, setting.value),
                        false,
                    );
                }
            }
            Meaning::Unknown(near) => {
                let near = match &setting.origin {
                    Origin::Environment(_) => near.as_deref().map(environment::suggestion),
                    _ => near,
                };
                let message = unknown(&setting.key, near.as_deref());
                self.say(&setting, message, false);
            }
            Meaning::Foreign => self.foreign(layer, setting),
        }
    }

    fn candidate(&mut self, layer: usize, setting: Setting, target: Target) {
        let candidate = Candidate {
            setting,
            layer,
            target: target.clone(),
        };
        self.candidates.entry(target.key).or_default().push(candidate);
    }

    /// A name that is neither Kafka's nor Spring's: the user's own if a placeholder asks for it; a mistake where only ours stand, or
    /// where it looks like ours.
    fn foreign(&mut self, layer: usize, setting: Setting) {
        let kind = self.kinds[layer];
        if kind != LayerKind::Manifest && self.is_asked_for(&setting.key) {
            return;
        }
        if matches!(kind, LayerKind::Arguments | LayerKind::Manifest) || looks_like_kafkas(&setting.key) {
            let target = Target {
                key: setting.key.clone(),
                rank: u8::MAX,
                kind: config::SpringKind::Plain,
            };
            return self.candidate(layer, setting, target);
        }
        let message = format!(
            "{}: has no effect: no property of Kafka's, Spring's or Millrace's has this name, and no placeholder asks for it",
            setting.key
        );
        self.say(&setting, message, true);
    }

    fn control(&mut self, setting: &Setting) {
        const KNOWN: [&str; 10] = [
            "spring.profiles.active",
            "spring.profiles.include",
            "spring.profiles.default",
            "spring.profiles.group",
            "spring.config.name",
            "spring.config.location",
            "spring.config.additional-location",
            "spring.config.import",
            "spring.config.activate.on-profile",
            "spring.config.activate.on-cloud-platform",
        ];
        let key = &setting.key;
        let is_known = |known: &str| relaxed::same(key, known) || relaxed::below(key, known).is_some();
        if KNOWN.iter().any(|known| is_known(known)) || relaxed::below(key, "spring.application").is_some() {
            return;
        }
        let likeness = |known: &&&str| strsim::normalized_damerau_levenshtein(key, known);
        let near = KNOWN.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let message = unknown(key, near.copied());
        self.say(setting, message, false);
    }

    fn is_asked_for(&self, key: &str) -> bool {
        self.asked_for.contains(&relaxed::uniform(key))
    }

    /// Says it once for all sources: the strongest comes first.
    fn say(&mut self, setting: &Setting, message: String, is_warning: bool) {
        if self.said.insert(relaxed::uniform(&setting.key)) {
            let problem = setting.origin.problem(message);
            self.problems.push(if is_warning { problem.warning() } else { problem });
        }
    }

    fn finish(mut self) -> Bound {
        let mut properties = BTreeMap::new();
        for (key, candidates) in std::mem::take(&mut self.candidates) {
            if let Some(chosen) = self.choose(&key, candidates) {
                properties.insert(key, chosen);
            }
        }
        drop_weaker_names(&mut properties, &self.kinds);
        Bound {
            properties,
            problems: self.problems,
        }
    }

    fn choose(&mut self, key: &str, mut candidates: Vec<Candidate>) -> Option<Chosen> {
        // Between sources the group decides (streams, consumer, all); within one also whether it is a name of Spring's or of Kafka's.
        let order = |candidate: &Candidate| {
            let is_manifest = self.kinds[candidate.layer] == LayerKind::Manifest;
            let rank = candidate.target.rank;
            (is_manifest, Reverse(rank / 2), candidate.layer, Reverse(rank))
        };
        // Of equals the later one holds.
        candidates.reverse();
        candidates.sort_by_key(order);
        let mut candidates = candidates.into_iter();
        let first = candidates.next()?;
        for other in candidates {
            if first.setting.value == other.setting.value {
                continue;
            }
            let (written, by) = (written(&other.setting), written(&first.setting));
            let is_twice = other.layer == first.layer && other.target.rank == first.target.rank;
            if is_twice && self.kinds[first.layer] != LayerKind::Arguments && written != by {
                let message = format!("{written}: {by} sets {key} too, and differently: keep one of the two");
                self.problems.push(other.setting.origin.problem(message));
            } else if other.layer < first.layer && self.kinds[other.layer] != LayerKind::Manifest {
                let place = &first.setting.origin;
                let message = format!("{written}: has no effect: {by} ({place}) is the closer name, as in Spring Boot");
                self.problems.push(other.setting.origin.problem(message).warning());
            }
        }
        let Setting { value, origin, .. } = first.setting;
        let resolved = placeholders::resolve(&value, self.find)
            .map_err(|fault| fault.to_string())
            .and_then(|value| spring::converted(first.target.kind, &value));
        match resolved {
            Ok(value) => Some(Chosen {
                value,
                origin,
                layer: first.layer,
            }),
            Err(message) => {
                self.problems.push(origin.problem(format!("{key}: {message}")));
                None
            }
        }
    }
}

/// An older name in a stronger source wins over the newer one in a weaker source; in one source the newer name does.
fn drop_weaker_names(properties: &mut BTreeMap<String, Chosen>, kinds: &[LayerKind]) {
    let strength = |chosen: &Chosen| (kinds[chosen.layer] == LayerKind::Manifest, chosen.layer);
    let overruled: Vec<String> = properties
        .iter()
        .filter_map(|(key, older)| {
            let newer = config::known(key)?.newer?;
            let is_stronger = properties.get(newer).is_some_and(|set| strength(older) < strength(set));
            is_stronger.then(|| newer.to_owned())
        })
        .collect();
    for key in overruled {
        properties.remove(&key);
    }
}

/// A setting's name as the user wrote it.
fn written(setting: &Setting) -> &str {
    match &setting.origin {
        Origin::Environment(variable) => variable,
        _ => &setting.key,
    }
}

fn unknown(key: &str, near: Option<&str>) -> String {
    match near {
        Some(near) => format!("{key}: unknown property; did you mean `{near}`?"),
        None => format!("{key}: unknown property: Spring Boot has no such name"),
    }
}

/// Whether a name begins as Kafka's do, or is nearly one of them.
fn looks_like_kafkas(key: &str) -> bool {
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let root = first(key);
    let wanted = relaxed::uniform(key).replace('.', "");
    let near = |name: &str| strsim::normalized_damerau_levenshtein(&wanted, &name.replace(['.', '_'], "")) > 0.85;
    config::names().any(|name| first(name) == root || near(name))
        || ["consumer", "producer", "admin", "main", "restore", "global", "topic"].contains(&root.as_str())
}
