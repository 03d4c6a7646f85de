//! The layers, one on top of the other, and the sections that are read from them.

use std::path::Path;

use serde_json::Value as Json;

use super::{
    command::{Command, Loaded},
    error::{ConfigError, Problem, Report},
    explain::Explanation,
    help::Help,
    key::Key,
    layer::{Asked, Flags, file},
    loader::{Loader, NamedFile},
    read,
    section::{Config, Problems},
    source::Source,
    tree::Node,
    unknown::Known,
};

/// The sections of one file, each with the type that claims its keys.
pub(super) trait Sections: Sized {
    type Resolved;

    /// The defaults of every section, by the name of its type.
    fn defaults() -> Vec<(&'static str, Result<Json, serde_json::Error>)>;

    fn read(reading: &mut Reading<'_>) -> Option<Self::Resolved>;
}

/// One section.
pub(super) struct One<C>(std::marker::PhantomData<C>);

impl<C: Config> Sections for One<C> {
    type Resolved = C::Resolved;

    fn defaults() -> Vec<(&'static str, Result<Json, serde_json::Error>)> {
        vec![(section_name::<C>(), serde_json::to_value(C::default()))]
    }

    fn read(reading: &mut Reading<'_>) -> Option<C::Resolved> {
        reading.section::<C>()
    }
}

/// Two sections side by side.
pub(super) struct Pair<A, B>(std::marker::PhantomData<(A, B)>);

impl<A: Config, B: Config> Sections for Pair<A, B> {
    type Resolved = (A::Resolved, B::Resolved);

    fn defaults() -> Vec<(&'static str, Result<Json, serde_json::Error>)> {
        One::<A>::defaults()
            .into_iter()
            .chain(One::<B>::defaults())
            .collect()
    }

    fn read(reading: &mut Reading<'_>) -> Option<Self::Resolved> {
        let first = reading.section::<A>();
        let second = reading.section::<B>();
        Some((first?, second?))
    }
}

/// Runs a loader.
pub(super) fn load<S: Sections>(loader: &Loader) -> Result<Command<S::Resolved>, ConfigError> {
    let known = claimed_keys(S::defaults())?;
    let mut report = Report::default();
    let flags = Flags::parse(&loader.args, &known, &mut report);
    if flags.asked == Asked::Help {
        // Help is for those whose configuration is broken, so it comes before all reading.
        return Ok(Command::Help(Help::new(
            &loader.program,
            &loader.prefix,
            &known,
        )));
    }

    let mut tree = known.clone().without_secrets();
    let mut complete = true;
    match read_file(loader, &flags) {
        Ok(Some(file)) => tree.merge(file),
        Ok(None) => {}
        Err(problem) => {
            report.push(problem);
            complete = false;
        }
    }
    for assignment in loader.env.assignments(&loader.prefix, &mut report) {
        assignment.apply(&mut tree, &known);
    }
    for assignment in flags.assignments {
        assignment.apply(&mut tree, &known);
    }

    let explanation = Explanation::new(&loader.prefix);
    let known = Known {
        prefix: &loader.prefix,
        defaults: &known,
    };
    let mut reading = Reading {
        loader,
        known,
        tree,
        report,
        complete,
        explanation,
    };
    let settings = S::read(&mut reading);
    reading.unclaimed();
    let Reading {
        report,
        explanation,
        ..
    } = reading;
    report.into_result()?;
    let settings = settings.ok_or_else(|| {
        Problem::new(
            Key::default(),
            None,
            "the settings were refused, and no reason was given",
        )
    })?;
    Ok(match flags.asked {
        Asked::PrintConfig => Command::PrintConfig(explanation),
        Asked::CheckConfig => Command::CheckConfig,
        // Help was answered before anything was read.
        Asked::Run | Asked::Help => Command::Run(Loaded {
            settings,
            explanation,
        }),
    })
}

/// Resolves settings that the program itself made, without any layer.
///
/// # Errors
///
/// [`ConfigError`] with whatever [`Config::resolve`] reports.
///
/// ```
/// use msf_core::config::{self, Plain};
///
/// assert_eq!(config::resolve(Plain(7))?, 7);
/// # Ok::<(), msf_core::config::ConfigError>(())
/// ```
pub fn resolve<C: Config>(settings: C) -> Result<C::Resolved, ConfigError> {
    let mut found = Vec::new();
    let resolved = settings.resolve(&mut Problems::new(&mut found));
    let mut report = Report::default();
    for problem in found {
        report.push(problem);
    }
    report.into_result()?;
    resolved.ok_or_else(|| refused().into())
}

/// What is said of a section that gives nothing and no reason.
fn refused() -> Problem {
    Problem::new(Key::default(), None, "was refused, and no reason was given")
}

/// Reading sections from the merged tree, one after the other.
pub(super) struct Reading<'a> {
    loader: &'a Loader,
    known: Known<'a>,
    tree: Node,
    report: Report,
    /// False if the file could not be read. Then nothing is resolved: what the file would have set
    /// is not known to be wrong.
    complete: bool,
    explanation: Explanation,
}

impl Reading<'_> {
    fn section<C: Config>(&mut self) -> Option<C::Resolved> {
        // An error here was reported when the keys were claimed.
        let defaults = section_defaults(serde_json::to_value(C::default())).ok()?;
        let mut part = self.take(&defaults);
        let defaults = defaults.without_secrets();
        let env = &self.loader.env;
        let raw: C = read::section(&mut part, &defaults, env, &self.known, &mut self.report)?;
        match serde_json::to_value(&raw) {
            Ok(effective) => self.explanation.add(effective, &part),
            Err(error) => self.report.push(Problem::new(Key::default(), None, error)),
        }
        if !self.complete {
            return None;
        }
        let mut found = Vec::new();
        let resolved = raw.resolve(&mut Problems::new(&mut found));
        found.retain(|problem| !self.report.mentions(&problem.key));
        for problem in found {
            let at_key = !problem.key.0.is_empty();
            let source = at_key.then(|| part.source_of(&problem.key));
            self.report.push(problem.set_by(source));
        }
        resolved
    }

    /// Takes the keys of one section out of the tree.
    fn take(&mut self, section: &Node) -> Node {
        let mut part = Node::table(self.tree.source.clone());
        let source = self.tree.source.clone();
        let (from, to) = (self.tree.table_mut(&source), part.table_mut(&source));
        for name in section
            .as_table()
            .into_iter()
            .flat_map(|table| table.keys())
        {
            to.extend(from.remove_entry(name));
        }
        part
    }

    /// Reports the top-level keys that no section took.
    fn unclaimed(&mut self) {
        let names: Vec<_> = self
            .known
            .defaults
            .as_table()
            .into_iter()
            .flat_map(|table| table.keys())
            .map(String::as_str)
            .collect();
        for (name, node) in self.tree.as_table().into_iter().flatten() {
            self.known
                .report(&Key::default().name(name), node, &names, &mut self.report);
        }
    }
}

/// The defaults of all sections in one tree.
fn claimed_keys(
    sections: Vec<(&'static str, Result<Json, serde_json::Error>)>,
) -> Result<Node, ConfigError> {
    let mut report = Report::default();
    let mut claimed = Node::table(Source::Default);
    let mut owners: Vec<(String, &str)> = Vec::new();
    for (owner, defaults) in sections {
        let node = match section_defaults(defaults) {
            Ok(node) => node,
            Err(error) => {
                let message = format_args!("the defaults of {owner} cannot be used: {error}");
                report.push(Problem::new(Key::default(), None, message));
                continue;
            }
        };
        for name in node.as_table().into_iter().flat_map(|table| table.keys()) {
            if let Some((_, other)) = owners.iter().find(|(claimed, _)| claimed == name) {
                let message = format_args!("is claimed by both {other} and {owner}");
                report.push(
                    Problem::new(Key::default().name(name), None, message)
                        .with_hint("rename the key in one of the two types".to_owned()),
                );
            }
            owners.push((name.clone(), owner));
        }
        claimed.merge(node);
    }
    report.into_result()?;
    Ok(claimed)
}

/// The name of the user's type, which may stand inside [`Plain`](super::Plain).
fn section_name<C>() -> &'static str {
    let name = std::any::type_name::<C>();
    let inner = name
        .split_once("::section::Plain<")
        .and_then(|(_, name)| name.strip_suffix('>'));
    inner.unwrap_or(name)
}

fn section_defaults(defaults: Result<Json, serde_json::Error>) -> Result<Node, String> {
    match defaults {
        Ok(Json::Null) => Ok(Node::table(Source::Default)),
        Ok(json @ Json::Object(_)) => Ok(Node::from_json(json, &Source::Default)),
        Ok(_) => Err("they are not a table".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The file that was named, by whoever comes first: `--config`, the variable, the program. Only the
/// default file may be missing.
fn read_file(loader: &Loader, flags: &Flags) -> Result<Option<Node>, Problem> {
    let by_flag = flags
        .config
        .as_deref()
        .map(|path| (Source::Flag("--config".into()), path));
    if let Some((named_by, path)) = by_flag.or_else(|| loader.env.config_file(&loader.prefix)) {
        let named =
            |problem: Problem| problem.with_hint(format!("the file was named by {named_by}"));
        return file::read(Path::new(path)).map(Some).map_err(named);
    }
    match (&loader.file, &loader.default_file) {
        (
            Some(NamedFile {
                path,
                text: Some(text),
            }),
            _,
        ) => file::parse(text, path).map(Some),
        (Some(NamedFile { path, text: None }), _) => file::read(path).map(Some),
        (None, Some(path)) => file::read_if_exists(path),
        (None, None) => Ok(None),
    }
}
